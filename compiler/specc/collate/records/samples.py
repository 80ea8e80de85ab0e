"""Describe the single values behind metrics: exactly, for each run and for each cell.

One run's values at a time become a numpy array. Values are sorted once, and percentiles of a cell
are read from its runs' sorted values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from specc.analysis.dependence import effective_samples
from specc.analysis.order_statistics import within_run
from specc.analysis.outliers import count_outliers
from specc.analysis.percentiles import describe, percentile
from specc.analysis.sorted_runs import count_outliers_of_runs, describe_runs
from specc.analysis.steadiness import Steadiness, examine
from specc.collate.records.ahead import THREADS, worked_ahead
from specc.collate.records.kept import Kept
from specc.kinds.base import Measurement

Values = NDArray[np.float64]
_Key = tuple[int, str]
_TOGETHER = 500_000
"""More values are not put together into one array."""
LARGEST = 1e140
"""Squares of larger numbers leave no finite float."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSamples:
    """What the values of one run of one metric look like, in the metric's unit."""

    n: int
    effective_n: float
    """Independent values they are worth; n when they have no order in time."""
    median: float
    avg: float
    min: float
    max: float
    percentiles: Mapping[str, float | None]
    """"p50", "p90", …; None when the run is too small for that percentile."""
    refused: Mapping[str, str]
    """Why each missing percentile is missing."""
    steadiness: Steadiness | None
    """Whether the run stood still; None when its values have no order in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSamples:
    """The same of all runs of a cell together; percentiles are never averaged."""

    n: int
    effective_n: float
    avg: float | None
    min: float | None
    max: float | None
    percentiles: Mapping[str, float | None]
    refused: Mapping[str, str]
    outliers: int
    """Values far from the bulk; flagged, never dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What is known of samples without the samples themselves; grows while it is asked."""

    runs: dict[_Key, RunSamples] = field(default_factory=dict)
    beyond: set[_Key] = field(default_factory=set)
    """Runs with a value that can't be reckoned with."""
    pooled: dict[tuple[tuple[int, ...], str], CellSamples] = field(default_factory=dict)
    """By (tasks, metric)."""
    within: dict[tuple[int, str, float], tuple[float, float] | None] = field(default_factory=dict)
    """By (task, metric, percent): bounds of a percentile within a run."""


Read = Callable[[int], Iterable[Mapping[str, pl.LazyFrame]]]
"""From a task to batches with the samples of it, and of all that are asked for with it."""


