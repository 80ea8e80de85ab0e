"""Read what a load curve needs from one cell: throughput, tail, mean latency, errors.

Pure. What a cell doesn't have is None, with the reason where a report shows one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from specc.model import Json

MOST_ERRORS = 1.0
"""Share of failed requests [%] from which a point says more about failing than about speed."""
Cell = Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Load:
    """The spec's `analysis.load`, with the declared metrics."""

    block: Mapping[str, Json]
    metrics: Mapping[str, Mapping[str, Json]]

    @property
    def axis(self) -> str:
        return str(self.block["axis"])

    @property
    def throughput(self) -> str:
        return str(self.block["throughput"])

    @property
    def latency(self) -> str | None:
        return self.block.get("latency")

    @property
    def statistic(self) -> str:
        """Which number of the latency is the tail: "p99", or "mean"."""
        return str(self.block.get("latency_statistic") or "p99")

    @property
    def errors(self) -> str | None:
        return self.block.get("errors")

    @property
    def in_flight(self) -> str | None:
        return self.block.get("in_flight")

    @property
    def loop(self) -> str:
        return str(self.block.get("loop") or "closed")

    def unit(self, metric: str | None) -> str | None:
        return None if metric is None else (self.metrics.get(metric) or {}).get("unit")

    def label(self, metric: str) -> str:
        return str((self.metrics.get(metric) or {}).get("label") or metric)


def rates(cell: Cell, load: Load) -> tuple[float, ...]:
    """Return the throughput of each run of a cell."""
    metric = cell["metrics"].get(load.throughput) or {}
    return tuple(metric.get("run_values") or ())


def value(cell: Cell, metric: str | None) -> float | None:
    """Return a cell's number of a metric; None without one."""
    return None if metric is None else (cell["metrics"].get(metric) or {}).get("value")


def failed_pct(cell: Cell, load: Load) -> float | None:
    """Return how many of a cell's requests failed [%]; a metric without a unit is a share."""
    found = value(cell, load.errors)
    share = load.unit(load.errors) in ("", "1")
    return found * 100 if found is not None and share else found


def interval(metric: Mapping[str, Json] | None) -> dict[str, Json]:
    """Return value, low, high and the reason of gaps of a metric or of one of its statistics."""
    if metric is None:
        return {"value": None, "low": None, "high": None, "reason": "no record carries it"}
    found = {key: metric.get(key) for key in ("value", "low", "high")}
    why = metric.get("reason")
    if why is None and found["value"] is not None and found["low"] is None:
        why = metric.get("interval_reason") or "no interval over the runs"
    return {**found, "reason": why}


def tail(cell: Cell, load: Load) -> dict[str, Json]:
    """Return the latency's number that is the tail, with its interval."""
    if load.latency is None:
        why = "the spec names no latency"
        return {"value": None, "low": None, "high": None, "reason": why}
    return statistic(cell, load.latency, load.statistic)


def statistic(cell: Cell, metric: str, name: str | None) -> dict[str, Json]:
    """Return a named statistic of a metric over the runs: "p99"; "mean" or None is its value."""
    found = cell["metrics"].get(metric)
    if found is None or name in (None, "mean"):
        return interval(found)
    wanted = "p50" if name == "median" else str(name)
    over_runs = (found.get("statistics") or {}).get(wanted)
    if over_runs is not None:
        return interval(over_runs)
    if wanted == "p50":
        return interval(found)
    pooled = found.get("distribution")
    if pooled is None:
        why = found.get("reason") or f"a run has one value, and no {wanted} of several"
        return {"value": None, "low": None, "high": None, "reason": why}
    # one number for all runs together has no interval over them
    refused = (pooled.get("refused") or {}).get(wanted)
    why = refused or "pooled over the runs: no interval"
    return {"value": pooled.get(wanted), "low": None, "high": None, "reason": why}


def mean_latency(cell: Cell, load: Load) -> float | None:
    """Return the mean over all requests of a cell, in the metric's unit; None without them."""
    metric = None if load.latency is None else cell["metrics"].get(load.latency)
    if metric is None:
        return None
    if metric.get("distribution") is not None:
        average: float | None = metric["distribution"].get("avg")
        return average
    # what a run's single number is only the spec knows
    return metric.get("value") if load.statistic == "mean" else None


def doubted(verdict: str) -> bool:
    """Tell whether a point's number may be off; too few runs only widen its interval."""
    return verdict not in ("VALID", "TOO_FEW", "NO_DATA")


def plain(load: float | None) -> float | int | None:
    """Return a load as its axis has it: 8 for 8.0."""
    return int(load) if load is not None and float(load).is_integer() else load
