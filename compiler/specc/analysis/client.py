"""Tell whether the client that makes the load is what is measured.

Pure. For kinds whose records are requests: a client at its own limit adds its own waiting to every
latency, and asks for less than it was told to.
"""

from __future__ import annotations

from dataclasses import dataclass

from specc.analysis.signs import percent

BUSY = 0.9
"""Share of a core from which a thread that sends and receives has no time left."""
ALL_BUSY = 0.8
"""Share of all cores the client may use from which its threads wait for each other."""
LAG_S = 1e-3
"""Delay that schedulers of an idle machine can cause themselves [s]."""
LAG_SHARE = 0.1
"""Share of the median latency from which sending late distorts it."""
SHORTFALL = 0.05
"""Share of the planned requests that may be missing from what was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLoad:
    """How the client fared in one window. None: not measured, and nothing follows from it."""

    busiest_thread: float | None = None
    """Share of a core that its busiest thread used, 0..1."""
    cpus: float | None = None
    """Share of all cores it may use that it used, 0..1."""
    lag_p99_s: float | None = None
    """How late requests left, against their schedule, 99th percentile [s]; open loop only."""
    latency_p50_s: float | None = None
    """Median latency of the answers [s]."""
    planned_per_s: float | None = None
    """Requests a second that it was told to send; open loop only."""
    sent_per_s: float | None = None


def client_limited(load: ClientLoad) -> tuple[str, ...]:
    """Return the evidence that the client was at its limit; empty when there is none.

    A room gives each as a warning ("CLIENT_LIMITED", evidence).
    """
    found = []
    if load.busiest_thread is not None and load.busiest_thread >= BUSY:
        found.append(f"the client's busiest thread used {percent(load.busiest_thread)} of a core")
    if load.cpus is not None and load.cpus >= ALL_BUSY:
        found.append(f"the client used {percent(load.cpus)} of its CPUs")
    if load.lag_p99_s is not None and load.lag_p99_s > LAG_S:
        allowed = max(LAG_S, LAG_SHARE * (load.latency_p50_s or 0.0))
        if load.lag_p99_s > allowed:
            found.append(
                f"1 in 100 requests left {load.lag_p99_s * 1e3:.1f} ms late or more, "
                f"{allowed * 1e3:.1f} ms would do no harm"
            )
    if load.planned_per_s and load.sent_per_s is not None:
        short = 1 - load.sent_per_s / load.planned_per_s
        if short > SHORTFALL:
            found.append(f"the client sent {percent(short)} fewer requests than planned")
    return tuple(found)
