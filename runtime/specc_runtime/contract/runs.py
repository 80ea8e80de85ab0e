"""Fold the journals of a run into the state of each of its tasks.

Order is by launch and attempt number, never by clock. A task is completed only if its journal
says so and every segment named there is in place with its bytes and hash.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Any, Dict, Iterable, List, Mapping, Optional, Set, Tuple

from .cuts import judge_cut, judge_stop
from .fields import Damage
from .journal import Journal, read_journal
from .launches import LaunchFolder, list_launches, list_shard, read_launch
from .pace import uncollected
from .segments import Complaint, Segment, SegmentFiles, segment_from
from .slurm import Scripts, Words, read_words, shard_words
from .slurm_words import JobWords
from .states import AttemptState, LaunchState, RunState, TaskState
from .tasks import TaskRow

__all__ = ["JOURNAL", "AttemptState", "LaunchState", "RunState", "TaskState", "fold"]

JOURNAL = "events.jsonl"
_AROUND = ("fixture", "gpu_set_aside")


@dataclass
class _Open:
    """A task while its events are read."""

    attempts: "List[AttemptState]" = field(default_factory=list)
    not_run: Optional[str] = None
    job: Optional[JobWords] = None
    """What Slurm said of the job that was to run it."""


@dataclass(frozen=True)
class _Place:
    """A launch among the others."""

    folder: LaunchFolder
    over: bool
    """Nothing of it can be running any more."""
    newest: bool
    words: Words


@uncollected
def fold(
    run: "str | os.PathLike[str]",
    tasks: Iterable[TaskRow],
    *,
    shard_id: Optional[str] = None,
    ended: bool = False,
    check: bool = True,
    go_on: bool = False,
    scripts: Optional[Scripts] = None,
    complaint: Optional[Complaint] = None,
    launches: Optional[Iterable[LaunchFolder]] = None,
) -> RunState:
    """Fold a run's folder, or one shard of it. Raises Damage for a journal that can't be read.

    tasks: the rows to report on, others' events count as unknown.
    ended: True when nothing can be running any more: attempts without an end are "cut".
    check: compare the rows of completed tasks with their hashes.
    go_on: do not raise; nothing of a damaged journal counts, and its launch stands in `damage`.
    scripts: see `slurm.scripts_of`; with it, tasks that never started say where their jobs are.
    complaint: who compares rows with their hashes instead, for example from what it remembers.
    launches: the only ones to read, by shard and number; default: all that stand there.
    """
    root = os.fspath(run)
    words = read_words(root)
    folders = list_launches(root) if shard_id is None else list_shard(root, shard_id)
    folders = folders if launches is None else tuple(launches)
    found: Dict[str, _Open] = {}
    read: List[LaunchState] = []
    damage: Dict[str, Tuple[Damage, ...]] = {}
    for index, folder in enumerate(folders):
        last = index + 1 == len(folders) or folders[index + 1].shard_id != folder.shard_id
        wrong: Optional[List[Damage]] = [] if go_on else None
        place = _Place(folder, over=ended or not last, newest=last, words=words)
        read.append(_read_launch(place, found, wrong))
        if wrong:
            damage[folder.launch] = tuple(wrong)
    rows = tuple(tasks)
    queue = shard_words(root, words, scripts or {})
    states = {}
    with SegmentFiles() as files:
        judge = (complaint or files.complaint) if check else _no_complaint
        for row in rows:
            entry = found.pop(row.task_id, None) or _Open()
            entry.job = queue.get(row.shard or "")
            states[row.task_id] = _state(root, row, entry, judge)
    return RunState(root, tuple(read), states, tuple(sorted(found)), damage)


def _read_launch(
    place: _Place, found: Dict[str, _Open], wrong: Optional[List[Damage]]
) -> LaunchState:
    """Add the events of a launch to `found`. Damage goes to `wrong`; without it, it is raised."""
    folder = place.folder
    journal, info = _read_files(folder, wrong)
    started: Dict[Tuple[str, int], Dict[str, Any]] = {}
    saved: Dict[Tuple[str, int], Dict[str, Any]] = {}
    ended: Optional[Dict[str, Any]] = None
    words = None
    if info is not None:
        words = place.words.of_launch(info["slurm"], newest=place.newest)
    for event in journal.events:
        name = event["event"]
        if name == "launch_ended":
            ended = event
        elif name == "task_not_run":
            _entry(found, event["task_id"]).not_run = event["reason"]
        elif name in ("task_started", "task_checkpoint", "task_completed", "task_failed"):
            key = (event["task_id"], int(event["attempt"]))
            if name == "task_started":
                started[key] = event
                _entry(found, key[0]).not_run = None
            elif name == "task_checkpoint":
                saved[key] = event
            else:
                entry = _entry(found, key[0])
                end = judge_stop(event, words) if name == "task_failed" else event
                entry.attempts.append(
                    _attempt(folder, started.pop(key, event), end, saved.pop(key, None))
                )
    over = place.over or ended is not None or (words is not None and words.over)
    first = _first_of_slots(journal) if started else set()
    for key, event in started.items():
        outcome, failure = "running", None
        if over:
            had_it_all = key in first and key not in saved
            outcome, failure = judge_cut(event, words, had_it_all=had_it_all)
        attempt = _attempt(folder, event, None, saved.get(key), outcome=outcome)
        entry = _entry(found, key[0])
        entry.attempts.append(replace(attempt, failure=failure))
    last = int(journal.events[-1]["epoch_ns"]) if journal.events else None
    around = tuple(event for event in journal.events if event["event"] in _AROUND)
    return LaunchState(folder, info, ended, journal.torn_bytes, len(journal.events), last, around)


def _entry(found: Dict[str, _Open], task_id: str) -> _Open:
    entry = found.get(task_id)
    if entry is None:
        entry = found[task_id] = _Open()
    return entry


def _first_of_slots(journal: Journal) -> Set[Tuple[str, int]]:
    """Return the attempts that no other one preceded in their slot."""
    found: Dict[int, Tuple[str, int]] = {}
    for event in journal.events:
        if event["event"] == "task_started":
            found.setdefault(int(event["slot"]), (event["task_id"], int(event["attempt"])))
    return set(found.values())


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
        neighbours=tuple((end or {}).get("beside", start.get("neighbours", ()))),
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


def _state(root: str, row: TaskRow, entry: _Open, judge: Complaint) -> TaskState:
    completed = [attempt for attempt in entry.attempts if attempt.outcome == "completed"]
    good: List[AttemptState] = []
    wrong: Optional[str] = None
    for attempt in completed:
        complaint = _first_complaint(root, attempt, judge)
        if complaint is None:
            good.append(attempt)
        else:
            wrong = wrong or complaint
    last = entry.attempts[-1] if entry.attempts else None
    state = "missing"
    reason: Optional[str] = _why_missing(last, entry.job)
    if good:
        state, reason = "completed", None
    elif last is not None and last.outcome == "running":
        state, reason = "running", None
    elif wrong is not None:
        state, reason = "invalid", wrong
    elif row.not_run is not None:
        state, reason = "not_run", row.not_run
    elif last is not None and last.outcome == "failed" and last.failure is not None:
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


def _why_missing(last: Optional[AttemptState], job: Optional[JobWords]) -> str:
    if last is None:
        return "never started" if job is None else f"never started: {job.sentence()}"
    if last.failure is not None:
        return str(last.failure["message"])
    return "cut off before its end"


def _first_complaint(root: str, attempt: AttemptState, judge: Complaint) -> Optional[str]:
    for segment in attempt.segments:
        complaint = judge(root, segment)
        if complaint is not None:
            return complaint
    return None


def _no_complaint(root: str, segment: Segment) -> Optional[str]:
    del root, segment
    return None
