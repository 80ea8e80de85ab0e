"""What a launch makes of Slurm's answer when a signal stops it; the lines are a real Slurm's."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import bundles
import pytest

RECORD_AND_WAIT = "attempt.record('metric', n=1)\ntime.sleep(60)"
TIMES = "StartTime=2026-11-22T07:14:45 EndTime=2026-11-22T07:14:45"


def stopped(home: Path, scontrol: str, **extra: str) -> dict[str, Any]:
    """The failure of a task whose launch gets SIGTERM, where `scontrol` is this script."""
    path = home / "bin" / "scontrol"
    path.parent.mkdir()
    path.write_text(f"#!/bin/sh\n{scontrol}\n")
    path.chmod(0o755)
    bundle = bundles.make_bundle(home / "b", [RECORD_AND_WAIT])
    variables = {"SLURM_JOB_ID": "5", "SLURM_JOB_END_TIME": "99999999999", **extra}
    process = bundles.start(bundle, PATH=f"{path.parent}:{os.environ['PATH']}", **variables)
    journal = bundles.launch_folder(bundle) / "events.jsonl"
    bundles.wait_for(lambda: journal.exists() and "task_started" in journal.read_text())
    assert bundles.end(process)[0] == 75
    return bundles.failure(bundle)


@pytest.mark.parametrize(
    ("line", "category"),
    [
        ("JobState=COMPLETING Reason=None Requeue=1 Restarts=0", "cancelled"),
        ("JobState=CANCELLED Reason=None Requeue=1 Restarts=0", "cancelled"),
        # put back by its owner: it has a start more already
        ("JobState=COMPLETING Reason=None Requeue=1 Restarts=1", "preempted"),
        (
            "JobState=RUNNING Reason=None Requeue=1 Restarts=0 "
            "PreemptEligibleTime=2026-11-22T07:14:55 PreemptTime=2026-11-22T07:14:55",
            "preempted",
        ),
        (
            "JobState=COMPLETING Reason=None Restarts=0 PreemptTime=2026-11-22T07:14:55",
            "preempted",
        ),
        # a signal of somebody who did not end the job
        ("JobState=RUNNING Reason=None Requeue=1 Restarts=0 PreemptTime=None", "preempted"),
        ("JobState=COMPLETING Reason=TimeLimit Requeue=1 Restarts=0", "preempted"),
        ("JobState=COMPLETING Reason=NodeDown Requeue=0 Restarts=0", "preempted"),
    ],
)
def test_only_a_cancelled_job_is_called_so(home: Path, line: str, category: str) -> None:
    failed = stopped(home, f"echo 'JobId=5 JobName=a {line} {TIMES}'")
    assert (failed["category"], failed["transient"]) == (category, category == "preempted")
    said = dict(word.split("=") for word in line.split())
    assert failed["evidence"]["slurm"] == {
        "job": "5",
        "how": "scontrol",
        "state": said["JobState"],
        "reason": None if said["Reason"] == "None" else said["Reason"],
        "restarts": int(said["Restarts"]),
        "preempted": said.get("PreemptTime", "None") != "None",
    }


def test_second_start_of_a_job_may_be_cancelled_as_well(home: Path) -> None:
    line = "JobId=5 JobState=COMPLETING Reason=None Requeue=1 Restarts=1"
    assert stopped(home, f"echo '{line}'", SLURM_RESTART_COUNT="1")["category"] == "cancelled"


@pytest.mark.parametrize("script", ["exit 1", "echo 'slurm_load_jobs error: timed out'"])
def test_without_an_answer_a_stopped_task_is_preempted(home: Path, script: str) -> None:
    failed = stopped(home, script)
    assert (failed["category"], failed["evidence"]) == ("preempted", {"stopped_by": "SIGTERM"})


def test_slurm_that_does_not_answer_holds_nobody_up(home: Path) -> None:
    asked = home / "asked"
    failed = stopped(home, f"touch '{asked}'; exec sleep 600")
    ended = time.time()
    assert (failed["category"], failed["evidence"]) == ("preempted", {"stopped_by": "SIGTERM"})
    # so long Slurm waits between its signal and the kill, unless told otherwise (KillWait)
    assert ended - asked.stat().st_mtime < 30
