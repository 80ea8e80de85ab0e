"""Work that is stopped, by its owner or by Slurm, and taken up again.

The tasks wait for a file, so that a test can stop what certainly runs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jobs import awaited, compiled, events, launch, states, submitted, totals
from slurm import Element, Slurm, wait_until
from stopping import find, start_again


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Path]:
    """The file that the tasks of shards 1 and 2 wait for."""
    path = tmp_path / "gate"
    yield path
    path.touch()


def started(bundle: Path, shard: str, number: int = 1) -> Callable[[], bool]:
    """Return a question: does a task of this launch run?"""
    return lambda: any(e["event"] == "task_started" for e in events(bundle, shard, number))


def both_wait(slurm: Slurm, bundle: Path, gate: Path, *options: str) -> str:
    """Submit, wait until shards 1 and 2 run and shard 0 is done, and return the job's id."""
    (job,) = submitted(slurm, bundle, *options, GATE=str(gate))
    for shard in ("1-cpu-0001", "1-cpu-0002"):
        assert wait_until(started(bundle, shard), 30), states(slurm, job)
    assert wait_until(lambda: states(slurm, job)[0] == "COMPLETED", 30), states(slurm, job)
    return job


def test_a_cancelled_element_is_completed_by_resume(
    slurm: Slurm, tmp_path: Path, gate: Path
) -> None:
    bundle = compiled(tmp_path)
    job = both_wait(slurm, bundle, gate)
    slurm.ask("scancel", f"{job}_1")
    assert wait_until(lambda: states(slurm, job)[1] == "CANCELLED", 20)
    gate.touch()
    ended = awaited(slurm, job)
    assert [ended[index].state for index in range(3)] == ["COMPLETED", "CANCELLED", "COMPLETED"]
    assert totals(bundle) == [11, 13]
    (stopped,) = find(bundle, "task_failed", shard="1-cpu-0001")
    assert (stopped["category"], stopped["message"]) == ("cancelled", "stopped by SIGTERM")
    assert stopped["evidence"]["slurm"]["preempted"] is False

    (again,) = submitted(slurm, bundle, "--resume")
    assert awaited(slurm, again) == {index: Element("COMPLETED", 0) for index in range(3)}
    assert totals(bundle) == [11, 12, 13]
    assert [e["event"] for e in events(bundle, "1-cpu-0002", 2)][1] == "task_reused"
    log = (bundle / f"slurm-{again}_2.out").read_text(encoding="utf-8")
    assert log == "specc: 1-cpu-0002: all tasks were done before\n"


def test_the_signal_before_the_end_stops_one_element_with_75(
    slurm: Slurm, tmp_path: Path, gate: Path
) -> None:
    bundle = compiled(tmp_path)
    # long before the end it is a wish, near the end only Slurm's warning
    job = both_wait(slurm, bundle, gate, "--time=10")
    # the element with the highest index has the id of the array: nobody else may be stopped with it
    slurm.ask("scancel", "--batch", "--signal=USR1", f"{job}_2")
    assert wait_until(lambda: states(slurm, job)[2] == "FAILED", 20), states(slurm, job)
    assert states(slurm, job)[1] == "RUNNING"
    gate.touch()
    assert awaited(slurm, job)[2] == Element("FAILED", 75)
    assert awaited(slurm, job)[1] == Element("COMPLETED", 0)
    heard = [e["name"] for e in events(bundle, "1-cpu-0002") if e["event"] == "signal"]
    assert heard == ["SIGUSR1"]
    assert events(bundle, "1-cpu-0002")[-1]["exit_code"] == 75


def test_stop_cancels_what_was_submitted(slurm: Slurm, tmp_path: Path, gate: Path) -> None:
    bundle = compiled(tmp_path)
    job = both_wait(slurm, bundle, gate)
    slurm.ask(bundle / "stop.sh")
    ended = awaited(slurm, job)
    assert [ended[index].state for index in range(3)] == ["COMPLETED", "CANCELLED", "CANCELLED"]
    (last,) = [e for e in events(bundle, "1-cpu-0001") if e["event"] == "launch_ended"]
    assert (last["exit_code"], last["reason"]) == (75, "SIGTERM")


def test_a_requeued_element_takes_its_shard_over(slurm: Slurm, tmp_path: Path, gate: Path) -> None:
    bundle = compiled(tmp_path)
    job = both_wait(slurm, bundle, gate)
    slurm.ask("scontrol", "requeue", f"{job}_1")
    start_again(slurm, job, 1)
    assert wait_until(started(bundle, "1-cpu-0001", 2), 30), states(slurm, job)
    gate.touch()
    assert awaited(slurm, job) == {index: Element("COMPLETED", 0) for index in range(3)}
    assert launch(bundle, "1-cpu-0001", 2)["slurm"]["SLURM_RESTART_COUNT"] == "1"
    assert totals(bundle) == [11, 12, 13]
    # whoever wants a job to start again wants its tasks
    (stopped,) = find(bundle, "task_failed", shard="1-cpu-0001")
    assert (stopped["category"], stopped["evidence"]["slurm"]["restarts"]) == ("preempted", 1)
    log = (bundle / f"slurm-{job}_1.out").read_text(encoding="utf-8")
    # one log holds both launches: the one that was stopped, and the one that ended the task
    assert "no further task is started: SIGTERM" in log
    assert "[1/1] 100 %" in log


def test_a_second_launch_of_a_running_shard_stands_back(
    slurm: Slurm, tmp_path: Path, gate: Path
) -> None:
    bundle = compiled(tmp_path)
    job = both_wait(slurm, bundle, gate)
    (second,) = submitted(slurm, bundle, "--resume", "--", "--array=1")
    assert awaited(slurm, second) == {1: Element("FAILED", 75)}
    gate.touch()
    assert awaited(slurm, job)[1] == Element("COMPLETED", 0)
    log = (bundle / f"slurm-{second}_1.out").read_text(encoding="utf-8")
    assert "1-cpu-0001: held by process" in log
    lease = bundle / "results/r1/1-cpu-0001/lease/000001/owner.json"
    assert json.loads(lease.read_text(encoding="utf-8"))["job_id"] is not None
