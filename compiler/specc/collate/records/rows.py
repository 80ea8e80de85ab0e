"""Read the rows of completed tasks: a small study into memory, a large one into tables on disk.

Only rows inside the segments of completed tasks are read. A row that doesn't fit its types is
located by file and line, and its task is reported as damaged instead of losing the value silently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

import polars as pl

from specc.collate.records.ahead import worked_ahead
from specc.collate.records.batches import Batch, batches_of
from specc.collate.records.cache import Cache, key_of
from specc.collate.records.pieces import Parsed, Parser, Piece, Span, cut
from specc.collate.values import Damage, Part, Records, TaskResult
from specc.model import Json

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
SMALL = 64 << 20
"""Bytes up to which a study is read into memory, and nothing is remembered of its rows."""
Bulk = Mapping[str, Sequence[str]]
_Used = TypeVar("_Used")


def read_rows(
    tasks: Sequence[TaskResult],
    columns: Mapping[str, Any],
    *,
    bulk: Bulk | None = None,
    cache: Cache | None = None,
) -> tuple[tuple[TaskResult, ...], Records, tuple[Damage, ...]]:
    """Return the tasks (damaged ones now invalid), their rows, and the damage.

    columns: the kind's own fields.   bulk: see `TablesRoom.bulk_columns`.
    """
    cache = cache or Cache()
    reader = _Reader(tasks, {**CORE, **columns}, bulk or {}, cache)
    parts = [part for batch in reader.batches for part in reader.read(batch)]
    wrong = reader.wrong
    damage = [_foreign_or_odd(tasks[place], message) for place, message in wrong.items()]
    kept = tuple(
        replace(task, state="invalid", reason=wrong[place], segments=()) if place in wrong else task
        for place, task in enumerate(tasks)
    )
    good = [_without(part, wrong) for part in parts]
    records = Records(parts=(reader.empty(), *good), key=reader.key(wrong), kept=cache)
    return kept, records, tuple(damage)


def _without(part: Part, wrong: Mapping[int, str]) -> Part:
    """Leave out all rows of tasks of which some rows can't be read."""
    held = part.tasks & wrong.keys()
    if not held:
        return part
    frame = part.frame.filter(~pl.col("task").is_in(sorted(held)))
    return replace(part, frame=frame, tasks=part.tasks - held)


def _foreign_or_odd(task: TaskResult, message: str) -> Damage:
    place, _, text = message.partition(": ")
    file, _, line = place.partition(":")
    return Damage(
        file=file,
        line=int(line) if line else None,
        message=text,
        consequence=f"task {task.task_id} counts as invalid",
    )


