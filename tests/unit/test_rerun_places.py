"""Where a rerun looks for results, and what it says of those it does not see."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from reruns import CLUSTER, a_study, again, done, failed_all, the_next
from results import ABundle

from specc.collate.pipeline import collate
from specc.rerun.describe import rerun_text
from specc.rerun.history import read_history
from specc.rerun.pipeline import Rerun


def one_cancelled(bundle: ABundle) -> None:
    launch = bundle.run().launch()
    done(launch, bundle.tasks[0])
    done(launch, bundle.tasks[1])
    launch.fail(bundle.tasks[2], "cancelled")
    launch.end()


def told(found: Rerun) -> list[tuple[str, str]]:
    return [(problem.code, problem.message) for problem in found.problems]


def test_results_are_found_where_specc_results_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = a_study(tmp_path)
    one_cancelled(bundle)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    shutil.move(bundle.path / "results", scratch / bundle.bundle_id)
    monkeypatch.setenv("SPECC_RESULTS", str(scratch))
    assert [task["axes"] for task in the_next(again(bundle.path)).tasks] == [{"size": 4}]
    assert collate([bundle.path], tmp_path / "report").completeness["completed"] == 2


def test_a_child_that_was_not_given_is_named(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    one_cancelled(bundle)
    first = again(bundle.path)
    assert told(first) == []
    child = the_next(first)
    launch = child.run().launch()
    done(launch, child.tasks[0])
    launch.end()
    message = f"{child.bundle_id} beside {bundle.bundle_id} continues it and was not given"
    assert told(again(bundle.path)) == [("W324", message)]
    assert again(bundle.path, child.path).bundle is None


def test_a_parent_that_is_not_there_is_named(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    one_cancelled(bundle)
    child = the_next(again(bundle.path))
    launch = child.run().launch()
    launch.fail(child.tasks[0], "cancelled")
    launch.end()
    shutil.rmtree(bundle.path)
    ((code, message),) = told(again(child.path))
    assert code == "W323"
    assert message.startswith(f"{child.bundle_id}: it continues {bundle.bundle_id}, which was not")


def test_a_damaged_journal_is_named(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    one_cancelled(bundle)
    (journal,) = bundle.path.rglob("events.jsonl")
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join([*lines[:2], "{]\n", *lines[3:]]))
    found = again(bundle.path)
    ((code, message),) = told(found)
    assert (code, message.partition(":")[0]) == ("W323", "r1/1-cpu-0000/launch-001/events.jsonl")
    assert [choice.fate for choice in found.choices] == ["again"] * 3


def test_a_shard_whose_job_waits_in_the_queue_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = a_study(tmp_path)
    one_cancelled(bundle)
    (bundle.path / "results" / "r1" / "jobs.tsv").write_text("job.sbatch\t12\n")
    stub = tmp_path / "bin" / "squeue"
    stub.parent.mkdir()
    stub.write_text("#!/bin/sh\necho '12_0|PENDING|0:00|10:00||BeginTime'\n")
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", f"{stub.parent}:{os.environ['PATH']}")
    found = again(bundle.path)
    assert (found.bundle, [choice.fate for choice in found.choices]) == (
        None,
        ["done", "done", "running"],
    )
    assert "still running or queued, left out: 1 tasks" in rerun_text(found)
    assert len(the_next(again(bundle.path, include_running=True)).tasks) == 1


def test_results_that_are_a_link_stand_in_one_place(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    one_cancelled(bundle)
    scratch = tmp_path / "scratch"
    shutil.move(bundle.path / "results", scratch)
    (bundle.path / "results").symlink_to(scratch)
    assert len(the_next(again(bundle.path, scratch)).tasks) == 1


def test_a_run_without_a_readable_launch_json_is_that_of_the_bundle_around_it(
    tmp_path: Path,
) -> None:
    bundle = a_study(tmp_path)
    one_cancelled(bundle)
    (launch,) = bundle.path.rglob("launch.json")
    launch.write_text("{")
    found = again(bundle.path)
    assert [choice.fate for choice in found.choices] == ["done", "done", "again"]
    assert [code for code, _ in told(found)] == ["W323"]
    assert collate([bundle.path], tmp_path / "report").completeness["completed"] == 2


def test_no_hint_advises_to_repeat_what_no_limit_allows(tmp_path: Path) -> None:
    rule = "on_failure: {oom_host: {task.memory: x8, attempts: 5}}\n"
    bundle = a_study(tmp_path, CLUSTER, rule)
    failed_all(bundle, "oom_host")
    found = again(bundle.path, give_up_capped=True)
    assert {choice.fate for choice in found.choices} == {"given_up"}
    assert "--again" not in rerun_text(found)


def test_a_cure_of_what_was_open_says_so(tmp_path: Path) -> None:
    rule = "on_failure: {oom_host: {task.memory: 2GiB}}\n"
    bundle = a_study(tmp_path, rule, task="task: {estimate: 1min}\n")
    failed_all(bundle, "oom_host")
    assert "task.memory open → 2GiB" in rerun_text(again(bundle.path, dry_run=True))


def test_a_failure_counts_wherever_its_launch_stands(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    run = bundle.run()
    first, second = run.launch(), run.launch()
    done(first, bundle.tasks[0])
    done(first, bundle.tasks[1])
    first.end()
    second.fail(bundle.tasks[2], "oom_host")
    second.end()
    away = tmp_path / "a-scratch/r1" / second.path.parent.name
    away.mkdir(parents=True)
    shutil.move(second.path, away)
    found = read_history([bundle.path, tmp_path / "a-scratch"])
    states = {task.row.task_id: (task.state, task.used) for task in found.tasks}
    assert [states[task["task_id"]][0] for task in bundle.tasks] == [
        "completed", "completed", "failed",
    ]  # fmt: skip
    assert states[bundle.tasks[2]["task_id"]][1] == 1
