"""The flat block of results-<run_id>.json that kinds with requests share: counts, rates, latencies.

A room of such a kind returns `details` for its cells, and `result_block` in its `result_cell`.
Counting is one pass over the rows in bounded memory; latencies are the cell's own exact ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from specc.kinds import requests
from specc.model import Json

TALLY = "request_counts"
_LATENCY = ("avg", "min", "max", "p50", "p90", "p95", "p99")
_TTFT = ("avg", "p50", "p99")
_COUNTS = ("total_requests", "successful_requests", "failed_requests")


def tallies(frames: Mapping[str, pl.LazyFrame]) -> dict[str, pl.LazyFrame]:
    """Return how many requests of each task ended how, warm-up left out; see `TallyRoom`."""
    sorts = requests.timed(frames["requests"]).group_by("task", "operation", "ok", "error")
    return {TALLY: sorts.agg(n=pl.len())}


def details(
    members: Mapping[str, Sequence[int]], frames: Mapping[str, pl.LazyFrame]
) -> dict[str, dict[str, Json]]:
    """Return what the requests of each cell add up to, warm-up left out, by cell id.

    members: cell id -> places of its completed tasks.   frames: of `requests.tables`, and perhaps
    of `tallies`.
    window_s: sum over the runs; null where none was recorded. Who wants percentiles of an operation
    declares a metric for it, and gets intervals with them.
    """
    cell_of = {task: cell for cell, tasks in members.items() for task in tasks}
    counts = (frames if TALLY in frames else tallies(frames))[TALLY]
    counted = counts.collect(engine="streaming").sort(pl.all().exclude("n"))
    found = {cell: _Counted() for cell in members}
    for row in counted.iter_rows(named=True):
        if row["task"] in cell_of:
            found[cell_of[row["task"]]].add(row)
    windows = frames["loads"].group_by("task").agg(pl.col("window_ns").first()).collect()
    for task, window_ns in windows.sort("task").iter_rows():
        if task in cell_of:
            found[cell_of[task]].window_s += (window_ns or 0) / 1e9
    return {cell: one.document() for cell, one in found.items()}


@dataclass
class _Counted:
    """What is counted of one cell while its rows are read."""

    all: Counter[bool] = field(default_factory=Counter)
    """Whether a request succeeded -> how many."""
    errors: Counter[str] = field(default_factory=Counter)
    operations: dict[str, Counter[bool]] = field(default_factory=dict)
    window_s: float = 0.0

    def add(self, row: Mapping[str, Json]) -> None:
        """Add `n` requests of one operation that ended in one way."""
        good, count = bool(row["ok"]), int(row["n"])
        self.all[good] += count
        if not good:
            self.errors[row["error"] or "unknown"] += count
        if row["operation"] is not None:
            self.operations.setdefault(row["operation"], Counter())[good] += count

    def document(self) -> dict[str, Json]:
        return {
            **_shares(self.all),
            "window_s": self.window_s or None,
            "errors_by_type": dict(sorted(self.errors.items())),
            "by_operation": {
                name: _shares(self.operations[name]) for name in sorted(self.operations)
            },
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


def _shares(counts: Counter[bool]) -> dict[str, Json]:
    total, good = counts.total(), counts[True]
    numbers = zip(_COUNTS, (total, good, total - good), strict=True)
    return {**dict(numbers), "success_rate": 100 * good / total if total else None}


def _distribution(metrics: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    return (metrics.get(name) or {}).get("distribution") or {}


def _value(metrics: Mapping[str, Json], name: str) -> Json:
    return (metrics.get(name) or {}).get("value")
