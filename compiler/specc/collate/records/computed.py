"""Keep what was computed of a long study in its cache, so that the next collate computes nothing.

Numbers are named by the hashes of the rows that they come from and by a hash of the code that
makes them, so that other rows or another definition never meet an old number. Cells are named one
by one: what changed in one of them costs the others nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import polars as pl

import specc.analysis
import specc.kinds
from specc.analysis.steadiness import Steadiness
from specc.collate.records import samples
from specc.collate.records.ahead import THREADS, worked_ahead
from specc.collate.records.cache import Cache, key_of
from specc.collate.records.samples import CellSamples, Described, RunSamples, Sampled
from specc.collate.values import Study
from specc.kinds.base import Measurement, Metric, TablesRoom, Window
from specc.model import Json

BATCH_ROWS = 1_000_000
"""Rows that are in memory at a time, but for those of a longer run: they are whole."""
LONG_ROWS = 2 * BATCH_ROWS
"""Rows of a run from which on it is read alone."""
_MEMORY = "computed"
_Made = TypeVar("_Made")


class Computed:
    """Stands for the room of a kind's tables, and remembers what that computes of long studies."""

    def __init__(self, room: TablesRoom, study: Study, cache: Cache) -> None:
        self._room = room
        self._study = study
        self._cache = cache
        self._worth = study.records.key != ""
        # a run that is longer than a batch is in memory as a whole, and no other beside it
        self._threads = 1 if study.records.longest > LONG_ROWS else THREADS
        self._code = code_of(room) if self._worth else ""
        self._known: dict[str, Json] = {}
        if self._worth and not cache.rehash:
            self._known = cache.remembered(_MEMORY)
        self._now: dict[str, Json] = {}
        self._cells: dict[str, Sequence[int]] = {}
        self._sampled: Sampled | None = None
        self.record_columns = room.record_columns
        self.bulk_columns = room.bulk_columns
        self.frames = room.frames
        self.samples = room.samples
        self.result_cell = room.result_cell

    def metrics(
        self, settings: Sequence[Mapping[str, Json]], frames: Mapping[str, pl.LazyFrame]
    ) -> tuple[Metric, ...]:
        """See `TablesRoom.metrics`."""

        def make() -> Json:
            return [asdict(one) for one in self._room.metrics(settings, frames)]

        if not self._worth:
            return self._room.metrics(settings, frames)
        return tuple(Metric(**one) for one in self._plain("metrics", make, settings))

    def measurements(self, frames: Mapping[str, pl.LazyFrame]) -> Iterator[Measurement]:
        """See `TablesRoom.measurements`."""

        def make() -> Json:
            # polars holds more rows at a time, the more there are
            def measured(part: pl.LazyFrame) -> list[Json]:
                return [asdict(one) for one in self._room.measurements(self._room.frames(part))]

            return [one for each in self._each(measured) for one in each]

        if not self._worth:
            yield from self._room.measurements(frames)
            return
        for one in self._plain("measurements", make):
            said = tuple((verdict, reason) for verdict, reason in one["warnings"])
            yield Measurement(**{**one, "warnings": said})

    def windows(self, frames: Mapping[str, pl.LazyFrame]) -> Iterator[Window]:
        """See `TablesRoom.windows`."""

        def make() -> Json:
            return [asdict(one) for one in self._room.windows(frames)]

        if not self._worth:
            yield from self._room.windows(frames)
            return
        yield from (Window(**one) for one in self._plain("windows", make))

    def details(
        self,
        cells: Sequence[Mapping[str, Json]],
        members: Mapping[str, Sequence[int]],
        frames: Mapping[str, pl.LazyFrame],
        analysis: Mapping[str, Json],
    ) -> dict[str, dict[str, Json]]:
        """See `TablesRoom.details`."""

        def make() -> dict[str, dict[str, Json]]:
            return self._room.details(cells, members, {**frames, **self._tallies()}, analysis)

        if not self._worth:
            return make()
        found = self._plain("details", make, cells, members, analysis)
        return cast("dict[str, dict[str, Json]]", found)

    def across(
        self,
        cells: Sequence[Mapping[str, Json]],
        members: Mapping[str, Sequence[int]],
        frames: Mapping[str, pl.LazyFrame],
    ) -> dict[str, Json] | None:
        """See `StudyRoom.across`; None for a kind that reckons nothing over all cells."""
        across = getattr(self._room, "across", None)
        if across is None:
            return None

        def make() -> Json:
            return across(cells, members, frames)

        found = self._plain("across", make, cells, members) if self._worth else make()
        return cast("dict[str, Json]", found)

    def _tallies(self) -> dict[str, pl.LazyFrame]:
        """Return the tables of `TallyRoom`; none of a short study, whose rows are in memory."""
        tallies = getattr(self._room, "tallies", None)
        if tallies is None or not self._worth:
            return {}
        found: dict[str, list[pl.DataFrame]] = {}

        def tallied(part: pl.LazyFrame) -> dict[str, pl.DataFrame]:
            frames = tallies(self._room.frames(part))
            return {name: frame.collect() for name, frame in frames.items()}

        for each in self._each(tallied):
            for name, table in each.items():
                found.setdefault(name, []).append(table)
        return {name: pl.concat(tables).lazy() for name, tables in found.items()}

    def rows(self, frames: Mapping[str, pl.LazyFrame]) -> dict[str, int]:
        """Return how many rows each table has."""

        def make() -> dict[str, int]:
            count = pl.len()
            return {
                name: frame.select(count).collect(engine="streaming").item()
                for name, frame in frames.items()
            }

        return cast("dict[str, int]", self._plain("rows", make)) if self._worth else make()

    def sampled(self, cells: Mapping[str, Sequence[int]]) -> Sampled:
        """Return the samples of all cells; those of cells that are remembered are not read.

        cells: any name -> the places of its tasks.
        """
        if not self._worth:
            return samples.sampled(self._batches(None))
        described, missing = Described(), set[int]()
        known = self._known.get("cells") or {}
        for places in cells.values():
            key = self._cell_key(places)
            self._cells[key] = places
            if key in known:
                _recall(known[key], places, described)
            else:
                missing.update(places)
        whole = {place: frozenset(places) for places in cells.values() for place in places}
        self._sampled = Sampled(described, lambda task: self._batches(whole[task]))
        if missing:
            self._sampled.take(self._batches(missing), threads=self._threads)
        return self._sampled

    def save(self) -> None:
        """Keep all that was asked for; the rest is forgotten."""
        if self._sampled is not None:
            known = self._sampled.known
            self._now["cells"] = _told(known, self._cells)
        if self._worth and self._now != self._known:
            self._cache.remember(_MEMORY, self._now)

    def _each(self, work: Callable[[pl.LazyFrame], _Made]) -> Iterator[_Made]:
        """Yield what is made of each batch of rows, in order."""
        # polars holds more rows at a time, the more there are
        parts = self._study.records.batches(BATCH_ROWS)
        return worked_ahead(work, parts, threads=self._threads)

    def _batches(self, tasks: AbstractSet[int] | None) -> Iterator[Mapping[str, pl.LazyFrame]]:
        for batch in self._study.records.batches(BATCH_ROWS, tasks):
            yield self._room.samples(self._room.frames(batch))

    def _plain(self, name: str, make: Callable[[], Json], *of: Any) -> Json:
        """Return plain values: the remembered ones, where they were made of the same things."""
        key = key_of(self._code, self._study.records.key, of)
        known = self._known.get(name) or {}
        if known.get("key") != key:
            # as they will be read
            known = {"key": key, "value": json.loads(json.dumps(make()))}
        self._now[name] = known
        return known["value"]

    def _cell_key(self, places: Sequence[int]) -> str:
        tasks = [self._study.tasks[place] for place in places]
        return key_of(
            self._code,
            [
                (task.task_id, task.bundle_id, task.run_id, [vars(one) for one in task.segments])
                for task in tasks
            ],
        )


