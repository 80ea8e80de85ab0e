"""A pilot from the spec to the edited spec: compiled, run, read, applied, used for the whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from path import SPEC, run_script, specc, specc_json

LIMITS = "pilot: {accept: [{metric: failed, le: 0}, {metric: duration_s, lt: 60}]}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold a spec and the bundle of its pilot, which has been run."""
    folder = tmp_path_factory.mktemp("pilot")
    (folder / "spec.yaml").write_text(SPEC + LIMITS, encoding="utf-8")
    bundle = Path(specc_json("pilot", "spec.yaml", cwd=folder)["bundle"])
    assert run_script(folder / bundle).returncode == 0
    (folder / bundle).rename(folder / "pilot")
    return folder


def test_reading_before_the_run_is_inconclusive(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC, encoding="utf-8")
    bundle = specc_json("pilot", "spec.yaml", cwd=tmp_path)["bundle"]
    found = specc_json("pilot", "spec.yaml", "--from", bundle, code=5, cwd=tmp_path)
    assert (found["answer"], len(found["open_tasks"])) == ("INCONCLUSIVE", 2)


def test_pilot_that_keeps_its_limits_is_a_go(folder: Path) -> None:
    found = specc_json("pilot", "spec.yaml", "--from", "pilot", cwd=folder)
    assert (found["answer"], found["shapes"][0]["attempts"]) == ("GO", 2)
    assert [check["passed"] for check in found["checks"]] == [True, True]


def test_limit_that_is_broken_is_a_no_go_with_exit_1(folder: Path) -> None:
    (folder / "strict.yaml").write_text(SPEC + LIMITS.replace("lt: 60", "lt: 0.001"))
    ended = specc("pilot", "strict.yaml", "--from", "pilot", cwd=folder)
    assert (ended.returncode, ended.stdout.splitlines()[-1]) == (1, "NO-GO")


def test_apply_writes_what_was_proposed_and_nothing_else(folder: Path) -> None:
    (folder / "applied.yaml").write_text(SPEC + LIMITS, encoding="utf-8")
    found = specc_json("pilot", "applied.yaml", "--from", "pilot", "--apply", cwd=folder)
    text = (folder / "applied.yaml").read_text(encoding="utf-8")
    expected = SPEC + LIMITS
    (shape,) = found["shapes"]
    for one in shape["proposals"]:
        old = {"task.estimate": "estimate: 1s", "task.memory": "memory: 64MiB"}[one["field"]]
        if one["differs"]:
            expected = expected.replace(old, f"{old.partition(':')[0]}: {one['text']}")
    assert text == expected
    again = specc_json("pilot", "applied.yaml", "--from", "pilot", cwd=folder)
    assert again["edits"] == []


def test_apply_without_results_is_a_usage_error(folder: Path) -> None:
    assert specc("pilot", "spec.yaml", "--apply", cwd=folder).returncode == 2


def test_results_of_another_spec_are_refused(folder: Path) -> None:
    (folder / "other.yaml").write_text(SPEC.replace("left: [1, 2, 3]", "left: [7]"))
    ended = specc("pilot", "other.yaml", "--from", "pilot", cwd=folder)
    assert ended.returncode == 4
    assert "is in the spec" in ended.stderr


def test_collate_of_a_pilot_says_go(folder: Path) -> None:
    specc_json("collate", "pilot", "--out", "report", cwd=folder)
    assert "The pilot says **GO**." in (folder / "report" / "report.md").read_text()


def test_the_whole_study_can_leave_the_pilots_tasks_out(folder: Path) -> None:
    found = specc_json("compile", "spec.yaml", "--skip-done", "pilot", cwd=folder)
    rows = (folder / found["bundle"] / "tasks.jsonl").read_text().splitlines()
    assert len([row for row in rows if '"not_run":null' in row]) == 4
    # a pilot has ended when its own tasks have, whatever the study it is given with still lacks
    specc_json("collate", "pilot", found["bundle"], "--out", "both", cwd=folder)
    assert "The pilot says **GO**." in (folder / "both" / "report.md").read_text()
