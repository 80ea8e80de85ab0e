"""Tell whether work that was done twice gave the same values. The first completion counts.

Reads the rows of such tasks once more, with those of their further completions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import polars as pl

from specc.collate.finding.read import Found
from specc.collate.records.rows import read_rows
from specc.collate.values import Damage, TaskResult
from specc.kinds.base import TablesRoom
from specc_runtime.contract.runs import AttemptState

_SHOWN = 3
"""So many metrics are named for each task."""


def compare_duplicates(
    tasks: Sequence[TaskResult], found: Found, room: TablesRoom
) -> tuple[tuple[TaskResult, ...], tuple[Damage, ...]]:
    """Return the tasks, their duplicates told with what differs, and one problem for each run."""
    doubled = {place: task for place, task in enumerate(tasks) if task.duplicates}
    if not doubled:
        return tuple(tasks), ()
    again = _attempts(found)
    groups = {place: [task, *_further(task, again)] for place, task in doubled.items()}
    values = _values([one for group in groups.values() for one in group], room)
    told = list(tasks)
    differing: dict[tuple[str, str], list[str]] = defaultdict(list)
    first = 0
    for place, group in groups.items():
        texts = [_different(values[first], values[first + at]) for at in range(1, len(group))]
        first += len(group)
        # of a task whose first completion is damaged, some are not among its duplicates
        named = [
            name if text is None else f"{name} ({text})"
            for name, text in zip(tasks[place].duplicates, texts, strict=False)
        ]
        told[place] = replace(tasks[place], duplicates=tuple(named))
        for one, text in zip(group[1:], texts, strict=True):
            if text is not None:
                differing[one.bundle_id, one.run_id].append(f"task {one.task_id}: {text}")
    return tuple(told), tuple(_problem(run, texts) for run, texts in differing.items())


def _problem(run: tuple[str, str], texts: Sequence[str]) -> Damage:
    more = f"; and {len(texts) - 1} more" if len(texts) > 1 else ""
    return Damage(
        file=run[1],
        line=None,
        message=f"{run[0]} completed work again with other values: {texts[0]}{more}",
        consequence="the first completion counts; see the duplicates, and find out what changed",
    )


_Again = Mapping[tuple[str | None, str], Sequence[AttemptState]]


def _attempts(found: Found) -> _Again:
    """Return the further completions within each run, by its folder and the task."""
    return {
        (run.path, task_id): task.duplicates
        for run in found.runs
        for task_id, task in run.tasks.items()
        if task.duplicates
    }


def _further(task: TaskResult, again: _Again) -> Iterator[TaskResult]:
    """Yield the other completions of a task, in the order of its `duplicates`."""
    for one in again.get((task.run_path, task.task_id), ()):
        yield replace(
            task,
            launch=one.launch,
            attempt=one.attempt,
            segments=one.segments,
            duplicates=(),
            others=(),
        )
    for other in task.others:
        yield replace(other, duplicates=(), others=())
        yield from _further(replace(other, others=()), again)


def _values(tasks: Sequence[TaskResult], room: TablesRoom) -> list[dict[str, float | None]]:
    """Return the run-level values of each completion, by metric; none where rows are damaged."""
    kept, records, _ = read_rows(tasks, room.record_columns(), bulk=room.bulk_columns())
    frames = room.frames(records.all())
    values: list[dict[str, float | None]] = [{} for _ in kept]
    for one in room.measurements(frames):
        values[one.task][one.metric] = one.value
    # a run with several values counts with their median
    for metric, samples in room.samples(frames).items():
        medians = samples.group_by("task").agg(pl.col("value").median()).collect()
        for task, value in medians.iter_rows():
            values[task][metric] = value
    return values


def _different(first: Mapping[str, float | None], again: Mapping[str, float | None]) -> str | None:
    """Say which values differ: "time_s 2 instead of 1"; None when all are the same."""
    if not first or not again:
        return "its rows can't be read" if first else None
    names: Iterable[str] = dict.fromkeys((*first, *again))
    found = [
        f"{name} {_text(again.get(name))} instead of {_text(first.get(name))}"
        for name in names
        if first.get(name) != again.get(name)
    ]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"{', '.join(found[:_SHOWN])}{more}" if found else None


def _text(value: float | None) -> str:
    return "no value" if value is None else f"{value:.9g}"
