"""spec -> bundle -> offline run -> report, by the commands of the README."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from path import SPEC, compiled, records, run_script, specc, specc_json


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that has been run once."""
    made = compiled(tmp_path_factory.mktemp("whole"))
    ended = run_script(made)
    assert ended.returncode == 0, ended.stderr
    return made


def test_the_bundle_folder_is_named_by_its_id(bundle: Path) -> None:
    assert bundle.name == specc_json("verify", bundle)["bundle_id"]


def test_a_run_leaves_the_bundle_verifiable(bundle: Path) -> None:
    assert specc("verify", bundle).returncode == 0


def test_every_task_ran_once_with_the_right_result(bundle: Path) -> None:
    totals = sorted(row["value"] for row in records(bundle, "metric"))
    assert totals == [11, 12, 13, 21, 22, 23]


def test_status_counts_the_tasks(bundle: Path) -> None:
    status = specc_json("status", bundle)
    assert (status["total"], status["completed"], status["percent"]) == (6, 6, 100.0)


def test_a_second_run_runs_nothing(bundle: Path) -> None:
    assert specc("run", bundle).returncode == 0
    assert len(records(bundle, "metric")) == 6


def test_collate_makes_a_report_of_one_file(bundle: Path, tmp_path: Path) -> None:
    made = specc_json("collate", bundle, "--out", tmp_path / "report")
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert made["completeness"]["completed"] == 6
    assert "sums" in page
    assert 'src="http' not in page


def test_collate_writes_the_numbers(bundle: Path, tmp_path: Path) -> None:
    specc_json("collate", bundle, "--out", tmp_path / "report")
    summary = json.loads((tmp_path / "report" / "summary.json").read_text(encoding="utf-8"))
    assert summary["kind"] == "command"


def test_run_tells_how_it_ended_as_json(tmp_path: Path) -> None:
    found = specc_json("run", compiled(tmp_path), "--network", "off")
    assert (found["ok"], found["exit_code"], found["completed"]) == (True, 0, 6)


def test_a_failing_task_fails_the_run_and_is_named(tmp_path: Path) -> None:
    bundle = compiled(tmp_path, SPEC.replace("echo", "[ $left != 2 ]; echo"))
    assert specc_json("run", bundle, code=1)["failed"] == 2
    told = specc_json("status", bundle)["unfinished"]
    assert {task["axes"]["left"] for task in told} == {2}
    assert {task["category"] for task in told} == {"program"}


def test_results_may_go_elsewhere(tmp_path: Path) -> None:
    bundle, scratch = compiled(tmp_path), tmp_path / "scratch"
    specc_json("run", bundle, "--results", scratch)
    assert (scratch / bundle.name / "r1").is_dir()
    assert not (bundle / "results").exists()


def test_points_left_out_stay_in_the_matrix_with_their_reason(tmp_path: Path) -> None:
    bundle = compiled(tmp_path, SPEC, "--only", "left=1", "--only-reason", "short of time")
    found = specc_json("run", bundle)
    assert (found["completed"], found["not_run"]) == (2, 4)
    rows = [json.loads(line) for line in (bundle / "tasks.jsonl").read_text().splitlines()]
    assert {row["not_run"] for row in rows} == {None, "short of time"}


def test_diff_names_what_was_added_and_kept(tmp_path: Path) -> None:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(SPEC)
    new.write_text(SPEC.replace("[10, 20]", "[10, 20, 30]"))
    found = specc_json("diff", old, new)
    assert [len(found[each]) for each in ("added", "removed", "kept")] == [3, 0, 6]
