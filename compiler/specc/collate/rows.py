"""Read the rows of completed tasks into one polars frame, with every column's type stated.

Only rows inside the segments of completed tasks are read. A row that doesn't fit its types is
located by file and line, and its task is reported as damaged instead of losing the value silently.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from specc.collate.values import Damage, TaskResult
from specc_runtime.contract.segments import Segment

CORE: Mapping[str, Any] = {
    "type": pl.String(),
    "task_id": pl.String(),
    "attempt": pl.Int64(),
    "t_ns": pl.Int64(),
    "epoch_ns": pl.Int64(),
    "pid": pl.Int64(),
    "slot": pl.Int64(),
    "neighbours": pl.List(pl.String()),
    "rank": pl.Int64(),
    "phase": pl.String(),
    "local_rank": pl.Int64(),
    "node_rank": pl.Int64(),
    "world_size": pl.Int64(),
    "node": pl.String(),
    "host": pl.String(),
    "gpu": pl.String(),
    "launcher": pl.String(),
    "emulated": pl.Boolean(),
    "clock_offset_ns": pl.Int64(),
    "clock_epoch_offset_ns": pl.Int64(),
    "clock_uncertainty_ns": pl.Int64(),
}
"""Fields of every record, of the `attempt` record that opens each attempt, and of the `rank`
records of a task that is wider than a process."""


def read_rows(
    tasks: Sequence[TaskResult], columns: Mapping[str, Any]
) -> tuple[tuple[TaskResult, ...], pl.DataFrame, tuple[Damage, ...]]:
    """Return the tasks (damaged ones now invalid), their rows, and the damage.

    columns: the kind's own fields.   Frame: CORE and `columns`, plus `task`, a place in `tasks`.
    """
    schema = {**CORE, **columns}
    wrong: dict[int, str] = {}
    frames = [pl.DataFrame(schema={**schema, "task": pl.Int64()})]
    by_run: dict[str, list[int]] = defaultdict(list)
    for place, task in enumerate(tasks):
        if task.state == "completed" and task.run_path is not None:
            by_run[task.run_path].append(place)
    for run, places in by_run.items():
        stretches = _stretches(run, [(place, tasks[place]) for place in places], wrong)
        frames.append(_parse_all(run, stretches, tasks, schema, wrong))
    damage = [_foreign_or_odd(tasks[place], message) for place, message in wrong.items()]
    kept = tuple(
        replace(task, state="invalid", reason=wrong[place], segments=()) if place in wrong else task
        for place, task in enumerate(tasks)
    )
    rows = _with_later_neighbours(pl.concat(frames, how="vertical", rechunk=True), tasks)
    return kept, rows.filter(~pl.col("task").is_in(list(wrong))), tuple(damage)


def _with_later_neighbours(rows: pl.DataFrame, tasks: Sequence[TaskResult]) -> pl.DataFrame:
    """Add to the neighbours of each attempt those that came after its start: the journal's part."""
    beside = {place: list(task.beside) for place, task in enumerate(tasks) if task.beside}
    if not beside:
        return rows
    told = pl.DataFrame(
        {"task": list(beside), "_beside": list(beside.values())},
        schema={"task": pl.Int64(), "_beside": pl.List(pl.String())},
    )
    joined = rows.join(told, on="task", how="left", maintain_order="left")
    both = pl.col("neighbours").list.set_union("_beside")
    attempts = (pl.col("type") == "attempt") & pl.col("_beside").is_not_null()
    return joined.with_columns(
        pl.when(attempts).then(both).otherwise("neighbours").alias("neighbours")
    ).drop("_beside")


def _foreign_or_odd(task: TaskResult, message: str) -> Damage:
    place, _, text = message.partition(": ")
    file, _, line = place.partition(":")
    return Damage(
        file=file,
        line=int(line) if line else None,
        message=text,
        consequence=f"task {task.task_id} counts as invalid",
    )


def _stretches(
    run: str, tasks: Iterable[tuple[int, TaskResult]], wrong: dict[int, str]
) -> list[tuple[int, Segment, bytes]]:
    """Read all segments of a run, opening each file once; their hashes were checked by `fold`."""
    by_file: dict[str, list[tuple[int, Segment]]] = defaultdict(list)
    for place, task in tasks:
        for segment in task.segments:
            by_file[segment.path(run)].append((place, segment))
    found = []
    for path, wanted in by_file.items():
        end = 0
        with Path(path).open("rb") as file:
            for place, segment in sorted(wanted, key=lambda one: one[1].offset):
                if segment.offset < end:
                    at = f"{segment.launch}/{segment.file}"
                    wrong[place] = f"{at}: two segments overlap at byte {segment.offset}"
                    continue
                end = segment.offset + segment.bytes
                file.seek(segment.offset)
                found.append((place, segment, file.read(segment.bytes)))
    return sorted(found, key=lambda one: one[0])


def _parse_all(
    run: str,
    stretches: Sequence[tuple[int, Segment, bytes]],
    tasks: Sequence[TaskResult],
    schema: Mapping[str, Any],
    wrong: dict[int, str],
) -> pl.DataFrame:
    """Parse all rows of a run at once; when that fails, find the stretches that don't fit."""
    try:
        frame = _parse_exactly(stretches, schema)
    except pl.exceptions.PolarsError:
        good = []
        for place, segment, data in stretches:
            if (complaint := _complaint(run, segment, data, schema)) is None:
                good.append((place, segment, data))
            else:
                wrong[place] = complaint
        stretches = good
        frame = _parse_exactly(stretches, schema)
    owner = pl.DataFrame(
        {
            "task": [place for place, segment, _ in stretches for _ in range(segment.rows)],
            "_id": [tasks[p].task_id for p, segment, _ in stretches for _ in range(segment.rows)],
        },
        schema={"task": pl.Int64(), "_id": pl.String()},
    )
    joined = pl.concat([frame, owner], how="horizontal")
    strange = joined.filter(pl.col("task_id").ne_missing(pl.col("_id")))
    for place, task_id in strange.select("task", "task_id").unique("task").iter_rows():
        wrong[place] = f"{tasks[place].launch}: its segments hold rows of task {task_id}"
    return joined.drop("_id")


def _parse(data: bytes, schema: Mapping[str, Any]) -> pl.DataFrame:
    if not data:
        return pl.DataFrame(schema=dict(schema))
    return pl.read_ndjson(io.BytesIO(data), schema=dict(schema))


def _parse_exactly(
    stretches: Sequence[tuple[int, Segment, bytes]], schema: Mapping[str, Any]
) -> pl.DataFrame:
    frame = _parse(b"".join(data for _, _, data in stretches), schema)
    # polars skips blank lines, and every row must keep its owner
    if frame.height != sum(segment.rows for _, segment, _ in stretches):
        raise pl.exceptions.ComputeError("a line is no record")
    return frame


def _complaint(run: str, segment: Segment, data: bytes, schema: Mapping[str, Any]) -> str | None:
    """Return which line of which file doesn't fit and why; None when all do."""
    for number, line in enumerate(data.splitlines(keepends=True), start=1):
        try:
            text = None if _parse(line, schema).height == 1 else "a line is no record"
        except pl.exceptions.PolarsError as error:
            text = str(error).strip().splitlines()[0]
        if text is not None:
            before = Path(segment.path(run)).read_bytes()[: segment.offset].count(b"\n")
            return f"{segment.launch}/{segment.file}:{before + number}: {text}"
    return None
