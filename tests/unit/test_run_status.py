"""What `specc status` makes of a run's files, of a queue's answer, and of silence."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from reruns import a_study as a_compiled_study
from results import START_NS, ABundle, a_bundle, process

from specc.problems import BundleInvalid
from specc.watching.find import find_targets, target
from specc.watching.queue import ask_queue, parse_queue
from specc.watching.status import RunStatus, status_of
from specc.watching.words import as_json, as_text

IN_SLURM = {"slurm": {"SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "0"}}


def a_study(root: Path) -> ABundle:
    return a_bundle(root, points=({"size": 1}, {"size": 2}, {"size": 4}), repetitions=1)


def told(bundle: ABundle, **options: Any) -> RunStatus:
    return status_of(target(bundle.path, **options))


def the_shard(bundle: ABundle) -> tuple[str, str]:
    (shard,) = told(bundle).shards
    return shard.state, shard.detail


def a_holder(bundle: ABundle, pid: int, start_ticks: str, **changes: str) -> None:
    """Write down who holds the shard, as the node does."""
    lease = bundle.path / "results/r1/1-cpu-0000/lease/000001"
    lease.mkdir(parents=True)
    owner = {
        "host": socket.gethostname(),
        "boot_id": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        "pid_space": str(Path("/proc/self/ns/pid").readlink()),
        "pid": pid,
        "start_ticks": start_ticks,
        **changes,
    }
    (lease / "owner.json").write_text(json.dumps(owner))


def start_ticks(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def a_squeue(folder: Path, monkeypatch: pytest.MonkeyPatch, *lines: str, code: int = 0) -> None:
    """Put a queue on the PATH that answers so."""
    folder.mkdir()
    stub = folder / "squeue"
    text = "".join(f"{line}\n" for line in lines)
    stub.write_text(
        f"#!/bin/sh\necho \"$@\" >>{folder}/calls\ncat <<'END'\n{text}END\nexit {code}\n"
    )
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_a_run_that_has_not_begun(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    assert the_shard(bundle) == ("waiting", "")
    assert as_text(told(bundle)).splitlines()[0].endswith("run r1: 0 % of 3 tasks")


def test_every_task_completed(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    launch = bundle.run().launch()
    for task in bundle.tasks:
        launch.complete(task, [process()])
    assert the_shard(bundle) == ("done", "")
    assert told(bundle).eta_s == 0.0


def test_nothing_left_but_failures(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    launch = bundle.run().launch()
    launch.complete(bundle.tasks[0], [process()])
    launch.complete(bundle.tasks[1], [process()])
    launch.fail(bundle.tasks[2])
    launch.end()
    assert the_shard(bundle) == ("failed", "")
    (failures,) = told(bundle).failures
    assert (failures.category, failures.tasks) == ("program", 1)


def test_almost_done_is_not_100_percent(tmp_path: Path) -> None:
    points = [{"size": number} for number in range(300)]
    bundle = a_bundle(tmp_path, points=points, repetitions=1)
    launch = bundle.run().launch()
    for task in bundle.tasks[:-1]:
        launch.complete(task, [process()])
    assert "99 % of 300 tasks" in as_text(told(bundle))


def test_stopped_tasks_are_counted_apart(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    launch = bundle.run().launch()
    launch.fail(bundle.tasks[0])
    launch.fail(bundle.tasks[1], category="cancelled", message="stopped: SIGTERM")
    launch.event("launch_ended", exit_code=75, reason="SIGTERM", counts={})
    status = told(bundle)
    assert (status.totals.failed, status.totals.stopped, status.totals.missing) == (1, 1, 1)
    assert [failures.category for failures in status.failures] == ["program"]
    assert the_shard(bundle) == ("stopped", "SIGTERM")


def test_silence_is_unknown_and_never_an_end(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    bundle.run().launch().start(bundle.tasks[0])
    status = told(bundle)
    assert status.shards[0].state == "unknown"
    assert (status.totals.running, status.totals.unknown) == (0, 1)
    assert "last sign of life" in as_text(status)
    assert status.shards[0].sign_epoch_ns == START_NS


def test_a_living_process_of_this_machine_runs(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    bundle.run().launch().start(bundle.tasks[0])
    a_holder(bundle, os.getpid(), start_ticks(os.getpid()))
    status = told(bundle)
    assert (status.shards[0].state, status.totals.running) == ("running", 1)
    assert [(slot.slot, slot.task_id) for slot in status.slots] == [(0, bundle.tasks[0]["task_id"])]


def test_a_process_of_this_machine_that_is_gone_has_died(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    bundle.run().launch().start(bundle.tasks[0])
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    a_holder(bundle, gone.pid, "1")
    assert the_shard(bundle) == ("died", "its process is gone")
    sums = told(bundle).totals
    assert (sums.running, sums.unknown, sums.missing) == (0, 0, 3)


def test_a_process_of_another_start_of_this_machine_is_unknown(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    bundle.run().launch().start(bundle.tasks[0])
    a_holder(bundle, os.getpid(), start_ticks(os.getpid()), boot_id="another")
    assert the_shard(bundle)[0] == "unknown"


@pytest.mark.parametrize(
    ("line", "state", "detail"),
    [
        ("12_0|RUNNING|1:05|10:00|n7|None", "running", "RUNNING on n7, 1:05 of 10:00"),
        ("12_0|PENDING|0:00|10:00||Resources", "queued", "PENDING (Resources)"),
        ("12_0|NODE_FAIL|1:05|10:00|n7|NodeDown", "died", "Slurm says NODE_FAIL (NodeDown)"),
        ("13_0|RUNNING|1:05|10:00|n7|None", "unknown", "job 12_0 is not in the queue"),
    ],
)
def test_the_queue_is_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, state: str, detail: str
) -> None:
    bundle = a_study(tmp_path)
    bundle.run().launch(**IN_SLURM).start(bundle.tasks[0])
    a_squeue(tmp_path / "bin", monkeypatch, line)
    assert the_shard(bundle) == (state, detail)


def test_a_submitted_job_waits_before_its_first_launch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = a_study(tmp_path)
    run = bundle.path / "results/r1"
    run.mkdir(parents=True)
    (run / "jobs.tsv").write_text("job.sbatch\t12\n")
    a_squeue(tmp_path / "bin", monkeypatch, "12_0|PENDING|0:00|10:00||Priority")
    assert the_shard(bundle) == ("queued", "PENDING (Priority)")


def test_all_jobs_are_asked_about_in_one_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_squeue(tmp_path / "bin", monkeypatch)
    assert ask_queue(["12", "13", "12", "x; rm"]).asked == ("12", "13")
    (call,) = (tmp_path / "bin/calls").read_text().splitlines()
    assert "-j 12,13 " in call


def test_a_queue_that_fails_is_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = a_study(tmp_path)
    bundle.run().launch(**IN_SLURM).start(bundle.tasks[0])
    a_squeue(tmp_path / "bin", monkeypatch, code=1)
    assert the_shard(bundle) == ("unknown", "squeue did not answer: exit code 1")


def test_a_reason_may_hold_the_columns_separator() -> None:
    found = parse_queue("7|PENDING|0:00|1:00||(a|b)\nnoise\n")
    assert found["7"].reason == "(a|b)"
    assert list(found) == ["7"]


def test_recorded_words_of_slurm_tell_an_end_on_a_copy(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    bundle.run().launch(**IN_SLURM).start(bundle.tasks[0])
    folder = bundle.path / "results/r1/slurm"
    folder.mkdir()
    (folder / "12.scontrol.txt").write_text(
        "JobId=12 ArrayJobId=12 ArrayTaskId=0 JobName=study Restarts=0 JobState=NODE_FAIL"
        " Reason=None NodeList=n7\n"
    )
    state, detail = the_shard(bundle)
    assert state == "died"
    assert "NODE_FAIL" in detail


def test_invalid_is_not_claimed_unless_checked(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    launch = bundle.run().launch()
    launch.complete(bundle.tasks[0], [process()])
    launch.records.write_bytes(b"x" * launch.records.stat().st_size)
    loose = as_json(told(bundle))
    assert (loose["invalid"], loose["completed"]) == (None, 1)
    assert "--check" in loose["invalid_reason"]
    strict = as_json(status_of(target(bundle.path), check=True))
    assert (strict["invalid"], strict["completed"]) == (1, 0)


def test_the_time_left_is_the_mean_over_the_slots(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    launch = bundle.run().launch()
    launch.complete(bundle.tasks[0], [process()])
    launch.start(bundle.tasks[1])
    a_holder(bundle, os.getpid(), start_ticks(os.getpid()))
    assert told(bundle).eta_s == 3.0  # two tasks of 1.5 s, one after the other


def test_paths_may_be_bundles_runs_results_and_folders_of_bundles(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    bundle.run().launch()
    run = bundle.path / "results/r1"
    for path in (bundle.path, run, run.parent, bundle.path.parent):
        assert [each.folder for each in find_targets([path])] == [run], path


def test_results_elsewhere_need_their_bundle(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    bundle.run().launch()
    elsewhere = tmp_path / "scratch" / bundle.bundle_id
    elsewhere.parent.mkdir()
    (bundle.path / "results").rename(elsewhere)
    with pytest.raises(BundleInvalid, match="which is not here"):
        find_targets([elsewhere])
    (found,) = find_targets([bundle.path, elsewhere])
    assert found.folder == elsewhere / "r1"


def test_the_newest_run_is_meant(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    for name in ("r2", "r10", "trial"):
        bundle.run(name).launch()
    assert target(bundle.path).run_id == "r10"
    assert set(target(bundle.path).other_runs) == {"r2", "trial"}
    assert target(bundle.path, run_id="r2").run_id == "r2"


def test_a_run_that_is_not_there_is_no_run_without_results(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    bundle.run("r1").launch()
    with pytest.raises(BundleInvalid, match="there is no run r3"):
        find_targets([bundle.path], run_id="r3")


def test_a_path_without_a_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleInvalid, match="no bundle at"):
        find_targets([tmp_path])


def test_a_path_at_which_there_is_nothing_is_no_run_of_the_bundle_above(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path)
    with pytest.raises(BundleInvalid, match=r"there is no .*/r7"):
        find_targets([bundle.path / "results" / "r7"])


@pytest.mark.parametrize(
    ("category", "rules", "given_up"),
    [
        ("program", "", 2),
        ("program", "on_failure: {program: {attempts: 3}}\n", 0),
        ("program", "on_failure: {program: {attempts: 1}}\n", 2),
        ("oom_host", "on_failure: {oom_host: {task.memory: x2, attempts: 3}}\n", 2),
        ("disk", "", 0),
    ],
)
def test_failed_tasks_are_given_up_or_taken_up_by_the_next_launch(
    tmp_path: Path, category: str, rules: str, given_up: int
) -> None:
    bundle = a_compiled_study(tmp_path, rules)
    launch = bundle.run().launch()
    launch.complete(bundle.tasks[0], [process()])
    launch.fail(bundle.tasks[1], category)
    launch.fail(bundle.tasks[2], category)
    launch.end()
    status = told(bundle)
    (shard,) = status.shards
    assert (shard.state, shard.given_up) == ("failed" if given_up else "stopped", given_up)
    found = as_json(status)
    assert (found["failed"], found["given_up"]) == (2, given_up)
    assert [task["given_up"] for task in found["unfinished"]] == [bool(given_up)] * 2
    outlook = (
        "2 given up (`specc rerun` cures, ./submit.sh --again repeats)"
        if given_up
        else "2 taken up by the next launch"
    )
    assert f"  of the failed, {outlook}" in as_text(status).splitlines()


def test_a_damaged_journal_is_named_and_the_others_still_count(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    run = bundle.run()
    first = run.launch()
    first.complete(bundle.tasks[0], [process()])
    first.end()
    second = run.launch()
    second.complete(bundle.tasks[1], [process()])
    (second.path / "events.jsonl").write_text("{]\n")
    status = told(bundle)
    assert (status.totals.completed, status.totals.missing) == (1, 2)
    (named,) = status.damage
    assert f"{second.path / 'events.jsonl'}:1: " in named
    assert as_json(status)["damage"] == [named]
    assert f"  damaged, what only it tells counts as missing: {named}" in as_text(status)
