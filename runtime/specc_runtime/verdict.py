"""Turn the end of an attempt that was not completed into the fields of its `task_failed` line."""

from __future__ import annotations

import os
import time
from typing import Any, Dict, List, Mapping, Optional, Tuple

from .classify import Cause, Evidence, classify
from .limits import signal_name
from .running import Running

_MESSAGES = {
    "timeout": "the task's time limit of {limit:g} s was over",
    "cancelled": "stopped by {by}",
    "preempted": "stopped by {by}",
}


def verdict(
    running: Running, status: Optional[int], *, oom_kills: int, in_slurm: bool, limit_s: Any
) -> Dict[str, Any]:
    """Build all fields but `will_retry`.

    status: as os.waitpid returned it; None when the process was never seen.
    """
    exit_code: Optional[int] = None
    signal: Optional[str] = None
    if status is not None:
        if os.WIFSIGNALED(status):
            signal = signal_name(os.WTERMSIG(status))
        else:
            exit_code = os.WEXITSTATUS(status)
    report = running.last if running.last is not None and running.last["what"] == "failed" else None
    cause = classify(Evidence(report, exit_code, signal, running.stopped_by, oom_kills, in_slurm))
    facts: Dict[str, Any] = dict(report["evidence"]) if report else {}
    if oom_kills:
        facts["oom_kills"] = oom_kills
    if running.stopped_by is not None:
        facts["stopped_by"] = running.stopped_by
    said = running.last["duration_s"] if running.last else None
    return {
        "category": cause.category,
        "transient": cause.transient,
        "type": report["type"] if report else None,
        "message": _message(running, report, cause, (exit_code, signal), limit_s),
        # what the program itself ended with, where the kind knows it, else the attempt's process
        "exit_code": facts.get("exit_code", exit_code),
        "signal": facts.get("signal", signal),
        "stderr_tail": _tail(running, report),
        "evidence": facts,
        "suggestion": cause.suggestion,
        "duration_s": time.monotonic() - running.started if said is None else said,
    }


def may_retry(
    rules: Mapping[str, Mapping[str, Any]], attempt: int, failure: Mapping[str, Any]
) -> bool:
    """Tell whether `on_failure` allows another attempt after this one (1, 2, …) failed."""
    if not failure["transient"]:
        return False
    rule = rules.get(failure["category"]) or rules.get("transient") or {}
    return attempt < int(rule.get("attempts", 1))


def _message(
    running: Running,
    report: Optional[Mapping[str, Any]],
    cause: Cause,
    end: Tuple[Optional[int], Optional[str]],
    limit_s: Any,
) -> str:
    exit_code, signal = end
    if running.stopped_by is not None and cause.category in _MESSAGES:
        return _MESSAGES[cause.category].format(limit=limit_s or 0, by=running.stopped_by)
    if report is not None:
        return str(report["message"])
    if signal is not None:
        return f"the task's process was ended by {signal}"
    if exit_code is None:
        return "the task's process was never seen"
    return f"the task's process ended with code {exit_code} and without a result"


def _tail(running: Running, report: Optional[Mapping[str, Any]]) -> List[str]:
    printed = running.output.tail()
    # a failure that the kind names needs no traceback of the runtime's own
    if printed or report is None or report.get("category") is not None:
        return printed
    return list(report["trace"])
