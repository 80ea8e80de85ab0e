"""Energy per sample: by scope and source, gross and net of idle. Never mixed, never 0 for unknown.

A reading of a window counts for the samples of that window; the idle baseline is the power of the
same scope and source while the process waited, before the windows of the same run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from specc.kinds.base import Measurement, Metric
from specc.model import Json

SCOPES = ("device", "package", "node")
"""Narrowest first: the headline of a cell is its narrowest measured scope."""
SHORTEST_S = 2.0
"""Counters are updated every few tens of milliseconds; shorter windows hold too few updates."""


def readings(windows: pl.LazyFrame, idle: pl.LazyFrame) -> pl.LazyFrame:
    """Return one row for each window or idle stretch, scope and source.

    Columns: task, attempt, t_ns, phase ("throughput", "latency", "idle"), scope, source,
    joules (null with a reason), duration_ns, samples (null when idle).
    """
    parts = [
        windows.select(
            "task", "attempt", "t_ns", pl.col("pass").alias("phase"), "duration_ns", "samples",
            "energy",
        ),
        idle.select(
            "task", "attempt", "t_ns", pl.lit("idle").alias("phase"), "duration_ns",
            pl.lit(None, dtype=pl.Int64()).alias("samples"), "energy",
        ),
    ]  # fmt: skip
    exploded = pl.concat(parts).explode("energy", empty_as_null=False, keep_nulls=False)
    return exploded.unnest("energy")


def name(scope: str, source: str, *, net: bool) -> str:
    """Return the metric of a scope and source; only equal ones are ever compared."""
    return f"energy{'_net' if net else ''}_j_per_sample.{scope}.{source}"


_UNMEASURED = Metric(
    name="energy_j_per_sample",
    label="Energy per sample",
    unit="J",
    better="lower",
    definition="Energy of the throughput pass divided by its samples. No source of energy could "
    "be read in this study.",
)


def metrics(table: pl.LazyFrame) -> tuple[Metric, ...]:
    """Return gross and net metrics for each scope and source that gave a number."""
    pairs = table.filter(pl.col("joules").is_not_null() & (pl.col("phase") != "idle"))
    found = sorted(set(pairs.select("scope", "source").collect().iter_rows()), key=_rank)
    if not found:
        return (_UNMEASURED,)
    return tuple(metric for scope, source in found for metric in _pair(scope, source))


def _pair(scope: str, source: str) -> tuple[Metric, Metric]:
    """Return the gross and the net metric of one scope and source."""
    kind = f"{scope}, {'ESTIMATE' if source == 'estimate' else source}"
    gross = Metric(
        name=name(scope, source, net=False),
        label=f"Energy per sample ({kind})",
        unit="J",
        better="lower",
        definition=f"Energy of the {scope} (source {source}) over the windows of the "
        "throughput pass, divided by their samples; the idle share is included.",
    )
    net = Metric(
        name=name(scope, source, net=True),
        label=f"Net energy per sample ({kind})",
        unit="J",
        better="lower",
        definition=f"The same less the idle power of the {scope} times the duration.",
    )
    return gross, net


FAMILIES = _pair("<scope>", "<source>")
"""For the data dictionary: metrics whose names say what of a machine was measured, and how."""


def measurements(
    table: pl.LazyFrame, held: Mapping[int, tuple[tuple[str, str], ...]]
) -> Iterator[Measurement]:
    """Yield gross and net energy per sample of every run, for every scope it was read in."""
    by_task: dict[int, list[dict[str, Json]]] = defaultdict(list)
    for row in table.collect().iter_rows(named=True):
        by_task[row["task"]].append(row)
    pairs = set(
        table.filter(pl.col("joules").is_not_null() & (pl.col("phase") != "idle"))
        .select("scope", "source")
        .collect()
        .iter_rows()
    )
    for task, rows in by_task.items():
        if not pairs:
            yield Measurement(task=task, metric=_UNMEASURED.name, value=None, reason=why_none(rows))
        for scope, source in pairs:
            yield from _of_scope(task, scope, source, rows, held.get(task, ()))


def _of_scope(
    task: int,
    scope: str,
    source: str,
    rows: Sequence[Mapping[str, Json]],
    warnings: tuple[tuple[str, str], ...],
) -> Iterator[Measurement]:
    """Yield gross and net energy per sample of one run in one scope and source."""
    own = [r for r in rows if (r["scope"], r["source"]) == (scope, source)]
    windows = [r for r in own if r["phase"] == "throughput"]
    if windows:
        gross, joules, samples, why = _gross(windows)
    else:
        unread = [r for r in rows if r["scope"] == scope and r["joules"] is None]
        gross, joules, samples = None, None, 0
        why = why_none(unread) if unread else f"no {scope} energy from {source} at this point"
    shortest_s = min((w["duration_ns"] for w in windows), default=0) / 1e9
    if gross is not None and shortest_s < SHORTEST_S:
        reason = f"a window of {shortest_s:.2g} s; counters need {SHORTEST_S:g} s"
        warnings = (*warnings, ("TOO_FEW", reason))
    power = _idle_power(own)
    net = None
    if joules is not None and power is not None and samples:
        net = (joules - power * sum(r["duration_ns"] for r in windows) / 1e9) / samples
    missing = why or "no idle baseline of this scope and source"
    for value, is_net in ((gross, False), (net, True)):
        yield Measurement(
            task=task,
            metric=name(scope, source, net=is_net),
            value=value,
            reason=None if value is not None else missing,
            warnings=warnings,
        )


def totals(table: pl.LazyFrame) -> dict[int, list[dict[str, Json]]]:
    """Return for each task its windows' energy by scope and source, reasons included."""
    found: dict[int, dict[tuple[str, str], list[dict[str, Json]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for row in table.filter(pl.col("phase") == "throughput").collect().iter_rows(named=True):
        found[row["task"]][(row["scope"], row["source"])].append(row)
    made: dict[int, list[dict[str, Json]]] = {}
    for task, groups in found.items():
        made[task] = []
        for (scope, source), rows in groups.items():
            _, joules, samples, why = _gross(rows)
            made[task].append(
                {"scope": scope, "source": source, "joules": joules, "samples": samples,
                 "reason": why}
            )  # fmt: skip
    return made


def of_cell(
    totals: Mapping[int, Sequence[Mapping[str, Json]]], tasks: Sequence[int]
) -> list[dict[str, Json]]:
    """Return a cell's energy by scope and source, summed over the runs that have it."""
    groups: dict[tuple[str, str], list[Mapping[str, Json]]] = defaultdict(list)
    for task in tasks:
        for one in totals.get(task, ()):
            groups[(one["scope"], one["source"])].append(one)
    rows = []
    for (scope, source), ones in sorted(groups.items(), key=lambda item: _rank(item[0])):
        good = [one for one in ones if one["joules"] is not None]
        joules = sum(one["joules"] for one in good) if good else None
        samples = sum(one["samples"] for one in good)
        rows.append(
            {
                "scope": scope,
                "source": source,
                "joules": joules,
                "samples": samples if good else None,
                "joules_per_sample": joules / samples if joules is not None and samples else None,
                "runs": len(good),
                "reason": None if good else next(o["reason"] for o in ones),
            }
        )
    return rows


def headline(entries: Sequence[Mapping[str, Json]]) -> Mapping[str, Json] | None:
    """Return the entry a cell is quoted with: measured before estimated, then narrowest scope."""
    good = [one for one in entries if one["joules_per_sample"] is not None]
    return min(good, key=lambda one: _rank((one["scope"], one["source"])), default=None)


def why_none(entries: Sequence[Mapping[str, Json]]) -> str:
    """Return why a cell has no energy."""
    reasons = dict.fromkeys(str(one["reason"]) for one in entries if one["reason"])
    return "; ".join(reasons) or "no energy was recorded"


def _gross(
    windows: Sequence[Mapping[str, Json]],
) -> tuple[float | None, float | None, int, str | None]:
    """Return (J per sample, J, samples, reason): a number only when every window has one."""
    samples = sum(row["samples"] or 0 for row in windows)
    missing = [row for row in windows if row["joules"] is None]
    if missing:
        return None, None, samples, missing[0]["reason"] or "not read in every window"
    joules = sum(row["joules"] for row in windows)
    if not samples:
        return None, joules, 0, "the windows hold no samples"
    return joules / samples, joules, samples, None


def _idle_power(rows: Sequence[Mapping[str, Json]]) -> float | None:
    """Return the idle power [W] of one scope and source; None without a baseline."""
    idle = [row for row in rows if row["phase"] == "idle" and row["joules"] is not None]
    duration_s = sum(row["duration_ns"] for row in idle) / 1e9
    return sum(row["joules"] for row in idle) / duration_s if duration_s > 0 else None


def _rank(pair: tuple[str | None, str | None]) -> tuple[bool, int, str]:
    scope, source = pair
    place = SCOPES.index(scope) if scope in SCOPES else len(SCOPES)
    return source == "estimate", place, source or ""
