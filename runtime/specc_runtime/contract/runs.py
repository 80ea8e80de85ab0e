"""Fold the journals of a run into the state of each of its tasks.

Order is by launch and attempt number, never by clock. A task is completed only if its journal
says so and every segment named there is in place with its bytes and hash.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

from .fields import Damage
from .journal import Journal, read_journal
from .launches import LaunchFolder, list_launches, list_shard, read_launch
from .pace import uncollected
from .segments import Segment, check_segment, segment_from
from .tasks import TaskRow

JOURNAL = "events.jsonl"


@dataclass(frozen=True)
class AttemptState:
    """One try of one task."""

    attempt: int
    launch: str
    """`<shard_id>/<launch>`."""
    slot: int
    gpu: Optional[str]
    neighbours: Tuple[str, ...]
    """Tasks that ran in other slots when this one started."""
    outcome: str
    """"completed", "failed", "running" (no end yet) or "cut" (its launch ended without one)."""
    started_epoch_ns: int
    """For display only."""
    duration_s: Optional[float]
    segments: Tuple[Segment, ...]
    """Of its completion, else of its last checkpoint."""
    failure: Optional[Mapping[str, Any]]
    """The `task_failed` event; None when it did not fail."""
    progress: Optional[Mapping[str, Any]]
    """Of its last checkpoint; None without one."""
    artefacts: Tuple[Mapping[str, Any], ...]
    output: Optional[Mapping[str, Any]] = None
    """{"file", "offset", "bytes"} of what it printed, in its launch folder; None in old journals."""
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
        """The last failure's event, for failed tasks."""
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


@dataclass
class _Open:
    """A task while its events are read."""

    attempts: "List[AttemptState]" = field(default_factory=list)
    not_run: Optional[str] = None


@uncollected
def fold(
    run: "str | os.PathLike[str]",
    tasks: Iterable[TaskRow],
    *,
    shard_id: Optional[str] = None,
    ended: bool = False,
    check: bool = True,
    go_on: bool = False,
) -> RunState:
    """Fold a run's folder, or one shard of it. Raises Damage for a journal that can't be read.

    tasks: the rows to report on, others' events count as unknown.
    ended: True when nothing can be running any more: attempts without an end are "cut".
    check: compare the rows of completed tasks with their hashes.
    go_on: do not raise; nothing of a damaged journal counts, and its launch stands in `damage`.
    """
    root = os.fspath(run)
    folders = list_launches(root) if shard_id is None else list_shard(root, shard_id)
    found: Dict[str, _Open] = {}
    launches: List[LaunchState] = []
    damage: Dict[str, Tuple[Damage, ...]] = {}
    for index, folder in enumerate(folders):
        last = index + 1 == len(folders) or folders[index + 1].shard_id != folder.shard_id
        wrong: Optional[List[Damage]] = [] if go_on else None
        launches.append(_read_launch(folder, found, over=ended or not last, wrong=wrong))
        if wrong:
            damage[folder.launch] = tuple(wrong)
    rows = tuple(tasks)
    states = {
        row.task_id: _state(root, row, found.pop(row.task_id, _Open()), check=check) for row in rows
    }
    return RunState(root, tuple(launches), states, tuple(sorted(found)), damage)


