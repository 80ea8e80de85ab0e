"""A labelled estimate of package energy from watts that the user states. Never a measurement.

joules = watts of the whole node's packages x seconds x share of its cores. It knows nothing of
load, so it enters no gate and is compared with nothing.
"""

from __future__ import annotations

import time
from typing import Dict, Optional, Tuple, Union

from .base import Unavailable


class Estimate:
    """Stated watts."""

    scope = "package"
    source = "estimate"
    poll_every_s: Optional[float] = None

    def __init__(self, watts: float, cores: int, cores_of_node: int) -> None:
        self.watts = watts
        self.cores = cores
        self.cores_of_node = cores_of_node

    def start(self) -> EstimateWindow:
        """Begin a window."""
        return EstimateWindow(self)

    def joules(self, seconds: float) -> float:
        """Compute the estimate of a window of `seconds` [J]."""
        return self.watts * seconds * self.cores / self.cores_of_node


class EstimateWindow:
    """A stretch of time."""

    def __init__(self, sensor: Estimate) -> None:
        self._sensor = sensor
        self._start_ns = time.monotonic_ns()

    def poll(self) -> None:
        """Do nothing."""

    def stop(self) -> Tuple[Optional[float], Optional[str], Dict[str, object]]:
        """End the window. Returns the estimate, no reason, and how it was made."""
        seconds = (time.monotonic_ns() - self._start_ns) / 1e9
        sensor = self._sensor
        detail: Dict[str, object] = {
            "formula": "watts * seconds * cores / cores_of_node",
            "watts": sensor.watts,
            "seconds": seconds,
            "cores": sensor.cores,
            "cores_of_node": sensor.cores_of_node,
        }
        return sensor.joules(seconds), None, detail


def open(watts: Optional[float], *, cores: int, cores_of_node: int) -> Union[Estimate, Unavailable]:
    """Take the stated power of all packages of the node [W] and this task's share of its cores."""
    if watts is None:
        return Unavailable("estimate", "no watts are stated")
    if not watts > 0 or not 0 < cores <= cores_of_node:
        return Unavailable(
            "estimate", f"{watts} W for {cores} of {cores_of_node} cores is senseless"
        )
    return Estimate(watts, cores, cores_of_node)
