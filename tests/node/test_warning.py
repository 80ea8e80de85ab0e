"""The end of an allocation: what Slurm's warning changes, and what a launch asks of Slurm then."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import bundles
import pytest

from specc_runtime.shard.deadline import DEADLINE, NO_TIME, WARNED, Deadline
from specc_runtime.shard.requeue import Answer, requeue

RECORD = "attempt.record('metric', n=1)"
WAITS = "time.sleep(60)"
OWN = ("--shard", "0", "--own-job")


def deadline(left: float | None, estimate_s: float | None = None) -> Deadline:
    return Deadline(lambda: left, grace_s=10.0, estimate_s=estimate_s)


@pytest.mark.parametrize(
    ("name", "left", "takes"),
    [
        ("SIGUSR1", 120.0, True),
        ("SIGUSR1", 179.0, True),
        ("SIGUSR1", 181.0, False),  # so early it is somebody's wish
        ("SIGUSR1", None, False),
        ("SIGTERM", 120.0, False),
        ("SIGINT", 120.0, False),
    ],
)
def test_only_a_sigusr1_near_the_end_is_a_warning(name: str, left: float, takes: bool) -> None:
    assert deadline(left).takes(name) is takes


@pytest.mark.parametrize(
    ("left", "estimate_s", "warned", "says"),
    [
        (None, 5.0, False, None),
        (120.0, None, False, None),
        (120.0, None, True, WARNED),
        (120.0, 100.0, True, None),  # 10 + 5 + 100 s are left
        (114.0, 100.0, True, NO_TIME),
        (114.0, 100.0, False, NO_TIME),
    ],
)
def test_a_task_starts_while_it_can_end(
    left: float | None, estimate_s: float | None, warned: bool, says: str | None
) -> None:
    end = deadline(left, estimate_s)
    if warned:
        assert end.takes("SIGUSR1")
    assert end.no_more() == says


def test_what_runs_is_stopped_when_only_the_grace_time_and_5_s_are_left() -> None:
    assert [deadline(left).is_here() for left in (15.1, 14.9, None)] == [False, True, False]


@pytest.mark.parametrize(
    ("told", "now", "here"),
    [
        (14.0, 600.0, False),  # the limit was raised, or the job was suspended meanwhile
        (14.0, None, True),  # Slurm says nothing
        (14.0, 13.0, True),
        (600.0, 14.0, False),  # nobody asks as long as there is time
    ],
)
def test_slurm_is_asked_again_before_a_launch_stops(
    told: float, now: float | None, here: bool
) -> None:
    end = Deadline(lambda: told, grace_s=10.0, estimate_s=None, ask=lambda: now)
    assert end.is_here() is here


def test_a_task_starts_in_the_time_that_a_job_got_on_top() -> None:
    end = Deadline(lambda: 100.0, grace_s=10.0, estimate_s=200.0, ask=lambda: 400.0)
    assert end.no_more() is None
    assert end.seconds_left() == 400.0


def test_a_warning_of_an_end_that_was_moved_up_is_one() -> None:
    end = Deadline(lambda: 3000.0, grace_s=10.0, estimate_s=None, ask=lambda: 90.0)
    assert end.takes("SIGUSR1")
    assert end.no_more() == WARNED


def test_a_slurm_that_does_not_answer_is_asked_twice_a_minute_at_most() -> None:
    asked: list[None] = []
    end = Deadline(lambda: 14.0, grace_s=10.0, estimate_s=None, ask=lambda: asked.append(None))
    assert [end.is_here() for _ in range(5)] == [True] * 5
    assert len(asked) == 1


def test_time_in_which_a_job_was_suspended_is_none_of_a_tasks(home: Path) -> None:
    waits = "while time.monotonic() < end: time.sleep(0.1)"
    code = f"end = time.monotonic() + 6.5\n{RECORD}\n{waits}"
    bundle = bundles.make_bundle(home / "b", [code], task={"time_limit_s": 4})
    process = bundles.start(bundle)
    bundles.wait_for(
        lambda: _journal(bundle).exists() and "started" in _journal(bundle).read_text()
    )
    # the task's own clock has to run before it is stopped
    records = _journal(bundle).parent
    bundles.wait_for(lambda: any("metric" in f.read_text() for f in records.glob("records.*")))
    task = next(e["pid"] for e in bundles.events(bundle) if e["event"] == "task_started")
    for number in (signal.SIGSTOP, signal.SIGCONT):
        os.kill(task, number)
        os.kill(process.pid, number)
        time.sleep(6 if number == signal.SIGSTOP else 0)
    process.communicate(timeout=30)
    assert bundles.states(bundle) == ["completed"]


def test_after_the_warning_a_running_task_ends_and_no_other_starts(home: Path) -> None:
    gate = home / "gate"
    code = f"while not os.path.exists({str(gate)!r}): time.sleep(0.01)\n{RECORD}"
    bundle = bundles.make_bundle(home / "b", [code, RECORD])
    process = _start(bundle, left_s=100)
    process.send_signal(signal.SIGUSR1)
    bundles.wait_for(lambda: '"signal"' in _journal(bundle).read_text())
    gate.touch()
    process.communicate(timeout=20)
    assert process.returncode == 75
    assert bundles.states(bundle) == ["completed", "not_run"]
    task = bundles.state(bundle).tasks[bundles.task_id(1)]
    assert task.reason == f"not started: {WARNED}"


@pytest.mark.parametrize(
    ("codes", "category"),
    [
        ([WAITS, RECORD], "timeout"),
        ([f"{RECORD}\nattempt.checkpoint(step=1)\n{WAITS}", RECORD], "preempted"),
        ([RECORD, WAITS], "preempted"),  # another task had its share of the time
    ],
)
def test_a_task_that_had_the_whole_job_without_a_checkpoint_is_a_timeout(
    home: Path, codes: list[str], category: str
) -> None:
    bundle = bundles.make_bundle(home / "b", codes)
    end = str(int(time.time()) + 12)
    done = bundles.run(bundle, *OWN, SLURM_JOB_ID="5", SLURM_JOB_END_TIME=end, SPECC_GRACE_S="1")
    assert done.returncode == 75
    failed = bundles.failure(bundle)
    assert (failed["category"], failed["evidence"]["stopped_by"]) == (category, DEADLINE)


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        ("exit 0", Answer(True, "scontrol requeue 7_2")),
        # Slurm ends the step for the request, before its answer is read
        ("kill -TERM $$; exit 0", Answer(True, "scontrol requeue 7_2")),
        ("echo 'Requested operation is presently disabled' >&2; exit 1",
         Answer(False, "Requested operation is presently disabled")),
        ("exit 3", Answer(False, "scontrol requeue 7_2 ended with code 3")),
    ],
)  # fmt: skip
def test_the_answer_to_a_requeue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, answer: Answer
) -> None:
    _scontrol(tmp_path, script)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert requeue("7_2") == answer


def test_without_scontrol_there_is_no_requeue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert requeue("7_2") == Answer(False, "there is no scontrol here")


def test_a_checkpoint_is_enough_to_be_requeued_for(home: Path) -> None:
    _scontrol(home, '[ "$1" != requeue ] || echo "$*" >>"$ASKED"')
    code = f"{RECORD}\nattempt.checkpoint(step=1)\n{WAITS}"
    bundle = bundles.make_bundle(home / "b", [code])
    asked = home / "asked"
    path = f"{home}:{os.environ['PATH']}"
    process = _start(bundle, left_s=1000, PATH=path, ASKED=str(asked))
    bundles.wait_for(lambda: "task_checkpoint" in _journal(bundle).read_text())
    assert bundles.end(process, signal.SIGUSR1)[0] == 75
    assert asked.read_text() == "requeue 5\n"
    names = [event["event"] for event in bundles.events(bundle)]
    assert names[-3:] == ["task_failed", "requeue", "launch_ended"]


@pytest.mark.parametrize(
    ("steps", "requeues"),
    [
        # a checkpoint where an earlier launch has been already leads no further
        (["3", "3", "3"], 1),
        (["1, 2, 3", "1, 2, 3"], 1),
        (["3", "4", "3"], 2),
        (["3", "4", "5"], 3),
    ],
)
def test_launches_that_get_no_further_do_not_requeue_for_ever(
    home: Path, steps: list[str], requeues: int
) -> None:
    _scontrol(home, '[ "$1" != requeue ] || echo "$*" >>"$ASKED"')
    saves = f"steps = {[list(map(int, each.split(','))) for each in steps]}[attempt.number - 1]"
    code = f"{saves}\nfor step in steps:\n    attempt.checkpoint(step=step)\n{WAITS}"
    bundle = bundles.make_bundle(home / "b", [code])
    asked = home / "asked"
    path = f"{home}:{os.environ['PATH']}"
    for number, each in enumerate(steps, start=1):
        journal = bundles.launch_folder(bundle, number) / "events.jsonl"
        process = _start(bundle, left_s=1000, launch=number, PATH=path, ASKED=str(asked))
        saved = each.count(",") + 1
        bundles.wait_for(
            lambda file=journal, count=saved: file.read_text().count("task_checkpoint") == count
        )
        assert bundles.end(process, signal.SIGUSR1)[0] == 75
    assert asked.read_text() == "requeue 5\n" * requeues


def test_a_job_of_somebody_else_is_never_requeued(home: Path) -> None:
    _scontrol(home, '[ "$1" != requeue ] || echo "$*" >>"$ASKED"')
    bundle = bundles.make_bundle(home / "b", [RECORD, WAITS])
    asked = home / "asked"
    path = f"{home}:{os.environ['PATH']}"
    process = _start(bundle, "--all", left_s=1000, PATH=path, ASKED=str(asked))
    bundles.wait_for(lambda: _journal(bundle).read_text().count('"task_started"') == 2)
    assert bundles.end(process, signal.SIGUSR1)[0] == 75
    assert not asked.exists()


def _start(
    bundle: Path, *which: str, left_s: int, launch: int = 1, **extra: str
) -> subprocess.Popen[str]:
    """Start the shard in a job with so much time left, and wait for its first task."""
    variables: dict[str, Any] = {"SLURM_JOB_END_TIME": str(int(time.time()) + left_s), **extra}
    process = bundles.start(bundle, *(which or OWN), SLURM_JOB_ID="5", **variables)
    journal = bundles.launch_folder(bundle, launch) / "events.jsonl"
    bundles.wait_for(lambda: journal.exists() and "task_started" in journal.read_text())
    return process


def _journal(bundle: Path) -> Path:
    return bundles.launch_folder(bundle) / "events.jsonl"


def _scontrol(folder: Path, script: str) -> None:
    path = folder / "scontrol"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
