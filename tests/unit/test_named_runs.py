"""BUNDLE:RUN names one run of a bundle, in every verb that takes runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from results import ABundle, a_bundle, metric
from typer.testing import CliRunner, Result

from specc.bundle_folders import named_run, run_folder
from specc.cli import app
from specc.problems import BundleInvalid


@pytest.fixture
def two_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ABundle:
    """A bundle of one point that took 1 s in run r1 and 2 s in run r2; it is called `study`."""
    monkeypatch.chdir(tmp_path)
    bundle = a_bundle(tmp_path, points=[{"size": 1}], repetitions=2, folder="study")
    for seconds, run_id in ((1.0, "r1"), (2.0, "r2")):
        launch = bundle.run(run_id).launch()
        for task in bundle.tasks:
            launch.complete(task, [metric("time_s", seconds)])
        launch.end()
    return bundle


def specc(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def answer(*words: str | Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(specc(*words, "--json").stdout)
    return told


def test_a_run_is_named_behind_its_bundle(two_runs: ABundle) -> None:
    assert run_folder(Path("study:r2")) == Path("study/results/r2")


def test_a_run_is_named_behind_its_results_folder(two_runs: ABundle) -> None:
    assert run_folder(Path("study/results:r2")) == Path("study/results/r2")


@pytest.mark.parametrize(
    "named", ["study", "study/results/r1", "../a:b/study", "study:", "study:.."]
)
def test_other_paths_stay_as_they_are(two_runs: ABundle, named: str) -> None:
    assert run_folder(Path(named)) == Path(named)


def test_a_folder_with_a_colon_in_its_name_is_that_folder(tmp_path: Path) -> None:
    (tmp_path / "a:b").mkdir()
    assert named_run(tmp_path / "a:b") == (tmp_path / "a:b", None)


def test_a_run_with_a_colon_in_its_name_is_that_run(two_runs: ABundle) -> None:
    Path("study/results/r1").rename("study/results/r1:slow")
    assert run_folder(Path("study:r1:slow")) == Path("study/results/r1:slow")


def test_a_run_that_is_not_there_is_answered_with_those_that_are(two_runs: ABundle) -> None:
    with pytest.raises(BundleInvalid, match="study:r9: there is no run r9") as caught:
        run_folder(Path("study:r9"))
    assert caught.value.hint == "there are r1, r2"


def test_a_bundle_that_is_not_there_is_named(two_runs: ABundle) -> None:
    with pytest.raises(BundleInvalid, match="there is no other"):
        run_folder(Path("other:r1"))


def test_collate_takes_that_run_alone(two_runs: ABundle, tmp_path: Path) -> None:
    specc("collate", "study:r2", "--out", "report")
    [cell] = json.loads((tmp_path / "report" / "summary.json").read_text())["cells"]
    assert (cell["run_id"], cell["metrics"]["time_s"]["value"]) == ("r2", 2.0)


def test_export_takes_that_run_alone(two_runs: ABundle, tmp_path: Path) -> None:
    specc("export", "study:r2", "--out", "data", "--format", "dataset")
    rows = (tmp_path / "data" / "study.csv").read_text().splitlines()[1:]
    assert ["2.000000" in row.split(",") for row in rows] == [True, True]


def test_compare_takes_two_runs_of_one_bundle(two_runs: ABundle) -> None:
    found = answer("compare", "study:r1", "study:r2")["comparison"]
    assert [found[side]["run"] for side in ("baseline", "current")] == ["r1", "r2"]


def test_status_tells_of_that_run(two_runs: ABundle) -> None:
    assert answer("status", "study:r1")["run_id"] == "r1"


def test_logs_takes_the_notation_among_its_words(two_runs: ABundle) -> None:
    assert "there is no run r9" in specc("logs", "--failed", "study:r9").output
    assert specc("logs", "--failed", "study:r1").exit_code == 0


@pytest.mark.parametrize(
    "words",
    [
        ["rerun", "study:r9"],
        ["pilot", "spec.yaml", "--from", "study:r9"],
        ["compile", "spec.yaml", "--skip-done", "study:r9"],
        ["pin", "study", "spec.yaml", "--results", "study:r9"],
    ],
)
def test_other_verbs_know_the_notation(two_runs: ABundle, words: list[str]) -> None:
    said = specc(*words)
    assert (said.exit_code, "there are r1, r2" in said.output) == (4, True)
