"""What the journals of a run add up to: the states of its launches, attempts and tasks.

Values only; `runs.fold` makes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Optional, Tuple

from .fields import Damage
from .launches import LaunchFolder
from .segments import Segment


@dataclass(frozen=True)
class AttemptState:
    """One try of one task."""

    attempt: int
    launch: str
    """`<shard_id>/<launch>`."""
    slot: int
    gpu: Optional[str]
    neighbours: Tuple[str, ...]
    """Tasks that ran in other slots at the same time; of an attempt without an end, those that ran
    when it started."""
    outcome: str
    """"completed", "failed", "running" (no end yet) or "cut" (its launch ended without one; also
    "failed" where Slurm's words say that it can't be taken up unchanged)."""
    started_epoch_ns: int
    """For display only."""
    duration_s: Optional[float]
    segments: Tuple[Segment, ...]
    """Of its completion, else of its last checkpoint."""
    failure: Optional[Mapping[str, Any]]
    """The `task_failed` event; None when it did not fail. Of a cut attempt: what Slurm's words say
    of it, in the same fields and marked "derived"; None when they say nothing."""
    progress: Optional[Mapping[str, Any]]
    """Of its last checkpoint; None without one."""
    artefacts: Tuple[Mapping[str, Any], ...]
    output: Optional[Mapping[str, Any]] = None
    """{"file", "offset", "bytes"} of what it printed, in its launch folder; None in old ones."""
    usage: Optional[Mapping[str, Any]] = None
    """What it used of its node: `max_rss_bytes`, `user_s`, `system_s`; None when not known."""


@dataclass(frozen=True)
class TaskState:
    """What a run knows of one task."""

    task_id: str
    state: str
    """One of `categories.STATES`; "invalid" is completed with rows that don't match."""
    attempts: Tuple[AttemptState, ...]
    done: Optional[AttemptState]
    """The first completed attempt whose rows match; None unless completed."""
    duplicates: Tuple[AttemptState, ...]
    """Further completed attempts; never merged into the first."""
    reason: Optional[str]
    """Why not run, missing or invalid; the message of the last failure when failed."""
    left_out: bool = False
    """True when not run because the task table says so: no launch will ever take it up."""

    @property
    def segments(self) -> Tuple[Segment, ...]:
        """The rows that count; empty unless completed."""
        return self.done.segments if self.done else ()

    @property
    def failure(self) -> Optional[Mapping[str, Any]]:
        """The last failure's event, derived ones included."""
        failures = [attempt.failure for attempt in self.attempts if attempt.failure]
        return failures[-1] if failures else None

    @property
    def checkpoint(self) -> Optional[AttemptState]:
        """The last attempt that saved a checkpoint; None without one."""
        saved = [attempt for attempt in self.attempts if attempt.progress is not None]
        return saved[-1] if saved else None


@dataclass(frozen=True)
class LaunchState:
    """One launch as its files tell it."""

    folder: LaunchFolder
    info: Optional[Mapping[str, Any]]
    """launch.json; None when the launch died before it was written."""
    ended: Optional[Mapping[str, Any]]
    """The `launch_ended` event; None while it runs, or when it was killed."""
    torn_bytes: int
    events: int
    last_epoch_ns: Optional[int] = None
    """When its last event was written, by the node's clock; for display only. None without one."""
    surroundings: Tuple[Mapping[str, Any], ...] = ()
    """Its `fixture` and `gpu_set_aside` events."""


@dataclass(frozen=True)
class RunState:
    """All that a run's folder says."""

    path: str
    launches: Tuple[LaunchState, ...]
    tasks: Mapping[str, TaskState]
    """By task_id, in the order of the task table."""
    unknown_tasks: Tuple[str, ...]
    """Task ids in journals that the task table does not know."""
    damage: Mapping[str, Tuple[Damage, ...]] = field(default_factory=dict)
    """`<shard_id>/<launch>` -> what of its journal or launch.json can't be read; empty unless
    `fold` was told to go on."""

    def counts(self) -> Dict[str, int]:
        """Number of tasks in each state that occurs."""
        found: Dict[str, int] = {}
        for task in self.tasks.values():
            found[task.state] = found.get(task.state, 0) + 1
        return found
