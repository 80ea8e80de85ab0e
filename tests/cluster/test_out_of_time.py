"""Jobs that run out of time with work left: they requeue themselves, or say why not.

Limits are whole minutes, and Slurm looks for jobs near their end, and past it, twice a minute only:
jobs that really meet their limit are submitted before the first test and looked at by the last
ones. In between the warning that Slurm sends before the limit is sent by hand, long before it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from jobs import awaited, compiled, launch, submitted, totals
from slurm import Element, Slurm, wait_until
from stopping import SHARD, STEPS, find, log_of, owner, start_again, told, waits_in, warn

# an end at a moment that the first task says: it goes on after Slurm's warning, and fits
SLOW = STEPS.replace("    if [", '    if [ "$left" = 1 ]; then sleep "$FIRST_S"; fi\n    if [')


@dataclass(frozen=True)
class Running:
    """A submitted job of one minute."""

    bundle: Path
    job: str


def one_minute(slurm: Slurm, folder: Path, text: str, *options: str, **environment: str) -> Running:
    bundle = compiled(folder, text)
    variables = {"GATE": str(folder / "gate"), **environment}
    (job,) = submitted(slurm, bundle, "--time=1", *options, **variables)
    return Running(bundle, job)


@pytest.fixture(scope="module", autouse=True)
def all_of_them(
    slurm: Slurm, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Running]]:
    """The jobs of this file by name."""
    folder = tmp_path_factory.mktemp("minutes")
    alone = STEPS.replace("[1, 2, 3]", "[2, 3]")
    started = {
        "too long": one_minute(slurm, folder / "a", alone, "--signal=B:USR1@40"),
        "fits": one_minute(
            slurm, folder / "b", SLOW, "--signal=B:USR1@50", FIRST_S="38", SPECC_GRACE_S="1"
        ),
        "frozen": one_minute(slurm, folder / "c", STEPS, "--signal=B:USR1@1"),
    }
    frozen = started["frozen"]
    waits_in(slurm, frozen.bundle, frozen.job, 2)
    with frozen_process(launch(frozen.bundle, SHARD)["pid"]):
        yield started


@contextlib.contextmanager
def frozen_process(pid: int) -> Iterator[None]:
    """Hold a process so that only SIGKILL ends it: Slurm sends SIGCONT, too, which wakes others."""
    libc = ctypes.CDLL(None, use_errno=True)
    attach = 16
    if libc.ptrace(attach, pid, None, None) != 0:
        pytest.skip(f"ptrace is refused here: {os.strerror(ctypes.get_errno())}")
    os.waitpid(pid, os.WUNTRACED)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


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


def test_a_task_longer_than_its_job_is_a_timeout_and_no_requeue(
    slurm: Slurm, all_of_them: dict[str, Running]
) -> None:
    bundle, job = all_of_them["too long"].bundle, all_of_them["too long"].job
    assert awaited(slurm, job, seconds=80) == {0: Element("FAILED", 75)}
    (failed,) = find(bundle, "task_failed")
    assert (failed["category"], failed["transient"]) == ("timeout", False)
    assert failed["evidence"]["stopped_by"] == "deadline"
    (waiting,) = find(bundle, "task_not_run")
    assert waiting["reason"].startswith("not started: ")
    assert find(bundle, "requeue") == []
    assert told(slurm, job)["Restarts"] == "0"

    # it is given up: the next launch runs the other one, and says so
    gate = bundle.parents[2] / "gate.3"
    gate.touch()
    (again,) = submitted(slurm, bundle, "--resume", GATE=str(gate.with_suffix("")))
    assert awaited(slurm, again) == {0: Element("FAILED", 1)}
    assert totals(bundle) == [13]
    assert "1 task has used up the attempts that on_failure allows" in log_of(bundle, again)
    assert [e["task_id"] for e in find(bundle, "task_started", 2)] == [waiting["task_id"]]

    gate.with_suffix(".2").touch()
    (third,) = submitted(slurm, bundle, "--again", GATE=str(gate.with_suffix("")))
    assert awaited(slurm, third) == {0: Element("COMPLETED", 0)}
    assert totals(bundle) == [12, 13]


def test_after_slurms_warning_a_running_task_that_fits_goes_on(
    slurm: Slurm, all_of_them: dict[str, Running]
) -> None:
    bundle, job = all_of_them["fits"].bundle, all_of_them["fits"].job
    assert wait_until(lambda: bool(find(bundle, "launch_ended")), 80)
    (heard,) = find(bundle, "signal")
    assert heard["name"] == "SIGUSR1"
    assert 20 < heard["seconds_left"] < 60
    (completed,) = find(bundle, "task_completed")
    assert completed["seq"] > heard["seq"]
    # the second one is stopped by the deadline, with time to spare
    (stopped,) = find(bundle, "task_failed")
    assert (stopped["category"], stopped["evidence"]["stopped_by"]) == ("preempted", "deadline")
    (answer,) = find(bundle, "requeue")
    assert answer["granted"] is True
    slurm.ask("scancel", job)


def test_a_job_killed_at_its_time_limit_is_taken_up_again(
    slurm: Slurm, all_of_them: dict[str, Running]
) -> None:
    frozen = all_of_them["frozen"]
    # its parent hears of its end only when the one that holds it has
    assert os.waitpid(launch(frozen.bundle, SHARD)["pid"], 0)[1] == signal.SIGKILL
    assert awaited(slurm, frozen.job, seconds=60)[0].state == "TIMEOUT"
    assert find(frozen.bundle, "launch_ended") == []
    gate = frozen.bundle.parents[2] / "gate"
    for task in (2, 3):
        gate.with_name(f"gate.{task}").touch()
    (again,) = submitted(slurm, frozen.bundle, "--resume", GATE=str(gate))
    assert awaited(slurm, again) == {0: Element("COMPLETED", 0)}
    assert totals(frozen.bundle) == [11, 12, 13]
    assert len(find(frozen.bundle, "task_reused", 2)) == 1
    assert [e["attempt"] for e in find(frozen.bundle, "task_started", 2)] == [2, 1]