def code_of(room: TablesRoom) -> str:
    """Return a hash of the code that makes numbers of the records of a kind."""
    folders = [specc.analysis.__path__[0], specc.kinds.__path__[0]]
    folders.append(str(Path(str(getattr(room, "__file__", ""))).parent))
    files = {path for folder in folders for path in Path(folder).rglob("*.py")}
    digest = hashlib.sha256(f"{pl.__version__} {np.__version__}".encode())
    for path in (*sorted(files), Path(samples.__file__), Path(__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _told(known: Described, cells: Mapping[str, Sequence[int]]) -> dict[str, Json]:
    """Return what is known of each cell; its tasks are counted within it."""
    at = {place: (key, n) for key, places in cells.items() for n, place in enumerate(places)}
    told: dict[str, dict[str, list[Json]]] = {
        key: {"runs": [], "beyond": [], "pooled": [], "within": []} for key in cells
    }
    for (task, name), run in known.runs.items():
        key, number = at[task]
        told[key]["runs"].append([number, name, asdict(run)])
    for task, name in sorted(known.beyond):
        key, number = at[task]
        told[key]["beyond"].append([number, name])
    for (tasks, name), together in known.pooled.items():
        numbers = [at[task][1] for task in tasks]
        told[at[tasks[0]][0]]["pooled"].append([numbers, name, asdict(together)])
    for (task, name, percent), bounds in known.within.items():
        key, number = at[task]
        told[key]["within"].append([number, name, percent, bounds])
    return told


def _recall(said: Mapping[str, Json], places: Sequence[int], known: Described) -> None:
    for number, name, one in said["runs"]:
        moved = None if one["steadiness"] is None else Steadiness(**one["steadiness"])
        known.runs[places[number], name] = RunSamples(**{**one, "steadiness": moved})
    known.beyond.update((places[number], name) for number, name in said["beyond"])
    for numbers, name, one in said["pooled"]:
        known.pooled[tuple(places[number] for number in numbers), name] = CellSamples(**one)
    for number, name, percent, bounds in said["within"]:
        known.within[places[number], name, percent] = tuple(bounds) if bounds else None
