"""The values that pass through collate: what was expected, what came back, what is damaged.

Frozen, and free of any kind of experiment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from specc.model import Json
from specc.problems import BundleInvalid
from specc_runtime.contract.segments import Segment
from specc_runtime.contract.tasks import TaskRow

State = Literal["completed", "failed", "not_run", "missing", "invalid"]
STATES: tuple[State, ...] = ("completed", "failed", "not_run", "missing", "invalid")


class ResultsInvalid(BundleInvalid):
    """Nothing that collate can read stands at the given paths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """Something that is not what the contract says. Its rows are left out, and it is told."""

    file: str
    line: int | None
    """Counted from 1; None when the whole file or a stretch of it is meant."""
    message: str
    consequence: str
    """What is missing from the numbers because of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One bundle, as far as it is known."""

    bundle_id: str
    path: Path
    manifest: Mapping[str, Json]
    """The predicate of manifest.json."""
    manifest_sha256: str
    spec_sha256: str | None
    """Hash of the bundle's spec.resolved.yaml; None when the bundle has none."""
    compile_info: Mapping[str, Json]
    """compile.json; empty when it is not there. Not hashed, for display only."""
    tasks: tuple[TaskRow, ...]
    """Lines of tasks.jsonl, in matrix order."""
    parent: str | None
    """The bundle of which this one reruns a part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResult:
    """One task of one series and what became of it."""

    task_id: str
    lineage: str
    """Bundle id of the first bundle of the line that reruns continue."""
    bundle_id: str
    """The bundle whose run this is about."""
    run_id: str
    """Empty when the bundle has not been run yet."""
    condition_id: str | None
    """None for a task that was never given a place to run."""
    axes: Mapping[str, Json]
    repetition: int
    settings: Mapping[str, Json]
    state: State
    reason: str | None
    """Why it has no result; None when it was completed."""
    attempt: int | None
    """The attempt whose rows count; the last one when none was completed."""
    attempts: int
    launch: str | None
    """`<shard_id>/<launch>` of that attempt."""
    gpu: str | None
    """Its entry of CUDA_VISIBLE_DEVICES; None without a GPU."""
    duration_s: float | None
    failure: Mapping[str, Json] | None
    """The last task_failed event; None unless the task failed."""
    run_path: str | None
    """Folder of the run its rows stand in; None without a result."""
    segments: tuple[Segment, ...]
    """Where its rows stand; empty unless completed."""
    beside: tuple[str, ...] = ()
    """Tasks that ran at the same time as the attempt shown."""
    duplicates: tuple[str, ...] = ()
    """Further completions of the same work, not counted: "<bundle> <run> <launch> attempt n"."""
    others: tuple[TaskResult, ...] = ()
    """The same in later bundles of the line; the first counts if this one's rows are damaged."""
    cure: Mapping[str, Json] | None = None
    """What `on_failure` had changed for the attempt shown: {"task.memory": [old, new], "category",
    "condition_id"}; None when nothing."""
    replicates: tuple[str, ...] = ()
    """Those of its axes whose values are repetitions of its point; `repetition` counts them in."""

    @property
    def point(self) -> Mapping[str, Json]:
        """Its axes without those that only repeat the measurement."""
        if not self.replicates:
            return self.axes
        return {name: at for name, at in self.axes.items() if name not in self.replicates}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some rows of a study: in memory, or in a file that is read when it is asked for."""

    make: Callable[[], pl.LazyFrame]
    """Makes `frame`, anew each time: polars keeps what it learns of a file with the frame."""
    tasks: frozenset[int]
    """Places of the tasks whose rows these are."""
    rows: int

    @property
    def frame(self) -> pl.LazyFrame:
        """All columns of the kind's records and `task`."""
        return self.make()


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Every row of every completed task. A task's rows are in their order."""

    parts: tuple[Part, ...]
    key: str
    """Another one when other rows are read; empty for a study that is read into memory."""
    kept: object
    """What holds the files of the parts; they may go with it."""

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(part.rows for part in self.parts)

    @property
    def longest(self) -> float:
        """Return how many rows the longest run has; parts of several runs count evenly."""
        rows: dict[int, float] = {}
        for part in self.parts:
            for task in part.tasks:
                rows[task] = rows.get(task, 0.0) + part.rows / len(part.tasks)
        return max(rows.values(), default=0.0)

    def all(self) -> pl.LazyFrame:
        """Return all rows as one frame."""
        return _one(self.parts)

    def batches(self, limit: int, tasks: AbstractSet[int] | None = None) -> Iterator[pl.LazyFrame]:
        """Yield the rows of some tasks at a time: all of them, and about `limit` rows.

        tasks: the places of those that are wanted; None for all.
        """
        parts: dict[int, list[Part]] = {}
        for part in self.parts:
            for task in part.tasks if tasks is None else part.tasks & tasks:
                parts.setdefault(task, []).append(part)
        batch: set[int] = set()
        rows = 0.0
        for task, held in parts.items():
            # a part is as much the one's of its tasks as the other's
            more = sum(part.rows / len(part.tasks) for part in held)
            if batch and rows + more > limit:
                yield _of(self.parts, batch)
                batch, rows = set(), 0.0
            batch.add(task)
            rows += more
        if batch:
            yield _of(self.parts, batch)


def _of(parts: Iterable[Part], tasks: AbstractSet[int]) -> pl.LazyFrame:
    """Return the rows of these tasks."""
    mine = [part for part in parts if part.tasks & tasks]
    rows = _one(mine)
    strange = frozenset[int]().union(*(part.tasks for part in mine)) - tasks
    return rows.filter(pl.col("task").is_in(sorted(tasks))) if strange else rows


def _one(parts: Sequence[Part]) -> pl.LazyFrame:
    frames = [part.frame for part in parts]
    return frames[0] if len(frames) == 1 else pl.concat(frames, how="vertical")


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """All that was found at the given paths."""

    kind: str
    sources: tuple[Source, ...]
    tasks: tuple[TaskResult, ...]
    """In matrix order within each series. Frames name a task by its place here."""
    records: Records
    """Every row of every completed task, with its `task`; columns as the kind's room says."""
    attempts: pl.DataFrame
    """One row for each attempt of each task, in every bundle and run; see `attempts`."""
    launches: tuple[Mapping[str, Json], ...]
    """The launch.json of every launch, with the `path` of its run's folder."""
    damage: tuple[Damage, ...]
    torn_lines: int
    """Last lines cut off by a crash: expected, never data."""
    torn_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Collated:
    """What collate wrote."""

    out: Path
    summary: Mapping[str, Json]
    paths: tuple[Path, ...]
    """Every file written, SHA256SUMS last."""
    completeness: Mapping[str, Json]
