"""What a kind's rooms may have as well. A module that lacks one of them has the defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from specc.kinds.base import Metric
from specc.model import Json

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One plot that a kind draws itself: what is no metric of cells over an axis."""

    name: str
    """File name without suffix."""
    subject: str
    """What is drawn, in two or three words: "Loss curves"."""
    title: str
    """The finding, in words and numbers."""
    chart: Any
    """Of Altair, without data and title; it reads `rows`. Without size but for one with facets."""
    rows: Sequence[Mapping[str, Json]]
    """What is drawn, aggregated before; none where there is nothing to draw."""
    caption: str
    """What the marks mean."""
    empty: str | None = None
    """Why there is nothing to draw; None where there are rows."""


class ChartRoom(Protocol):
    """What `kinds/<kind>/report.py` may have as well."""

    def charts(self, summary: Mapping[str, Json]) -> tuple[Chart, ...]:
        """Return the plots that the kind draws itself; they stand before its figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """One table for whoever goes on with the numbers: a row for each task."""

    table: pl.DataFrame
    """`task_id` first."""
    required: tuple[str, ...]
    """Columns without which the table is not written."""
    types: Mapping[str, str]
    """Column -> "int", "float" or "text", for columns that may hold numbers as text."""
    missing: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    """Column -> row -> why it has no value. Of rows without a result the reason is known already;
    a kind that gives none has those of its cells told."""


class ExportRoom(Protocol):
    """What `kinds/<kind>/tables.py` may have as well; a kind without them gets the defaults."""

    FAMILIES: tuple[Metric, ...]
    """Metrics whose names depend on the study, with `<…>` for what varies: for docs/metrics.md."""

    def dataset(
        self, frames: Mapping[str, pl.LazyFrame], tasks: Sequence[Mapping[str, Json]]
    ) -> Dataset:
        """Return the data set of `specc export`.

        tasks: task_id, axes, repetition, state and settings of each, by their place in `frames`.
        """

    def series(self, frames: Mapping[str, pl.LazyFrame]) -> Mapping[str, pl.LazyFrame]:
        """Return time series by name: `task`, then the columns of a file for each task.

        frames: of all rows of some tasks; other tasks' are asked for by themselves.
        """


class StudyRoom(Protocol):
    """What `kinds/<kind>/tables.py` may have as well, where cells say something only together."""

    def across(
        self,
        cells: Sequence[Mapping[str, Json]],
        members: Mapping[str, Sequence[int]],
        frames: Mapping[str, pl.LazyFrame],
    ) -> dict[str, Json]:
        """Return what the kind reckons over all cells: `across` of the summary.

        cells: as in the summary, with `details`.   members: cell id -> its completed tasks.
        """


class TallyRoom(Protocol):
    """What `kinds/<kind>/tables.py` may have as well, where a study may be very long."""

    ROW_BY_ROW: frozenset[str]
    """Names of `frames` of which each row comes of one record alone, so that such a table may be
    made of a few records at a time; others are made of all records at once."""

    def tallies(self, frames: Mapping[str, pl.LazyFrame]) -> Mapping[str, pl.LazyFrame]:
        """Return short tables by name, whose rows depend on the records of one task each.

        `details` of a long study finds them among its frames, made of some tasks at a time.
        """


class ReplicatesRoom(Protocol):
    """What `kinds/<kind>/tables.py` may have as well, where an axis only repeats a measurement."""

    REPLICATES: tuple[str, ...]
    """Axes whose values are repetitions of a point, each named like the setting that it fills in:
    seeds. Task ids know nothing of it."""