def _read_launch(
    folder: LaunchFolder, found: Dict[str, _Open], *, over: bool, wrong: Optional[List[Damage]]
) -> LaunchState:
    """Add the events of a launch to `found`. Damage goes to `wrong`; without it, it is raised."""
    journal, info = _read_files(folder, wrong)
    started: Dict[Tuple[str, int], Dict[str, Any]] = {}
    saved: Dict[Tuple[str, int], Dict[str, Any]] = {}
    ended: Optional[Dict[str, Any]] = None
    for event in journal.events:
        name = event["event"]
        if name == "launch_ended":
            ended = event
        elif name == "task_not_run":
            found.setdefault(event["task_id"], _Open()).not_run = event["reason"]
        elif name in ("task_started", "task_checkpoint", "task_completed", "task_failed"):
            key = (event["task_id"], int(event["attempt"]))
            if name == "task_started":
                started[key] = event
                found.setdefault(key[0], _Open()).not_run = None
            elif name == "task_checkpoint":
                saved[key] = event
            else:
                entry = found.setdefault(key[0], _Open())
                entry.attempts.append(
                    _attempt(folder, started.pop(key, event), event, saved.pop(key, None))
                )
    outcome = "cut" if over or ended is not None else "running"
    for key, event in started.items():
        entry = found.setdefault(key[0], _Open())
        entry.attempts.append(_attempt(folder, event, None, saved.get(key), outcome=outcome))
    last = int(journal.events[-1]["epoch_ns"]) if journal.events else None
    return LaunchState(folder, info, ended, journal.torn_bytes, len(journal.events), last)


def _read_files(
    folder: LaunchFolder, wrong: Optional[List[Damage]]
) -> Tuple[Journal, Optional[Mapping[str, Any]]]:
    journal = Journal((), 0)
    info: Optional[Mapping[str, Any]] = None
    try:
        journal = read_journal(os.path.join(folder.path, JOURNAL))
    except Damage as damage:
        if wrong is None:
            raise
        wrong.append(damage)
    try:
        info = read_launch(folder)
    except Damage as damage:
        if wrong is None:
            raise
        wrong.append(damage)
    return journal, info


def _attempt(
    folder: LaunchFolder,
    start: Mapping[str, Any],
    end: Optional[Mapping[str, Any]],
    saved: Optional[Mapping[str, Any]],
    *,
    outcome: str = "",
) -> AttemptState:
    completed = end is not None and end["event"] == "task_completed"
    failed = end is not None and not completed
    source: Mapping[str, Any] = (end if completed else saved) or {}
    return AttemptState(
        attempt=int(start["attempt"]),
        launch=folder.launch,
        slot=int(start["slot"]),
        gpu=start.get("gpu"),
        neighbours=tuple(start.get("neighbours", ())),
        outcome="completed" if completed else "failed" if failed else outcome,
        started_epoch_ns=int(start["epoch_ns"]),
        duration_s=end["duration_s"] if end is not None else None,
        segments=tuple(segment_from(value) for value in source.get("segments", ())),
        failure=end if failed else None,
        progress=saved["progress"] if saved is not None else None,
        artefacts=tuple(end["artefacts"]) if completed and end is not None else (),
        usage=end.get("usage") if end is not None else None,
        output=(end or start).get("output"),
    )


def _state(root: str, row: TaskRow, entry: _Open, *, check: bool) -> TaskState:
    completed = [attempt for attempt in entry.attempts if attempt.outcome == "completed"]
    good: List[AttemptState] = []
    wrong: Optional[str] = None
    for attempt in completed:
        complaint = _first_complaint(root, attempt) if check else None
        if complaint is None:
            good.append(attempt)
        else:
            wrong = wrong or complaint
    last = entry.attempts[-1] if entry.attempts else None
    state = "missing"
    reason: Optional[str] = "never started" if last is None else "cut off before its end"
    if good:
        state, reason = "completed", None
    elif last is not None and last.outcome == "running":
        state, reason = "running", None
    elif wrong is not None:
        state, reason = "invalid", wrong
    elif row.not_run is not None:
        state, reason = "not_run", row.not_run
    elif last is not None and last.failure is not None:
        state, reason = "failed", str(last.failure["message"])
    elif entry.not_run is not None:
        state, reason = "not_run", entry.not_run
    return TaskState(
        task_id=row.task_id,
        state=state,
        attempts=tuple(entry.attempts),
        done=good[0] if good else None,
        duplicates=tuple(good[1:]),
        reason=reason,
        left_out=state == "not_run" and row.not_run is not None,
    )


def _first_complaint(root: str, attempt: AttemptState) -> Optional[str]:
    for segment in attempt.segments:
        complaint = check_segment(root, segment)
        if complaint is not None:
            return complaint
    return None
