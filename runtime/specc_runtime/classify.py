"""Name the cause of a failed attempt from evidence, and say what to do about it.

Evidence is an exception's type, an errno, an exit code or signal, a cgroup counter, or what the
pool itself did to the attempt. A message's text is never searched. No evidence: "unknown".
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional

from .contract.categories import CATEGORIES, TRANSIENT

_DEVICE_OOM = ("torch.OutOfMemoryError", "torch.cuda.OutOfMemoryError")
_DEVICE_ERROR = ("torch.AcceleratorError", "torch.cuda.AcceleratorError")
_CRASHES = ("SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT", "SIGSYS", "SIGTRAP")

SUGGESTIONS: Dict[str, str] = {
    "oom_host": "raise task.memory, or lower what one task holds in memory",
    "oom_gpu": "lower the batch size, or raise task.gpu_memory",
    "timeout": "raise task.time_limit",
    "preempted": "start the job again: completed tasks are skipped",
    "node": "start the job again on another node",
    "gpu": "start the job again; if it comes back, ask for another node (--exclude)",
    "gpu_neighbour": "run with fewer tasks per GPU",
    "model_load": "check the model's files and that they fit the settings",
    "dataset_load": "check the data set's files and that they fit the settings",
    "program": "read the end of its output; run it alone with: bash job.sbatch --task ID --shell",
    "health_check": "read the fixture's output in the launch's log",
    "diverged": "lower the learning rate, or look at the data of the last steps",
    "stalled": "look for a deadlock; raise the limit if the work is only slow",
    "disk": "free space or quota, or set SPECC_RESULTS to a larger file system, and start again",
    "cancelled": "start the job again: completed tasks are skipped",
    "unknown": "read the end of its output and the node's kernel log",
}


@dataclass(frozen=True)
class Evidence:
    """All that is known about the end of an attempt."""

    report: Optional[Mapping[str, Any]]
    """The attempt's own last words ("failed" or "stopped"); None when it could say nothing."""
    exit_code: Optional[int]
    signal: Optional[str]
    stopped_by: Optional[str]
    """"time_limit", "deadline", or the name of the signal the pool got; None: nobody stopped it."""
    oom_kills: int
    """How many processes of this cgroup the kernel killed for memory since the last look."""
    in_slurm: bool
    neighbour_fault: Optional[str] = None
    """Id of a task whose fatal device fault hit the same GPU at the same moment."""
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
    return Cause(category, transient, suggestion)


def _category(evidence: Evidence, report: Mapping[str, Any]) -> str:
    if evidence.stopped_by == "time_limit":
        return "timeout"
    if evidence.stopped_by == "deadline" and evidence.deadline_alone:
        return "timeout"  # another launch of the same length would end it in the same way
    if evidence.stopped_by is not None:
        # under Slurm the end of the allocation, a preemption and scancel look alike from inside
        sent_here = evidence.stopped_by == "SIGINT" or not evidence.in_slurm
        return "cancelled" if sent_here and evidence.stopped_by != "deadline" else "preempted"
    if evidence.neighbour_fault is not None:
        return "gpu_neighbour"
    if report:
        return _reported(evidence, report)
    if evidence.signal == "SIGKILL":
        return "oom_host" if evidence.oom_kills else "unknown"
    if evidence.signal in _CRASHES or evidence.exit_code:
        return "program"
    return "unknown"


def _reported(evidence: Evidence, report: Mapping[str, Any]) -> str:
    facts: Mapping[str, Any] = report.get("evidence") or {}
    named = report.get("category")
    if named in ("program", "unknown") and facts.get("signal") == "SIGKILL" and evidence.oom_kills:
        return "oom_host"
    if facts.get("errno") in (errno.ENOSPC, errno.EDQUOT):
        return "disk"
    if named in CATEGORIES:
        return str(named)
    types: List[str] = report.get("types") or []
    if any(name in _DEVICE_OOM for name in types):
        return "oom_gpu"
    if "MemoryError" in types or facts.get("errno") == errno.ENOMEM:
        return "oom_host"
    if any(name in _DEVICE_ERROR for name in types):
        return "gpu"
    return "program"


class OomCounter:
    """Counts the kernel's memory kills in this process's cgroup, from one look to the next."""

    def __init__(self) -> None:
        self._path = _counter_path()
        self._last = self._read()

    def new(self) -> int:
        """Return how many kills there were since the last call; 0 where it can't be known."""
        now = self._read()
        found = now - self._last
        self._last = now
        return max(0, found)

    def _read(self) -> int:
        if self._path is None:
            return 0
        try:
            with open(self._path, encoding="ascii") as file:
                lines = [line.split() for line in file]
        except (OSError, ValueError):
            return 0
        values = [line[1] for line in lines if len(line) == 2 and line[0] == "oom_kill"]
        return int(values[0]) if values and values[0].isdigit() else 0


def _counter_path(proc: str = "/proc/self/cgroup", root: str = "/sys/fs/cgroup") -> Optional[str]:
    try:
        with open(proc, encoding="utf-8") as file:
            lines = [line.rstrip("\n").split(":", 2) for line in file]
    except OSError:
        return None
    for line in lines:
        if len(line) != 3:
            continue
        _, controllers, path = line
        if controllers == "":
            found = f"{root}{path}/memory.events"
        elif "memory" in controllers.split(","):
            found = f"{root}/memory{path}/memory.oom_control"
        else:
            continue
        if os.path.exists(found):
            return found
    return None
