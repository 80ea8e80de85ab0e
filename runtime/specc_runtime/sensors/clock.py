"""The clock of a process: its place in wall time, its resolution, its drift.

Only differences of `t_ns` are ever measured; wall time is for display.
"""

from __future__ import annotations

import time
from typing import Any, Dict, NamedTuple

from .base import read_text

ANCHOR_TRIES = 5


class Anchor(NamedTuple):
    """One moment on both clocks."""

    t_ns: int
    """Monotonic clock of this process [ns]."""
    epoch_ns: int
    """Wall clock [ns since 1970-01-01 UTC]."""
    uncertainty_ns: int
    """Half the time between the two monotonic readings around the wall clock reading [ns]."""

    def as_dict(self) -> Dict[str, int]:
        """Give the `anchor` of launch.json."""
        return {"t_ns": self.t_ns, "epoch_ns": self.epoch_ns}


def anchor() -> Anchor:
    """Read both clocks as close together as possible: the tightest of a few tries."""
    best = None
    for _ in range(ANCHOR_TRIES):
        before = time.monotonic_ns()
        epoch = time.time_ns()
        after = time.monotonic_ns()
        half = (after - before) // 2
        if best is None or half < best.uncertainty_ns:
            best = Anchor(before + half, epoch, half)
    assert best is not None
    return best


def drift_ns(since: Anchor) -> int:
    """Tell how far wall time moved against the monotonic clock since an anchor [ns].

    Positive when the wall clock ran ahead (it was set, or slewed by NTP).
    """
    now = anchor()
    return (now.epoch_ns - since.epoch_ns) - (now.t_ns - since.t_ns)


def observed_resolution_ns(tries: int = 50) -> int:
    """Find the smallest step seen between two unequal readings of the monotonic clock [ns].

    It includes the cost of the call itself, so it is what a timed stretch can resolve.
    """
    smallest = 0
    for _ in range(tries):
        first = time.monotonic_ns()
        second = time.monotonic_ns()
        while second == first:
            second = time.monotonic_ns()
        if not smallest or second - first < smallest:
            smallest = second - first
    return smallest


def describe(sysfs_root: str = "/sys") -> Dict[str, Any]:
    """Describe the clock for launch.json: resolutions [ns], the kernel's clock source."""
    info = time.get_clock_info("monotonic")
    source = read_text(f"{sysfs_root}/devices/system/clocksource/clocksource0/current_clocksource")
    return {
        "implementation": info.implementation,
        "resolution_ns": max(1, round(info.resolution * 1e9)),
        "observed_resolution_ns": observed_resolution_ns(),
        "source": source.text,
        "source_reason": source.reason,
    }
