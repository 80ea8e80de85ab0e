"""How far a run is: its journals, joined with what Slurm's queue says of its jobs.

Works on a copy of the results as well as on the cluster; what cannot be told there is "unknown".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from specc.model import Json
from specc.problems import BundleInvalid
from specc.watching.find import Target, target
from specc.watching.jobs import Jobs, find_jobs
from specc.watching.pace import time_left_s
from specc.watching.queue import NOT_ASKED, Queue, ask_queue
from specc.watching.shards import ShardStatus, shard_status
from specc_runtime.contract.fields import Damage
from specc_runtime.contract.giving_up import is_given_up
from specc_runtime.contract.manifest import read_manifest
from specc_runtime.contract.progress import Totals, read_progress, totals, was_stopped
from specc_runtime.contract.runs import LaunchState, RunState, TaskState, fold
from specc_runtime.contract.slurm import scripts_of
from specc_runtime.contract.tasks import TaskRow, read_tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotStatus:
    """One slot of a running launch."""

    shard_id: str
    launch: str
    node: str | None
    slot: int
    gpu: str | None
    """Entry of CUDA_VISIBLE_DEVICES; None without a GPU."""
    task_id: str | None
    """None while it is idle."""
    attempt: int | None
    since_epoch_ns: int | None
    """For display only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """The failed tasks of one category."""

    category: str
    tasks: int
    task_id: str
    """The one that failed last."""
    message: str
    suggestion: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """One run of one bundle at this moment."""

    target: Target
    totals: Totals
    checked: bool
    """Whether rows were compared with their hashes; only then are invalid tasks found."""
    eta_s: float | None
    """None when nothing runs, or no task has ended yet."""
    queue: Queue
    shards: tuple[ShardStatus, ...]
    slots: tuple[SlotStatus, ...]
    failures: tuple[Failures, ...]
    """The most frequent category first; stopped tasks are not among them."""
    unfinished: tuple[TaskState, ...]
    """Failed, invalid and missing tasks."""
    given_up: frozenset[str]
    """Failed tasks that no launch takes up by itself: their attempts are used."""
    damage: tuple[str, ...]
    """What could not be read, with file and line; tasks that only it tells of count as missing."""
    tasks: Mapping[str, TaskRow]

    @property
    def bundle_id(self) -> str:
        return self.target.bundle_id

    @property
    def run_id(self) -> str:
        return self.target.run_id


def read_status(
    bundle: Path, *, run_id: str | None = None, results: Path | None = None, check: bool = True
) -> RunStatus:
    """Read the status of a run of a bundle folder; by default its newest. Raises BundleInvalid.

    results: where results are written when not in the bundle, as SPECC_RESULTS.
    """
    return status_of(target(bundle, run_id=run_id, results=results), check=check)


def status_of(wanted: Target, *, check: bool = False, ask: bool = True) -> RunStatus:
    """Read the status of a run. Raises BundleInvalid.

    check: compare finished rows with their hashes (slower; "invalid" is only found so).
    ask: ask the queue, where there is one.
    """
    try:
        predicate = read_manifest(wanted.bundle).predicate
        rows = read_tasks(wanted.bundle)
        jobs = find_jobs(wanted.folder, predicate["shapes"])
        # the queue first: what it calls ended has written its last line by the time it is read
        queue = ask_queue(jobs.ids) if ask else NOT_ASKED
        scripts = scripts_of(predicate["shapes"])
        state = fold(wanted.folder, rows, check=check, scripts=scripts, go_on=True)
        rules = predicate["on_failure"]
        given_up = frozenset(
            row.task_id for row in rows if is_given_up(row, state.tasks[row.task_id], rules)
        )
        shards = _shards(state, rows, jobs, queue, given_up)
        slots = _slots(state, shards)
    except (Damage, OSError) as damage:
        raise BundleInvalid(str(damage)) from damage
    return RunStatus(
        target=wanted,
        totals=_totals(state, shards),
        checked=check,
        eta_s=time_left_s(state, shards, slots=len(slots)),
        queue=queue,
        shards=shards,
        slots=slots,
        failures=_failures(state.tasks.values()),
        unfinished=tuple(
            task for task in state.tasks.values() if task.state in ("failed", "invalid", "missing")
        ),
        given_up=given_up,
        damage=tuple(str(wrong) for wrongs in state.damage.values() for wrong in wrongs),
        tasks={row.task_id: row for row in rows},
    )