class Sampled:
    """The samples of a study, by task and metric."""

    def __init__(self, known: Described | None = None, read: Read = lambda _: ()) -> None:
        """known: what needs no reading.   read: gives samples when they are needed after all."""
        self.known = known or Described()
        self._read = read
        self._ordered: dict[_Key, Values] = {}
        self._kept = Kept()

    def take(
        self, batches: Iterable[Mapping[str, pl.LazyFrame]], *, threads: int = THREADS
    ) -> None:
        """Describe the samples of these runs, so many batches at a time.

        batches: each holds all samples of its tasks.
        """
        for each in worked_ahead(_described_batch, batches, threads=threads):
            for metric, task, found in each:
                if found is None:
                    self.known.beyond.add((task, metric))
                else:
                    self.known.runs[task, metric] = found[0]
                    self._ordered[task, metric] = self._kept.keep(found[1])

    def _values(self, task: int, metric: str) -> Values:
        """Return the values of a run in order; of a run that is only remembered, read again."""
        if (task, metric) not in self._ordered:
            self.take(self._read(task))
        return self._ordered[task, metric]

    def run(self, task: int, metric: str) -> RunSamples | None:
        """Return what one run's values look like; None when it has no samples."""
        return self.known.runs.get((task, metric))

    def settled(self, one: Measurement) -> Measurement:
        """Return a measurement with its value: the median of its samples where it has none."""
        if one.value is not None or one.reason is not None:
            return one
        if (one.task, one.metric) in self.known.beyond:
            return replace(one, reason=f"a number beyond {LARGEST:g} can't be averaged")
        found = self.run(one.task, one.metric)
        if found is None:
            return replace(one, reason="the records of this point do not carry it")
        return replace(one, value=found.median)

    def within_run(self, task: int, metric: str, percent: float) -> tuple[float, float] | None:
        """Return bounds of a percentile within one run, see `order_statistics.within_run`."""
        found = self.run(task, metric)
        if found is None:
            return None
        key = (task, metric, percent)
        if key not in self.known.within:
            bounds = within_run(self._values(task, metric), percent, effective_n=found.effective_n)
            self.known.within[key] = bounds
        return self.known.within[key]

    def pooled(self, tasks: Sequence[int], metric: str) -> CellSamples | None:
        """Return what the values of several runs look like together; None without samples."""
        here = tuple(task for task in tasks if (task, metric) in self.known.runs)
        if not here:
            return None
        if (here, metric) not in self.known.pooled:
            self.known.pooled[here, metric] = self._pooled(here, metric)
        return self.known.pooled[here, metric]

    def _pooled(self, tasks: Sequence[int], metric: str) -> CellSamples:
        runs = [self._values(task, metric) for task in tasks]
        worth = sum(self.known.runs[task, metric].effective_n for task in tasks)
        if sum(map(len, runs)) > _TOGETHER:
            found, outliers = describe_runs(runs, effective_n=worth), count_outliers_of_runs(runs)
        else:
            values = np.concatenate(runs)
            found, outliers = describe(values, effective_n=worth), count_outliers(values)
        for run in runs:
            self._kept.let_go(run)
        return CellSamples(
            n=found.n,
            effective_n=worth,
            avg=found.avg,
            min=found.min,
            max=found.max,
            percentiles=found.percentiles,
            refused=found.refused,
            outliers=outliers,
        )


def sampled(batches: Iterable[Mapping[str, pl.LazyFrame]]) -> Sampled:
    """Describe the samples of every run.

    batches: of `TablesRoom.samples`; each holds all samples of its tasks.
    """
    found = Sampled()
    found.take(batches)
    return found


def _described_batch(
    samples: Mapping[str, pl.LazyFrame],
) -> list[tuple[str, int, tuple[RunSamples, Values] | None]]:
    """Return metric, task, what the run's values look like, and the values in order."""
    # together, so that what they share is read once
    tables = zip(samples, pl.collect_all(list(samples.values())), strict=True)
    return [
        (metric, task, _described(values, sequence))
        for metric, table in tables
        for task, values, sequence in _by_task(table)
    ]


def _described(values: Values, sequence: Values | None) -> tuple[RunSamples, Values] | None:
    if not _reckonable(values) or not (sequence is None or _reckonable(sequence)):
        return None
    ordered = np.sort(values)
    return _of_run(ordered, sequence), ordered


def _reckonable(values: Values) -> bool:
    # neither is nan
    return bool(np.min(values) > -LARGEST and np.max(values) < LARGEST)


def _by_task(table: pl.DataFrame) -> Iterator[tuple[int, Values, Values | None]]:
    tasks = table["task"]
    alone = tasks.min() == tasks.max()
    groups = [table] if alone else table.partition_by("task", maintain_order=True)
    for group in groups:
        if group.height:
            values = group["value"].cast(pl.Float64).to_numpy()
            sequence = group["sequence"].to_numpy() if "sequence" in group.columns else None
            yield int(group["task"][0]), values, sequence


def _of_run(ordered: Values, sequence: Values | None) -> RunSamples:
    worth = float(len(ordered)) if sequence is None else effective_samples(sequence)
    found = describe(ordered, effective_n=worth, ordered=True)
    return RunSamples(
        n=found.n,
        effective_n=worth,
        median=percentile(ordered, 50),
        avg=cast(float, found.avg),
        min=cast(float, found.min),
        max=cast(float, found.max),
        percentiles=found.percentiles,
        refused=found.refused,
        steadiness=None if sequence is None else examine(sequence),
    )
