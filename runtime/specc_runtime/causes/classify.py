"""Name the cause of a failed attempt from evidence, and say what to do about it.

Evidence is an exception's type, an errno, an exit code or signal, a cgroup counter, or what the
pool itself did to the attempt. A message's text is never searched. No evidence: "unknown".
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import Any, List, Mapping, Optional

from ..contract.categories import CATEGORIES, SUGGESTIONS, TRANSIENT
from .device_errors import ACCELERATOR_ERRORS, NETWORK_ERRORS, OUT_OF_MEMORY, device_category

CRASHES = ("SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT", "SIGSYS", "SIGTRAP")
_KILLED = 128 + 9  # what a shell exits with when its child got SIGKILL
_FULL_ERRNO = (errno.ENOSPC, errno.EDQUOT)
_BROKEN_ERRNO = (errno.EIO, errno.ESTALE, errno.EREMOTEIO)
# raised in a parent whose worker process vanished
_LOST_WORKER = ("concurrent.futures.process.BrokenProcessPool",)
_OPEN_TO_DOUBT = ("program", "unknown", "gpu", "gpu_neighbour")
"""What a fault of a neighbour on the same GPU looks like from inside."""


@dataclass(frozen=True)
class Evidence:
    """All that is known about the end of an attempt."""

    report: Optional[Mapping[str, Any]]
    """The attempt's own last words ("failed" or "stopped"); None when it could say nothing."""
    exit_code: Optional[int]
    signal: Optional[str]
    stopped_by: Optional[str]
    """"time_limit", "stall_limit", "deadline", or the name of the signal that the pool got; None:
    nobody stopped it."""
    oom_kills: int
    """How many processes of this cgroup the kernel killed for memory a moment ago."""
    in_slurm: bool
    neighbour_fault: Optional[str] = None
    """Id of a task whose fatal device fault hit the same GPU at the same moment."""
    fixture_fault: Optional[str] = None
    """Name of a fixture that ended while it ran."""
    memory_full: bool = False
    """The kernel tells no kills, and the cgroup's peak has reached its limit."""
    cancelled: bool = False
    """Slurm says that this job was cancelled. From inside a preemption looks alike."""
    deadline_alone: bool = False
    """It had the launch from its start and was stopped by the deadline without a checkpoint."""


@dataclass(frozen=True)
class Cause:
    """The name of a failure."""

    category: str
    transient: bool
    suggestion: str


def classify(evidence: Evidence) -> Cause:
    """Name the cause of a failure."""
    report = evidence.report or {}
    category = _category(evidence, report)
    transient = category in TRANSIENT
    suggestion = SUGGESTIONS[category]
    if report.get("category") == category:
        transient = transient if report.get("transient") is None else bool(report["transient"])
        suggestion = report.get("suggestion") or suggestion
    elif category == "health_check":
        transient = True  # the fixture is started again
    return Cause(category, transient, suggestion)


def _category(evidence: Evidence, report: Mapping[str, Any]) -> str:
    if evidence.stopped_by == "time_limit":
        return "timeout"
    if evidence.stopped_by == "stall_limit":
        return "stalled"
    if evidence.stopped_by == "deadline" and evidence.deadline_alone:
        return "timeout"  # another launch of the same length would end it in the same way
    if evidence.stopped_by is not None:
        if evidence.stopped_by == "deadline":
            return "preempted"
        sent_here = evidence.stopped_by == "SIGINT" or not evidence.in_slurm
        return "cancelled" if sent_here or evidence.cancelled else "preempted"
    found = _reported(evidence, report) if report else _silent(evidence)
    if evidence.neighbour_fault is not None and found in _OPEN_TO_DOUBT:
        return "gpu_neighbour"
    if evidence.fixture_fault is not None and found in ("program", "unknown"):
        return "health_check"
    # such an attempt uses nothing up, so without a neighbour it would be tried again for ever
    return "gpu" if found == "gpu_neighbour" else found


def _silent(evidence: Evidence) -> str:
    """Name the cause of an end without a word."""
    if evidence.signal == "SIGKILL":
        return "oom_host" if _memory_ran_out(evidence) else "unknown"
    if evidence.signal in CRASHES or evidence.exit_code:
        return "program"
    return "unknown"


def _reported(evidence: Evidence, report: Mapping[str, Any]) -> str:
    facts: Mapping[str, Any] = report.get("evidence") or {}
    types: List[str] = report.get("types") or []
    named = report.get("category")
    if named in (None, "program", "unknown") and _memory_ran_out(evidence):
        killed = facts.get("signal") == "SIGKILL" or facts.get("exit_code") == _KILLED
        if killed or any(name in _LOST_WORKER for name in types):
            return "oom_host"
    if facts.get("errno") in _FULL_ERRNO:
        return "disk"
    if named == "program" and facts.get("signal") == "SIGKILL":
        return "unknown"  # no program ends itself so
    if named in CATEGORIES:
        return str(named)
    return _by_type(types, facts)


def _by_type(types: List[str], facts: Mapping[str, Any]) -> str:
    if any(name in OUT_OF_MEMORY for name in types):
        return "oom_gpu"
    if "MemoryError" in types or facts.get("errno") == errno.ENOMEM:
        return "oom_host"
    if any(name in ACCELERATOR_ERRORS for name in types):
        return device_category(facts.get("device_error"))
    if any(name in NETWORK_ERRORS for name in types):
        return "node"
    if facts.get("errno") in _BROKEN_ERRNO:
        return "node"
    return "program"


def _memory_ran_out(evidence: Evidence) -> bool:
    return evidence.oom_kills > 0 or evidence.memory_full
