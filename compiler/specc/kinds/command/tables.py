"""Tables and metrics of any program: what it reported, and what the system saw of its process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from specc.kinds.base import Measurement, Metric, Window
from specc.model import Json

_PROCESS = (
    Metric(
        name="process.wall_s",
        label="Wall time",
        unit="s",
        better="lower",
        definition="Time from starting the program to its end, by the runtime's monotonic clock;"
        " of several ranks the longest.",
    ),
    Metric(
        name="process.cpu_s",
        label="CPU time",
        unit="s",
        better="lower",
        definition="User plus system time of the program and the children it waited for,"
        " of all ranks together.",
    ),
    Metric(
        name="process.max_rss_bytes",
        label="Peak memory",
        unit="B",
        better="lower",
        definition="Largest resident set of any process of the program, as the kernel counts it;"
        " the largest of all ranks.",
    ),
)

FAMILIES = (
    Metric(
        name="<name>",
        label="What the program reports",
        unit="",
        better="none",
        definition="Any metric that the spec declares under `settings.metrics`, or that a record"
        " carries: unit, direction and definition are the spec's. A run with several values"
        " counts with their median, and has a file in `timeseries/` of an export.",
    ),
)
"""For the data dictionary: metrics whose names the spec chooses."""

_RANK = (
    *("phase", "local_rank", "node_rank", "world_size", "node", "host", "pid", "gpu", "launcher"),
    *("emulated", "clock_offset_ns", "clock_epoch_offset_ns", "clock_uncertainty_ns"),
)


def record_columns() -> Mapping[str, Any]:
    """Return the polars type of every field a record of this kind may carry."""
    return {
        "metric": pl.String(),
        "value": pl.Float64(),
        "value_reason": pl.String(),
        "unit": pl.String(),
        "better": pl.String(),
        "index": pl.Int64(),
        "exit_code": pl.Int64(),
        "wall_s": pl.Float64(),
        "user_s": pl.Float64(),
        "system_s": pl.Float64(),
        "max_rss_bytes": pl.Int64(),
        "max_rss_bytes_reason": pl.String(),
    }


def bulk_columns() -> Mapping[str, Sequence[str]]:
    """Return the fields of a reported value: a program may report one for each of its steps."""
    return {
        "metric": (
            "attempt",
            "rank",
            "t_ns",
            "metric",
            "value",
            "value_reason",
            "unit",
            "better",
            "index",
        )
    }


def frames(records: pl.LazyFrame) -> dict[str, pl.LazyFrame]:
    """Return `metrics` (one row for each value reported), `processes` (one for each run, and for
    each rank of it) and, where tasks have several processes, `ranks`.
    """
    keys = ["task", "attempt", "rank", "t_ns"]
    found = {
        "metrics": records.filter(pl.col("type") == "metric").select(
            *keys, "metric", "index", "value", "value_reason", "unit", "better"
        ),
        "processes": records.filter(pl.col("type") == "process").select(
            *keys,
            *("exit_code", "wall_s", "user_s", "system_s"),
            *("max_rss_bytes", "max_rss_bytes_reason"),
        ),
    }
    ranks = records.filter(pl.col("type") == "rank").select(*keys, *_RANK)
    return found if ranks.head(1).collect().is_empty() else {**found, "ranks": ranks}


def metrics(
    settings: Sequence[Mapping[str, Json]], frames: Mapping[str, pl.LazyFrame]
) -> tuple[Metric, ...]:
    """Return the declared metrics, then any other that records carry, then those of the process."""
    found: dict[str, Metric] = {}
    for point in settings:
        for one in _declared(point.get("metrics")):
            found.setdefault(one.name, one)
    seen = frames["metrics"].select("metric", "unit", "better")
    for row in _rows(seen.unique("metric", keep="first", maintain_order=True)):
        name = row["metric"]
        if name is not None and name not in found:
            found[name] = _metric(name, row["unit"], row["better"], None)
    return (*found.values(), *_PROCESS)


def measurements(frames: Mapping[str, pl.LazyFrame]) -> Iterator[Measurement]:
    """Yield for each run each metric's value or reason, and the three values of its process."""
    grouped = (
        frames["metrics"]
        .group_by("task", "metric", maintain_order=True)
        .agg(
            pl.len().alias("values"),
            pl.col("value").null_count().alias("missing"),
            pl.col("value").first(),
            pl.col("value_reason").drop_nulls().first(),
        )
    )
    mixed = _mixed_units(frames["metrics"])
    for row in _rows(grouped):
        reason = None
        if row["metric"] in mixed:
            reason = f"reported in different units: {mixed[row['metric']]}"
        elif row["missing"]:
            # a median over the values that happened to be there would hide the others
            reason = row["value_reason"]
            reason = reason or f"{row['missing']} values are missing without a reason"
        single = reason is None and row["values"] == 1
        yield Measurement(
            task=row["task"],
            metric=row["metric"],
            value=row["value"] if single else None,
            reason=reason,
        )
    for row in _rows(_of_all_ranks(frames["processes"])):
        values = (row["wall_s"], row["cpu_s"], row["max_rss_bytes"])
        reasons = (None, None, row["max_rss_bytes_reason"])
        for metric, value, why in zip(_PROCESS, values, reasons, strict=True):
            yield Measurement(
                task=row["task"],
                metric=metric.name,
                value=value,
                reason=None if value is not None else why or "not measured on this machine",
            )


