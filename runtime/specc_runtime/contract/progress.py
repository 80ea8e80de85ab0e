"""progress.json of a launch, and the totals of a run.

A launch's progress.json is for people who watch; totals are always derived from the journals.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Dict, Iterable, Optional

from .categories import STOPPED
from .fields import (
    HEX16,
    count,
    integer,
    list_of,
    nullable,
    one_of,
    positive,
    read_document,
    record,
    text,
)
from .runs import RunState, TaskState

_SLOT = record(
    {
        "slot": count,
        "gpu": nullable(text),
        "state": one_of("idle", "running"),
        "task_id": nullable(HEX16),
        "since_epoch_ns": nullable(integer),
    }
)
check_progress = record(
    {
        "total": count,
        "completed": count,
        "failed": count,
        "running": count,
        "not_run": count,
        "percent": positive,
        "eta_s": nullable(positive),
        "slots": list_of(_SLOT),
    },
    {"stopped": count},
)


def read_progress(launch_folder: "str | os.PathLike[str]") -> Optional[Dict[str, Any]]:
    """Read progress.json of a launch; None when it has none yet. Raises Damage."""
    path = os.path.join(launch_folder, "progress.json")
    try:
        with open(path, "rb") as file:
            value: Dict[str, Any] = read_document(path, file.read(), check_progress)
            return value
    except FileNotFoundError:
        return None


@dataclass(frozen=True)
class Totals:
    """How far one or several runs are."""

    total: int
    completed: int
    failed: int
    running: int
    not_run: int
    missing: int
    invalid: int
    left_out: int = 0
    """Those of not_run that the task table leaves out; the others wait for a later launch."""
    stopped: int = 0
    """Ended by what surrounds them, not by a fault of their own; a later launch goes on."""
    unknown: int = 0
    """Started, and nobody can say whether they still run; told apart only by who asks Slurm."""

    @property
    def done(self) -> int:
        """Tasks that no launch needs to take up again: completed, or left out."""
        return self.completed + self.left_out

    @property
    def to_run(self) -> int:
        """Tasks that the task table doesn't leave out: what progress is told of."""
        return self.total - self.left_out

    @property
    def percent(self) -> float:
        """Share of the tasks to run that are completed, 0..100; 100 where there is none."""
        if not self.to_run:
            return 100.0
        return 100.0 * self.completed / self.to_run

    @property
    def shown_percent(self) -> int:
        """The share in whole percent; 100 only when nothing is left."""
        return round(self.percent) if self.done == self.total else min(99, round(self.percent))


def totals(runs: Iterable[RunState]) -> Totals:
    """Add up the states of runs that share no task."""
    counts: Dict[str, int] = {}
    left_out = stopped = 0
    for run in runs:
        left_out += sum(task.left_out for task in run.tasks.values())
        stopped += sum(was_stopped(task) for task in run.tasks.values())
        for state, number in run.counts().items():
            counts[state] = counts.get(state, 0) + number
    return Totals(
        total=sum(counts.values()),
        completed=counts.get("completed", 0),
        failed=counts.get("failed", 0) - stopped,
        running=counts.get("running", 0),
        not_run=counts.get("not_run", 0),
        missing=counts.get("missing", 0),
        invalid=counts.get("invalid", 0),
        left_out=left_out,
        stopped=stopped,
    )


def was_stopped(task: TaskState) -> bool:
    """Return whether a failed task was only stopped: by a signal, a preemption, a deadline."""
    return task.state == "failed" and (task.failure or {}).get("category") in STOPPED