class _Reader:
    """Reads batches; what is wrong is noted in `wrong`, by the place of the task."""

    def __init__(
        self, tasks: Sequence[TaskResult], schema: Mapping[str, Any], bulk: Bulk, cache: Cache
    ) -> None:
        self._tasks = tasks
        self._schema = dict(schema)
        self._bulk = bulk
        self._cache = cache
        self.wrong: dict[int, str] = {}
        self.batches = batches_of(tasks, self.wrong)
        self._done, self._total = 0, sum(batch.bytes for batch in self.batches)

    def empty(self) -> Part:
        """Return no rows, but all columns."""
        frame = pl.LazyFrame(schema={**self._schema, "task": pl.Int64()})
        return Part(frame=frame, tasks=frozenset(), rows=0)

    def key(self, wrong: Mapping[int, str]) -> str:
        """Return a name for the rows that are read; see `Records`."""
        if self._total <= SMALL:
            return ""
        said = [
            (place, task.task_id, [vars(segment) for segment in task.segments], task.beside)
            for place, task in enumerate(self._tasks)
            if task.state == "completed" and place not in wrong
        ]
        return key_of([(name, str(type_)) for name, type_ in self._schema.items()], said)

    def read(self, batch: Batch) -> list[Part]:
        """Return the rows of a batch."""
        if self._total > SMALL and batch.bytes > SMALL // 8:
            return self._remembered(batch)
        wrong: dict[int, str] = {}
        frames = list(self._parse(batch, {}, wrong, lambda _, parsed: parsed.rest))
        self._note(batch, wrong)
        if not frames:
            return []
        places = pl.Series([one.place for one in batch.stretches], dtype=pl.Int64)
        frame = pl.concat(frames, how="vertical")
        frame = frame.with_columns(places.gather(frame["segment"]).alias("task")).drop("segment")
        # tasks in the order of the matrix, the rows of each in theirs
        frame = frame.sort("task", maintain_order=True)
        present = frozenset(frame["task"].unique().to_list())
        table = self._with_later_neighbours(frame.lazy(), present)
        return [Part(frame=table, tasks=present, rows=frame.height)]

    def _parse(
        self, batch: Batch, bulk: Bulk, wrong: dict[int, str], use: Callable[[int, Parsed], _Used]
    ) -> Iterator[_Used]:
        """Yield what `use` makes of the rows of each piece; some pieces are parsed at a time.

        use: called with the number of the piece, in several threads.
        """
        segments = [(one.segment, one.task_id) for one in batch.stretches]
        parser = Parser(batch.run, segments, self._schema, bulk)
        rows = [0] * len(segments)

        def work(numbered: tuple[int, Piece]) -> tuple[Sequence[Span], dict[int, str], _Used]:
            number, piece = numbered
            parsed = parser.parse(piece)
            return piece.spans, parsed.wrong, use(number, parsed)

        pieces = enumerate(cut(batch.run, [segment for segment, _ in segments]))
        for spans, found, used in worked_ahead(work, pieces):
            wrong.update(found)
            for span in spans:
                rows[span.number] += span.rows
                self._done += span.bytes
            done, total = self._done / 1e9, self._total / 1e9
            self._cache.progress(f"reading rows: {done:.1f} of {total:.1f} GB")
            yield used
        for number, (segment, _) in enumerate(segments):
            if rows[number] != segment.rows:
                at = f"{segment.launch}/{segment.file}"
                wrong.setdefault(number, f"{at}: holds {rows[number]} rows, not {segment.rows}")

    def _remembered(self, batch: Batch) -> list[Part]:
        """Return the rows of a batch from the cache; without it, put them there first."""
        key = key_of(
            [(name, str(type_)) for name, type_ in self._schema.items()],
            {name: list(columns) for name, columns in self._bulk.items()},
            [(one.task_id, vars(one.segment)) for one in batch.stretches],
        )
        found = self._cache.find(key)
        if found is None:
            part = self._cache.begin(key)
            index = self._write(batch, part)
            folder = self._cache.finish(key, part, index)
        else:
            folder, index = found
            self._done += batch.bytes
        self._note(batch, {int(number): text for number, text in index["wrong"].items()})
        return [self._scan(batch, folder, one) for one in index["parts"]]

    def _write(self, batch: Batch, folder: Path) -> dict[str, Json]:
        def write(number: int, parsed: Parsed) -> list[Json]:
            parts: list[Json] = []
            for type_, frame in ((None, parsed.rest), *parsed.bulk.items()):
                if not frame.is_empty():
                    name = f"{number:05d}-{type_ or 'rest'}.parquet"
                    alike = _alike(frame)
                    present = frame["segment"].head(1 if "segment" in alike else frame.height)
                    segments = present.unique(maintain_order=True).to_list()
                    frame.drop(alike).write_parquet(
                        folder / name, compression="uncompressed", statistics=False
                    )
                    said = {"type": type_, "rows": frame.height, "segments": segments}
                    parts.append({"file": name, **said, "alike": alike})
            return parts

        wrong: dict[int, str] = {}
        parts = [one for each in self._parse(batch, self._bulk, wrong, write) for one in each]
        return {"parts": parts, "wrong": {str(number): text for number, text in wrong.items()}}

    def _scan(self, batch: Batch, folder: Path, said: Mapping[str, Json]) -> Part:
        """Return a table of the cache with all columns and the places of its tasks."""
        segments = [int(number) for number in said["segments"]]
        owners = [batch.stretches[number] for number in segments]
        frame = pl.scan_parquet(folder / said["file"])
        known: dict[str, pl.Expr] = {
            name: pl.lit(value, dtype=self._schema[name])
            for name, value in said["alike"].items()
            if name in self._schema
        }
        known["task"] = _told(segments, [one.place for one in owners])
        if said["type"] is not None:
            own = {"type", "task_id", *self._bulk[said["type"]]}
            known["type"] = pl.lit(said["type"])
            known["task_id"] = _told(segments, [one.task_id for one in owners])
            for name, type_ in self._schema.items():
                if name not in own:
                    known[name] = pl.lit(None, dtype=type_)
        frame = frame.with_columns(**known).select(*self._schema, "task")
        tasks = frozenset(one.place for one in owners)
        if said["type"] is None:
            frame = self._with_later_neighbours(frame, tasks)
        return Part(frame=frame, tasks=tasks, rows=int(said["rows"]))

    def _note(self, batch: Batch, wrong: Mapping[int, str]) -> None:
        for number, text in wrong.items():
            self.wrong.setdefault(batch.stretches[number].place, text)

    def _with_later_neighbours(self, rows: pl.LazyFrame, present: frozenset[int]) -> pl.LazyFrame:
        """Add to the neighbours of attempts those that came after their start, by the journal."""
        beside = {place: list(found) for place in present if (found := self._tasks[place].beside)}
        if not beside:
            return rows
        told = pl.LazyFrame(
            {"task": list(beside), "_beside": list(beside.values())},
            schema={"task": pl.Int64(), "_beside": pl.List(pl.String())},
        )
        joined = rows.join(told, on="task", how="left", maintain_order="left")
        both = pl.col("neighbours").list.set_union("_beside")
        attempts = (pl.col("type") == "attempt") & pl.col("_beside").is_not_null()
        return joined.with_columns(
            pl.when(attempts).then(both).otherwise("neighbours").alias("neighbours")
        ).drop("_beside")


def _alike(frame: pl.DataFrame) -> dict[str, int | None]:
    """Return the columns of which all rows have the same number or none; one at least is left."""
    found: dict[str, int | None] = {}
    for column in frame:
        if column.null_count() == frame.height:
            found[column.name] = None
        elif column.dtype == pl.Int64 and not column.has_nulls() and column.min() == column.max():
            found[column.name] = cast(int, column[0])
    if len(found) == frame.width:
        found.popitem()
    return found


def _told(segments: Sequence[int], values: Sequence[Any]) -> pl.Expr:
    """Return the value of each row's segment."""
    if len(set(values)) == 1:
        return pl.lit(values[0], dtype=pl.Int64() if isinstance(values[0], int) else pl.String())
    return pl.col("segment").replace_strict(segments, values)
