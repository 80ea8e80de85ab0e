"""Turn the end of an attempt that was not completed into the fields of its `task_failed` line."""

from __future__ import annotations

import os
import time
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ..contract import categories
from ..limits import signal_name
from ..pool.running import Running
from .asking import Asking
from .cgroup import memory_folders, memory_use
from .classify import Cause, Evidence, classify

_MESSAGES = {
    "timeout": "the task's time limit of {limit} was over",
    "stalled": "no output, record or report for {stall}",
    "cancelled": "stopped by {by}",
    "preempted": "stopped by {by}",
}
_ALONE = (
    "the allocation ended before it did: it had all of it, and saved no checkpoint to go on from"
)
_KILLED = 128 + 9


def verdict(
    running: Running,
    status: Optional[int],
    *,
    oom_kills: int,
    slurm: Asking,
    task: Mapping[str, Any],
    neighbour_fault: Optional[str] = None,
    fixture_fault: Optional[Mapping[str, Any]] = None,
    deadline_alone: bool = False,
) -> Dict[str, Any]:
    """Build all fields but `will_retry`.

    status: as os.waitpid returned it; None when the process was never seen.
    task: what the shape says of one task.   fixture_fault: {"fixture", "reason", "tail"} of what
    ended while it ran.   slurm: asked where a signal came.   The other arguments: see `Evidence`.
    """
    exit_code, signal = _end(status)
    report = running.last if running.last is not None and running.last["what"] == "failed" else None
    facts: Dict[str, Any] = dict(report["evidence"]) if report else {}
    full = _look_at_memory(facts, exit_code, signal, oom_kills)
    evidence = Evidence(
        report,
        exit_code,
        signal,
        running.stopped_by,
        oom_kills,
        slurm.in_slurm,
        neighbour_fault=neighbour_fault,
        fixture_fault=None if fixture_fault is None else fixture_fault["fixture"],
        memory_full=full,
        cancelled=running.stopped_by is not None and slurm.cancelled(),
        deadline_alone=deadline_alone,
    )
    cause = classify(evidence)
    if running.stopped_by is not None:
        facts["stopped_by"] = running.stopped_by
        facts.update({"slurm": slurm.told()} if slurm.told() else {})
    if neighbour_fault is not None:
        facts["neighbour_fault"] = neighbour_fault
    if cause.category == "health_check" and fixture_fault is not None:
        facts["fixture"] = dict(fixture_fault)
    said = running.last["duration_s"] if running.last else None
    return {
        "category": cause.category,
        "transient": cause.transient,
        "type": report["type"] if report else None,
        "message": _message(evidence, cause, task),
        # what the program itself ended with, where the kind knows it, else the attempt's process
        "exit_code": facts.get("exit_code", exit_code),
        "signal": facts.get("signal", signal),
        "stderr_tail": _tail(running, report),
        "evidence": facts,
        "suggestion": cause.suggestion,
        "duration_s": time.monotonic() - running.started if said is None else said,
    }


def _end(status: Optional[int]) -> Tuple[Optional[int], Optional[str]]:
    if status is None:
        return None, None
    if os.WIFSIGNALED(status):
        return None, signal_name(os.WTERMSIG(status))
    return os.WEXITSTATUS(status), None


def _look_at_memory(
    facts: Dict[str, Any], exit_code: Optional[int], signal: Optional[str], oom_kills: int
) -> bool:
    """Add what the cgroup says to the facts of a killed attempt; tell whether it was full.

    Where the kernel counts its kills the peak says nothing more: cached files fill a cgroup too.
    """
    if oom_kills:
        facts["oom_kills"] = oom_kills
    killed = "SIGKILL" in (signal, facts.get("signal"))
    if not (oom_kills or killed or _KILLED in (exit_code, facts.get("exit_code"))):
        return False
    folders = memory_folders()
    use = memory_use(folders)
    if use is None:
        return False
    facts["memory_peak_bytes"], facts["memory_limit_bytes"] = use.peak_bytes, use.limit_bytes
    return use.full and all(folder.kills() is None for folder in folders)


STOPPED = ("preempted", "cancelled", "disk")
"""Failures that another launch gets past, but not this one."""
SPARED = categories.SPARED


def _message(evidence: Evidence, cause: Cause, task: Mapping[str, Any]) -> str:
    by = evidence.stopped_by
    if by == "deadline" and cause.category == "timeout":
        return _ALONE
    if by is not None and cause.category in _MESSAGES:
        limit, stall = (_seconds(task.get(name)) for name in ("time_limit_s", "stall_limit_s"))
        return _MESSAGES[cause.category].format(limit=limit, stall=stall, by=by)
    said = _last_words(evidence)
    if cause.category == "oom_host" and evidence.oom_kills:
        return f"{said}; the kernel ended {evidence.oom_kills} of its processes for memory"
    if cause.category == "gpu_neighbour" and evidence.neighbour_fault is not None:
        return f"{said}; task {evidence.neighbour_fault} on the same GPU had a fatal fault then"
    if cause.category == "health_check" and evidence.fixture_fault is not None:
        return f"{said}; the fixture {evidence.fixture_fault} ended while it ran"
    return said


def _seconds(value: Optional[float]) -> str:
    return f"{value or 0:g} s"


def _last_words(evidence: Evidence) -> str:
    if evidence.report is not None:
        return str(evidence.report["message"])
    if evidence.signal is not None:
        return f"the task's process was ended by {evidence.signal}"
    if evidence.exit_code is None:
        return "the task's process was never seen"
    return f"the task's process ended with code {evidence.exit_code} and without a result"


def _tail(running: Running, report: Optional[Mapping[str, Any]]) -> List[str]:
    printed = running.output.tail()
    # a failure that the kind names needs no traceback of the runtime's own
    if printed or report is None or report.get("category") is not None:
        return printed
    return list(report["trace"])
