"""What the desk asks of a kind of experiment. A module satisfies it; there are no classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from specc.model import Fixture, Json, Spec
from specc.problems import Problem

if TYPE_CHECKING:
    import polars as pl


class PlanRoom(Protocol):
    """`kinds/<kind>/plan.py`."""

    IDENTITY_VERSION: int
    """Raised when the same settings come to mean another measurement; part of every task_id."""
    MEASURES: bool
    """True: one task at a time on a node, unless the spec declares `sharing`."""
    WIDE: bool
    """True: a task may be several processes, see `task.nodes` and `task.processes_per_node`."""
    RUNTIME_ROOMS: tuple[str, ...]
    """Folders of specc_runtime a bundle of this kind needs beside the core: ("kinds/x", "ml")."""

    def derive(self, settings: dict[str, Json], axes: Mapping[str, Json]) -> dict[str, Json]:
        """Return the point's settings with the defaults that depend on other values written out.

        axes: the point's values; a number that the source spells in its own way (1e-4) is text.
        """

    def check(self, spec: Spec) -> Iterator[Problem]:
        """Yield what only this kind can know to be wrong, before any task exists."""

    def fixtures(self, settings: Mapping[str, Json]) -> tuple[Fixture, ...]:
        """Return what a shard starts before its tasks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One declared quantity: what a number in a report means."""

    name: str
    """Ends in its unit where there is one: "latency_ms_per_batch"."""
    label: str
    """How charts and tables head it."""
    unit: str
    """As shown; empty for a bare number."""
    better: str
    """"lower", "higher", or "none" when neither is better."""
    definition: str
    """One or two sentences: what is counted, over what, read from which records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What one run of one task says about one metric."""

    task: int
    """Place of the task in the study's list of tasks."""
    metric: str
    value: float | None
    """The run-level value in the metric's unit; None when it was not measured (never 0), and when
    the run counts with the median of its samples."""
    reason: str | None
    """Why there is no value; None when there is one, or samples."""
    warnings: tuple[tuple[str, str], ...] = ()
    """(verdict, reason) of what this kind holds against the value: ("CONTAMINATED", "…")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of time in which a task was timed."""

    task: int
    """Place of the task in the study's list of tasks."""
    attempt: int
    start_ns: int
    """On the clock of the records' t_ns."""
    end_ns: int
    cpu_s: float | None
    """At most so much CPU time of it was used by the task's own processes; None when unknown."""
    own_on_gpu: bool
    """True when the task's own process was seen on its GPU, so that others can be told from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One plot to draw: a metric over an axis, one line for each value of another."""

    name: str
    """File name without suffix."""
    subject: str
    """What is drawn, in two or three words: "Latency"."""
    title: str
    """The finding, in words and numbers, or what is shown when there is none."""
    metrics: tuple[tuple[str, str], ...]
    """(metric, note) pairs: a cell is drawn by the first of them it has a value for, and the note
    stands in its line's name ("RSS", "device, nvml"); empty for none."""
    x: str | None
    """Axis on the x side; None when the study has no axis."""
    colour: tuple[str, ...]
    """Axes whose values tell the lines apart; empty for one line."""
    log_x: bool
    y_title: str
    scale: float = 1.0
    """Factor from the metric's unit to the plot's (bytes to MiB)."""
    x_title: str | None = None
    """How the x axis is headed, with its unit; None for the axis's name, see `axis_title`."""
    spread: str = "auto"
    """How intervals are drawn: "band", "bars", or "auto" (a band along many x values)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One sentence the data supports, with the numbers it rests on."""

    title: str
    text: str
    cells: tuple[str, ...]
    """Ids of the cells it was computed from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One number of a report's first page: what a reader decides by, and how sure it is."""

    key: str
    """Name in report.json: "best_operating_point"."""
    label: str
    text: str | None
    """The answer in words and figures; None when it does not apply or can't be known."""
    interval: str | None = None
    """"790 to 833, n = 5"; None when there is none."""
    verdict: str | None = None
    """A verdict of the summary, or MET, NOT_MET, UNDECIDED, FOUND, NOT_REACHED, PASS, …"""
    why: str
    """How sure it is and what it rests on; without a text, why there is none."""
    cells: tuple[str, ...] = ()
    """Ids of the cells it was computed from."""
    value: float | None = None
    """The answer as a number, where it is one."""
    unit: str | None = None
    doubted: bool = False
    """Whether numbers that it rests on are doubted, so that a good verdict is not shown as one."""


class TablesRoom(Protocol):
    """`kinds/<kind>/tables.py`: from records to tidy tables and declared metrics."""

    def record_columns(self) -> Mapping[str, Any]:
        """Return the polars type of every field a record of this kind may carry."""

    def bulk_columns(self) -> Mapping[str, Sequence[str]]:
        """Return which record types come by the million, with the fields that such a row carries.

        They are read several times as fast, and none of their other fields but task_id is.
        """

    def frames(self, records: pl.LazyFrame) -> dict[str, pl.LazyFrame]:
        """Return the tidy tables to export; each keeps the column `task`.

        Lazy, because the rows may be more than fit into memory; a task's rows are in their order.
        """

    def metrics(
        self, settings: Sequence[Mapping[str, Json]], frames: Mapping[str, pl.LazyFrame]
    ) -> tuple[Metric, ...]:
        """Return the metrics of this study, most important first."""

    def measurements(self, frames: Mapping[str, pl.LazyFrame]) -> Iterator[Measurement]:
        """Yield the run-level value of each metric for each task that has records.

        They depend on that task's records only: `frames` may be those of some tasks.
        """

    def samples(self, frames: Mapping[str, pl.LazyFrame]) -> Mapping[str, pl.LazyFrame]:
        """Return the single values behind metrics, by the metric's name; others have only one.

        Columns: `task`; `value`, in the metric's unit, never null; and, where the values have an
        order in time, `sequence`: the value with what is known to differ between them (their
        sizes) divided out. Rows of a task are in order.
        """

    def windows(self, frames: Mapping[str, pl.LazyFrame]) -> Iterator[Window]:
        """Yield when each task was timed, to hold it against what else used the machine."""

    def details(
        self,
        cells: Sequence[Mapping[str, Json]],
        members: Mapping[str, Sequence[int]],
        frames: Mapping[str, pl.LazyFrame],
        analysis: Mapping[str, Json],
    ) -> dict[str, dict[str, Json]]:
        """Return what this kind adds to each cell, by cell id.

        cells: as in the summary, with `settings`.   members: cell id -> its completed tasks.
        analysis: the spec's block of that name.
        """

    def result_cell(self, cell: Mapping[str, Json]) -> dict[str, Json]:
        """Return a cell of the summary in the shape of `results-<run_id>.json`."""


class ReportRoom(Protocol):
    """`kinds/<kind>/report.py`: which plots, findings and definitions a report of this kind has."""

    def figures(self, summary: Mapping[str, Json]) -> tuple[Figure, ...]:
        """Return the plots, in the order shown."""

    def findings(self, summary: Mapping[str, Json]) -> tuple[Finding, ...]:
        """Return what the numbers say, most important first; nothing that they don't."""

    def methodology(self) -> tuple[tuple[str, str], ...]:
        """Return (term, text) pairs: how this kind measures."""

    def decisions(self, summary: Mapping[str, Json]) -> tuple[Decision, ...]:
        """Return the numbers to decide by that only this kind knows, best operating point first.

        One whose key the first page has anyway takes its place.
        """


def settled(value: Json) -> Mapping[str, Json]:
    """Return a mapping of settings; an empty one for an axis not filled in yet."""
    return value if isinstance(value, dict) else {}