def samples(frames: Mapping[str, pl.LazyFrame]) -> Mapping[str, pl.LazyFrame]:
    """Return the values of each metric that runs report several of, where none is missing."""
    reported = frames["metrics"]
    mixed = _mixed_units(reported)
    counts = reported.group_by("task", "metric").agg(
        pl.len().alias("values"), pl.col("value").null_count().alias("missing")
    )
    several = counts.filter((pl.col("values") > 1) & (pl.col("missing") == 0)).collect()
    found = {}
    for (metric,), group in several.group_by("metric", maintain_order=True):
        if metric in mixed:
            continue
        own = (pl.col("metric") == metric) & pl.col("task").is_in(group["task"].to_list())
        found[str(metric)] = reported.filter(own).select(
            "task", "value", pl.col("value").alias("sequence")
        )
    return found


def series(frames: Mapping[str, pl.LazyFrame]) -> Mapping[str, pl.LazyFrame]:
    """Return by name the values of each metric of which a run reports several, in their order."""
    reported = frames["metrics"]
    counts = reported.group_by("task", "metric").agg(pl.len().alias("values"))
    several = counts.filter(pl.col("values") > 1).select("task", "metric")
    kept = reported.join(several, on=["task", "metric"], how="semi", maintain_order="left")
    found = kept.select("task", "metric", "rank", "index", "t_ns", "value", "value_reason", "unit")
    groups = found.collect().group_by("metric", maintain_order=True)
    return {str(metric): rows.drop("metric").lazy() for (metric,), rows in groups}


def _of_all_ranks(processes: pl.LazyFrame) -> pl.LazyFrame:
    """Return one row for each task: the longest time, all CPU time, the largest memory.

    What one rank did not measure is not known of the task, but for memory: a peak that was seen
    is at least that high.
    """
    cpu_s = pl.col("user_s") + pl.col("system_s")
    return processes.group_by("task", maintain_order=True).agg(
        wall_s=_if_all("wall_s", pl.col("wall_s").max()),
        cpu_s=pl.when(cpu_s.null_count() == 0).then(cpu_s.sum()),
        max_rss_bytes=pl.col("max_rss_bytes").max(),
        max_rss_bytes_reason=pl.col("max_rss_bytes_reason").drop_nulls().first(),
    )


def _if_all(column: str, value: pl.Expr) -> pl.Expr:
    return pl.when(pl.col(column).null_count() == 0).then(value)


def _rows(table: pl.LazyFrame) -> Iterator[dict[str, Any]]:
    return table.collect().iter_rows(named=True)


def _mixed_units(reported: pl.LazyFrame) -> dict[str, str]:
    """Return the metrics that records give in several units, with the units: "ms, s"."""
    units = reported.group_by("metric").agg(pl.col("unit").drop_nulls().unique().sort())
    found = units.collect().iter_rows()
    return {name: ", ".join(each) for name, each in found if name and len(each) > 1}


def windows(frames: Mapping[str, pl.LazyFrame]) -> Iterator[Window]:
    """Yield the life of each program, with the CPU time that it and its children used.

    Those of ranks are left out: other nodes have other clocks and other loads.
    """
    alone = frames["processes"].filter(pl.col("rank").is_null())
    for row in _rows(alone.drop_nulls("wall_s")):
        parts = (row["user_s"], row["system_s"])
        yield Window(
            task=row["task"],
            attempt=row["attempt"],
            start_ns=row["t_ns"] - round(row["wall_s"] * 1e9),
            end_ns=row["t_ns"],
            cpu_s=None if None in parts else sum(parts),
            own_on_gpu=False,
        )


def details(
    cells: Sequence[Mapping[str, Json]],
    members: Mapping[str, Sequence[int]],
    frames: Mapping[str, pl.LazyFrame],
    analysis: Mapping[str, Json],
) -> dict[str, dict[str, Json]]:
    """Return nothing: a program's cells are their axes and metrics."""
    del cells, frames, analysis
    return {cell: {} for cell in members}


def result_cell(cell: Mapping[str, Json]) -> dict[str, Json]:
    """Return axes, repetitions and metrics of a cell."""
    return {key: cell[key] for key in ("cell", "axes", "repetitions", "verdict", "metrics")}


def _declared(block: Json) -> Iterator[Metric]:
    """Yield the metrics a point's settings declare: a list with names, or a mapping by name."""
    if isinstance(block, dict):
        block = [{"name": name, **(one or {})} for name, one in block.items()]
    for one in block or ():
        if isinstance(one, dict) and isinstance(one.get("name"), str):
            yield _metric(one["name"], one.get("unit"), one.get("better"), _told(one))


def _told(declared: Mapping[str, Json]) -> str | None:
    """Return what the spec says that a metric is, ended like a sentence."""
    told = str(declared.get("definition") or "").strip()
    return f"{told.rstrip('.')}." if told else None


def _metric(name: str, unit: str | None, better: str | None, definition: str | None) -> Metric:
    return Metric(
        name=name,
        label=_without_unit(name, unit or "").replace("_", " "),
        unit=unit or "",
        better=better if better in ("lower", "higher") else "none",
        definition=definition
        or "As the program reported it; with several values a run counts with their median.",
    )


def _without_unit(name: str, unit: str) -> str:
    """Return a metric's name without the unit it ends in: "rate_kb_per_s" is a rate in kB/s."""
    spelled = unit.lower().replace("/", "_per_")
    return name.removesuffix(f"_{unit}").removesuffix(f"_{spelled}")
