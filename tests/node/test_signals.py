"""Signals and deadlines: a launch stops handing out work, stops what runs, and says so."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import bundles
import pytest

from specc_runtime.contract.progress import totals

SLEEP = "attempt.record('metric', n=1)\ntime.sleep(60)"


@pytest.mark.parametrize(
    ("number", "code", "category"),
    [
        (signal.SIGTERM, 75, "cancelled"),
        (signal.SIGUSR1, 75, "cancelled"),
        (signal.SIGINT, 130, "cancelled"),
    ],
)
def test_signal_stops_the_launch_in_order(
    home: Path, number: signal.Signals, code: int, category: str
) -> None:
    bundle = bundles.make_bundle(home / "b", [SLEEP, SLEEP])
    process = bundles.start(bundle)
    _wait_for_start(bundle)
    began = time.monotonic()
    assert bundles.end(process, number)[0] == code
    assert time.monotonic() - began < 5
    assert bundles.failure(bundle)["category"] == category
    last = bundles.events(bundle)[-2:]
    assert last[0]["reason"] == f"not started: {number.name}"
    assert (last[1]["event"], last[1]["exit_code"]) == ("launch_ended", code)
    assert bundles.states(bundle) == ["failed", "not_run"]


def test_sigterm_under_slurm_is_a_preemption(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [SLEEP])
    process = bundles.start(bundle, SLURM_JOB_ID="5", SLURM_JOB_END_TIME="99999999999")
    _wait_for_start(bundle)
    assert bundles.end(process)[0] == 75
    failed = bundles.failure(bundle)
    assert (failed["category"], failed["transient"]) == ("preempted", True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_to_a_whole_step_is_no_failure_of_its_tasks(
    home: Path, number: signal.Signals
) -> None:
    bundle = bundles.make_bundle(home / "b", [SLEEP])
    process = bundles.start(bundle, SLURM_JOB_ID="5", SLURM_JOB_END_TIME="99999999999")
    _wait_for_start(bundle)
    (started,) = [e for e in bundles.events(bundle) if e["event"] == "task_started"]
    # Slurm signals one process after the other, and not the pool first
    os.kill(started["pid"], number)
    time.sleep(0.1)
    assert bundles.end(process, number)[0] == 75
    failed = bundles.failure(bundle)
    assert (failed["category"], failed["message"]) == ("preempted", f"stopped by {number.name}")


def test_second_interrupt_does_not_wait(home: Path) -> None:
    code = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SLEEP
    bundle = bundles.make_bundle(home / "b", [code])
    process = bundles.start(bundle, SPECC_GRACE_S="60")
    _wait_for_start(bundle)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    began = time.monotonic()
    assert bundles.end(process, signal.SIGINT)[0] == 130
    assert time.monotonic() - began < 5


def test_stopped_run_goes_on_where_it_was(home: Path) -> None:
    code = "time.sleep(60) if attempt.number == 1 and attempt.task.index else None"
    bundle = bundles.make_bundle(home / "b", [code] * 3)
    process = bundles.start(bundle)
    bundles.wait_for(lambda: _count(bundle, "task_started") == 2)
    bundles.end(process)
    assert bundles.states(bundle) == ["completed", "failed", "not_run"]
    assert round(totals([bundles.state(bundle)]).percent) == 33


def test_no_work_is_handed_out_near_the_end_of_the_allocation(home: Path) -> None:
    bundle = bundles.make_bundle(
        home / "b", ["attempt.record('metric', n=1)"], task={"estimate_s": 100}
    )
    end = str(int(time.time()) + 60)
    done = bundles.run(bundle, SLURM_JOB_ID="5", SLURM_JOB_END_TIME=end)
    assert done.returncode == 75
    task = bundles.state(bundle).tasks[bundles.task_id(0)]
    assert task.reason == "not started: the allocation ends before another task could"


def test_running_task_is_stopped_before_the_allocation_ends(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [SLEEP])
    end = str(int(time.time()) + 9)
    done = bundles.run(bundle, SLURM_JOB_ID="5", SLURM_JOB_END_TIME=end, SPECC_GRACE_S="1")
    assert done.returncode == 75
    failed = bundles.failure(bundle)
    assert (failed["category"], failed["message"]) == ("preempted", "stopped by deadline")


def _wait_for_start(bundle: Path) -> None:
    bundles.wait_for(lambda: _count(bundle, "task_started") > 0)
    time.sleep(0.1)


def _count(bundle: Path, event: str) -> int:
    path = bundles.launch_folder(bundle) / "events.jsonl"
    if not path.exists():
        return 0
    return sum(each["event"] == event for each in bundles.events(bundle))
