"""Little's law at one level of load: requests in flight = throughput x mean latency.

Pure. The law holds for every system in steady state whatever happens inside it, so that a level
that breaks it was timed or counted wrongly. The latency is the mean: no percentile obeys the law.
"""

from __future__ import annotations

from dataclasses import dataclass

TOLERANCE = 0.05
SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9, "min": 60.0}
"""Units of latency."""
COUNTED = frozenset(
    {
        *("1", "req", "reqs", "request", "requests", "op", "ops", "operation", "operations"),
        *("query", "queries", "transaction", "transactions", "call", "calls", "message"),
        *("messages", "answer", "answers", "insert", "inserts"),
    }
)
"""What a rate may count, one for each latency: of tokens or bytes a request has many."""
PER = {
    **{"s": 1.0, "sec": 1.0, "second": 1.0, "ms": 1e-3},
    **{"min": 60.0, "minute": 60.0, "h": 3600.0, "hour": 3600.0},
}
"""Seconds of the time that a rate is over."""
WHOLE = frozenset({"qps", "rps", "tps", "iops", "Hz"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """Whether one level obeys the law."""

    ratio: float | None
    """throughput x mean latency / requests in flight; 1 when the law holds, None when a number
    is missing."""
    ok: bool | None
    """None when it can't be told."""
    reason: str | None
    """Why it is not ok, or can't be told; None when it is."""


def audit(
    in_flight: float | None,
    throughput: float | None,
    rate_unit: str,
    mean_latency: float | None,
    latency_unit: str,
) -> Audit:
    """Return whether the three agree within 5 %. throughput: arithmetic mean over the runs."""
    if in_flight is None:
        return _untold("how many requests were in flight is not known")
    if throughput is None or mean_latency is None:
        return _untold("the mean latency or the throughput was not measured")
    if latency_unit not in SECONDS:
        return _untold(f"'{latency_unit}' is no unit of time")
    over_s = seconds_of_rate(rate_unit)
    if over_s is None:
        return _untold(f"'{rate_unit}' does not count requests, of which latency is measured")
    ratio = throughput / over_s * mean_latency * SECONDS[latency_unit] / in_flight
    if abs(ratio - 1) < TOLERANCE:
        return Audit(ratio=ratio, ok=True, reason=None)
    reason = (
        f"throughput x mean latency gives {ratio * in_flight:.3g} requests in flight"
        f" instead of {in_flight:.3g}"
    )
    return Audit(ratio=ratio, ok=False, reason=reason)


def seconds_of_rate(rate_unit: str) -> float | None:
    """Return 1 for "requests/s", 60 for "ops/min"; None for what no latency is measured of."""
    counted, _, time = rate_unit.partition("/")
    if rate_unit in WHOLE:
        return 1.0
    return PER.get(time) if counted in COUNTED else None


def _untold(reason: str) -> Audit:
    return Audit(ratio=None, ok=None, reason=reason)