def _shards(
    state: RunState,
    rows: Sequence[TaskRow],
    jobs: Jobs,
    queue: Queue,
    given_up: frozenset[str],
) -> tuple[ShardStatus, ...]:
    tasks: dict[str, list[TaskState]] = defaultdict(list)
    for row in rows:
        if row.shard is not None:
            tasks[row.shard].append(state.tasks[row.task_id])
    launches: dict[str, list[LaunchState]] = defaultdict(list)
    for launch in state.launches:
        launches[launch.folder.shard_id].append(launch)
    return tuple(
        shard_status(
            shard_id,
            tasks[shard_id],
            launches[shard_id],
            jobs.word(state.path, shard_id, launches[shard_id], queue),
            given_up=sum(task.task_id in given_up for task in tasks[shard_id]),
        )
        for shard_id in sorted(tasks)
    )


def _totals(state: RunState, shards: Iterable[ShardStatus]) -> Totals:
    """Add up the tasks; those of launches that died, or may have, are not running."""
    found = totals([state])
    running = sum(shard.running for shard in shards if shard.state == "running")
    unknown = sum(shard.running for shard in shards) - running
    gone = found.running - running - unknown
    return replace(found, running=running, unknown=unknown, missing=found.missing + gone)


def _slots(state: RunState, shards: Iterable[ShardStatus]) -> tuple[SlotStatus, ...]:
    running = {f"{shard.shard_id}/{shard.launch}": shard for shard in shards if shard.launch}
    at_work = {
        (attempt.launch, attempt.slot): (task.task_id, attempt)
        for task in state.tasks.values()
        if task.state == "running"
        for attempt in task.attempts[-1:]
    }
    found = []
    for launch in state.launches:
        shard = running.get(launch.folder.launch)
        if launch.ended is not None or shard is None or shard.state not in ("running", "unknown"):
            continue
        told = read_progress(launch.folder.path)
        gpus = {} if told is None else {int(each["slot"]): each["gpu"] for each in told["slots"]}
        mine = {
            slot: each for (name, slot), each in at_work.items() if name == launch.folder.launch
        }
        # progress.json is written ever more rarely, the journal at once
        for slot in sorted({*gpus, *mine}):
            task_id, attempt = mine.get(slot, (None, None))
            found.append(
                SlotStatus(
                    shard_id=shard.shard_id,
                    launch=shard.launch or "",
                    node=shard.node,
                    slot=slot,
                    gpu=attempt.gpu if attempt else gpus.get(slot),
                    task_id=task_id,
                    attempt=attempt.attempt if attempt else None,
                    since_epoch_ns=attempt.started_epoch_ns if attempt else None,
                )
            )
    return tuple(found)


def _failures(tasks: Iterable[TaskState]) -> tuple[Failures, ...]:
    by_category: dict[str, list[tuple[TaskState, Mapping[str, Json]]]] = defaultdict(list)
    for task in tasks:
        event = task.failure
        if task.state == "failed" and event is not None and not was_stopped(task):
            by_category[event["category"]].append((task, event))
    found = []
    for category, each in by_category.items():
        # by wall clock, since only what is shown depends on it
        task, event = max(each, key=lambda pair: pair[1]["epoch_ns"])
        found.append(
            Failures(
                category=category,
                tasks=len(each),
                task_id=task.task_id,
                message=event["message"],
                suggestion=event["suggestion"],
            )
        )
    return tuple(sorted(found, key=lambda failures: (-failures.tasks, failures.category)))
