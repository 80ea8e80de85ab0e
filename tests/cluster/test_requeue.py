"""Jobs that run out of time with work left: they requeue themselves, or say why not.

The warning that Slurm sends before the time limit is sent by hand, long before it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from jobs import awaited, compiled, launch, submitted, totals
from slurm import Element, Slurm, wait_until
from stopping import SHARD, STEPS, find, log_of, owner, start_again, told, waits_in, warn


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Path]:
    """Tasks 2 and 3 wait for this path with .2 and .3 at its end."""
    path = tmp_path / "gate"
    yield path
    opened(path, 2, 3)


def opened(gate: Path, *tasks: int) -> None:
    for task in tasks:
        gate.with_name(f"{gate.name}.{task}").touch()


def test_a_job_requeues_itself_as_often_as_it_got_on(
    slurm: Slurm, tmp_path: Path, gate: Path
) -> None:
    bundle = compiled(tmp_path, STEPS)
    (job,) = submitted(slurm, bundle, GATE=str(gate))
    waits_in(slurm, bundle, job, 2)
    warn(slurm, job)
    start_again(slurm, job)
    opened(gate, 2)
    waits_in(slurm, bundle, job, 2, 2)
    warn(slurm, job)
    start_again(slurm, job)
    opened(gate, 3)
    assert awaited(slurm, job) == {0: Element("COMPLETED", 0)}
    assert told(slurm, job)["Restarts"] == "2"
    assert totals(bundle) == [11, 12, 13]
    answers = [find(bundle, "requeue", number) for number in (1, 2, 3)]
    asked = f"scontrol requeue {job}_0"
    told_each = [[(e["granted"], e["detail"]) for e in answer] for answer in answers]
    assert told_each == [[(True, asked)], [(True, asked)], []]
    # what was completed is never run again, what was stopped is
    tries = [len(find(bundle, "task_started", number)) for number in (1, 2, 3)]
    assert tries == [2, 2, 1]
    assert log_of(bundle, job).count("work is left: Slurm starts this job again") == 2


def test_where_requeue_is_refused_the_job_ends_with_75_and_says_how_to_go_on(
    slurm: Slurm, tmp_path: Path, gate: Path
) -> None:
    bundle = compiled(tmp_path, STEPS)
    (job,) = submitted(slurm, bundle, "--no-requeue", GATE=str(gate))
    waits_in(slurm, bundle, job, 2)
    warn(slurm, job)
    assert awaited(slurm, job) == {0: Element("FAILED", 75)}
    (answer,) = find(bundle, "requeue")
    assert answer["granted"] is False
    assert "disabled" in answer["detail"]
    assert "to go on: ./submit.sh --resume" in log_of(bundle, job)
    opened(gate, 2, 3)
    (again,) = submitted(slurm, bundle, "--resume")
    assert awaited(slurm, again) == {0: Element("COMPLETED", 0)}
    assert totals(bundle) == [11, 12, 13]
    assert len(find(bundle, "task_reused", 2)) == 1


def test_a_launch_that_completed_nothing_does_not_requeue(
    slurm: Slurm, tmp_path: Path, gate: Path
) -> None:
    bundle = compiled(tmp_path, STEPS.replace("[1, 2, 3]", "[2, 3]"))
    (job,) = submitted(slurm, bundle, GATE=str(gate))
    waits_in(slurm, bundle, job, 1)
    warn(slurm, job)
    assert awaited(slurm, job) == {0: Element("FAILED", 75)}
    assert find(bundle, "requeue") == []
    assert "the job is not requeued; to go on: ./submit.sh --resume" in log_of(bundle, job)


def test_a_cancelled_job_does_not_come_back(slurm: Slurm, tmp_path: Path, gate: Path) -> None:
    bundle = compiled(tmp_path, STEPS)
    (job,) = submitted(slurm, bundle, GATE=str(gate))
    waits_in(slurm, bundle, job, 2)
    slurm.ask("scancel", f"{job}_0")
    assert awaited(slurm, job)[0].state == "CANCELLED"
    assert wait_until(lambda: bool(find(bundle, "launch_ended")), 20)
    assert find(bundle, "requeue") == []
    assert told(slurm, job)["Restarts"] == "0"


def test_after_a_killed_step_the_next_job_takes_the_lease_over_at_once(
    slurm: Slurm, tmp_path: Path, gate: Path
) -> None:
    bundle = compiled(tmp_path, STEPS)
    (job,) = submitted(slurm, bundle, GATE=str(gate))
    waits_in(slurm, bundle, job, 2)
    (task, pool) = (find(bundle, "task_started")[-1]["pid"], launch(bundle, SHARD)["pid"])
    for pid in (pool, task):
        os.kill(pid, signal.SIGKILL)
    assert awaited(slurm, job) == {0: Element("FAILED", 137)}
    lease = bundle / f"results/r1/{SHARD}/lease/000001"
    assert not (lease / "released").exists()
    opened(gate, 2, 3)
    (again,) = submitted(slurm, bundle, "--resume")
    assert awaited(slurm, again) == {0: Element("COMPLETED", 0)}
    assert totals(bundle) == [11, 12, 13]
    assert owner(bundle, 2)["job_id"] == f"{again}_0"
    assert [e["attempt"] for e in find(bundle, "task_started", 2)] == [2, 1]
