"""The flat block of results-<run_id>.json that kinds with requests share: counts, rates, latencies.

A room of such a kind returns `details` for its cells, and `result_block` in its `result_cell`.
Counting is one pass over the rows in bounded memory; latencies are the cell's own exact ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from specc.kinds import requests
from specc.model import Json

_LATENCY = ("avg", "min", "max", "p50", "p90", "p95", "p99")
_TTFT = ("avg", "p50", "p99")
_COUNTS = {
    "total_requests": pl.len(),
    "successful_requests": pl.col("ok").sum(),
    "failed_requests": (~pl.col("ok")).sum(),
}


def details(
    members: Mapping[str, Sequence[int]], frames: Mapping[str, pl.LazyFrame]
) -> dict[str, dict[str, Json]]:
    """Return what the requests of each cell add up to, warm-up left out, by cell id.

    members: cell id -> places of its completed tasks.   frames: of `requests.tables`.
    window_s: sum over the runs; null where none was recorded. Who wants percentiles of an operation
    declares a metric for it, and gets intervals with them.
    """
    cell_of = {task: cell for cell, tasks in members.items() for task in tasks}
    timed = _with_cell(requests.timed(frames["requests"]), cell_of)
    counted = {row["cell"]: row for row in _rows(timed.group_by("cell").agg(**_COUNTS))}
    windows = _rows(_with_cell(frames["loads"], cell_of).group_by("cell").agg(_window_s()))
    window_s = {row["cell"]: row["window_s"] for row in windows}
    errors = timed.filter(~pl.col("ok")).group_by("cell", pl.col("error").fill_null("unknown"))
    by_error = _nested(errors.agg(n=pl.len()).sort("cell", "error"), "error")
    by_operation = timed.filter(pl.col("operation").is_not_null()).group_by("cell", "operation")
    operations = _nested(by_operation.agg(**_COUNTS).sort("cell", "operation"), "operation")
    return {
        cell: {
            **_shares(counted.get(cell)),
            "window_s": window_s.get(cell) or None,
            "errors_by_type": {name: row["n"] for name, row in by_error.get(cell, {}).items()},
            "by_operation": {name: _shares(row) for name, row in operations.get(cell, {}).items()},
        }
        for cell in members
    }


def result_block(cell: Mapping[str, Json]) -> dict[str, Json]:
    """Return counts, rates, latencies and errors of a cell of the summary under fixed names.

    A percentile that too few samples stand behind is null; `latency_refused` says why.
    """
    found, metrics = cell["details"], cell["metrics"]
    latency = _distribution(metrics, requests.LATENCY.name)
    first = _distribution(metrics, requests.TTFT.name)
    return {
        **{name: found.get(name) for name in (*_COUNTS, "success_rate", "window_s")},
        "latency_s": {name: latency.get(name) for name in _LATENCY},
        "latency_refused": latency.get("refused", {}),
        "ttft_s": {name: first.get(name) for name in _TTFT} if first else None,
        "requests_per_second": _value(metrics, requests.RATE.name),
        "tokens_per_second": _value(metrics, requests.TOKENS.name),
        "error_count": found.get("failed_requests"),
        **{name: found.get(name) for name in ("errors_by_type", "by_operation")},
    }


def _with_cell(rows: pl.LazyFrame, cell_of: Mapping[int, str]) -> pl.LazyFrame:
    names = {"task": list(cell_of), "cell": list(cell_of.values())}
    cells = pl.LazyFrame(names, schema={"task": rows.collect_schema()["task"], "cell": pl.String})
    return rows.join(cells, on="task", how="inner")


def _window_s() -> pl.Expr:
    return (pl.col("window_ns").sum() / 1e9).alias("window_s")


def _rows(grouped: pl.LazyFrame) -> list[dict[str, Json]]:
    return grouped.collect(engine="streaming").to_dicts()


def _nested(grouped: pl.LazyFrame, name: str) -> dict[str, dict[str, dict[str, Json]]]:
    found: dict[str, dict[str, dict[str, Json]]] = {}
    for row in _rows(grouped):
        found.setdefault(row["cell"], {})[row[name]] = row
    return found


def _shares(row: Mapping[str, Json] | None) -> dict[str, Json]:
    counts = {name: 0 if row is None else row[name] for name in _COUNTS}
    total, good = counts["total_requests"], counts["successful_requests"]
    return {**counts, "success_rate": 100 * good / total if total else None}


def _distribution(metrics: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    return (metrics.get(name) or {}).get("distribution") or {}


def _value(metrics: Mapping[str, Json], name: str) -> Json:
    return (metrics.get(name) or {}).get("value")
