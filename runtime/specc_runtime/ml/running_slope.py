"""Slope of ln(loss) over ln(step), kept up to date while the run goes on.

Holds six numbers and not the curve, so that it costs the same after a million steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import List, Optional, Sequence

import numpy as np

MIN_POINTS = 16


@dataclass(frozen=True)
class Slope:
    """The line through all points so far."""

    value: Optional[float]
    """d ln(loss) / d ln(step) [1]; negative while the loss falls. None with the reason."""
    reason: Optional[str]
    error: Optional[float]
    """Standard error of `value`, as if the deviations were independent: where they are not, it is
    too small. The slopes of the finished run are given with an effective number of points."""
    points: int
    skipped: int
    """Losses left out because they were not positive finite numbers."""


class RunningSlope:
    """Least squares in log-log space over everything added so far."""

    def __init__(self) -> None:
        self._points = 0.0
        self._skipped = 0.0
        self._mean = np.zeros(2)
        # sums of products of deviations from the means: xx, xy, yy
        self._sums = np.zeros(3)

    def add(self, steps: Sequence[float], losses: Sequence[float]) -> None:
        """Take points in; steps: > 0. losses: [nats].

        Two sets are joined by their means and sums (Chan, Golub, LeVeque 1983), which loses no
        digits the way sums of squares do.
        """
        x, y = np.asarray(steps, dtype=float), np.asarray(losses, dtype=float)
        good = np.isfinite(y) & (y > 0)
        self._skipped += float(np.sum(~good))
        count = float(np.sum(good))
        if not count:
            return
        points = np.log(np.stack([x[good], y[good]]))
        mean = points.mean(axis=1)
        dx, dy = points - mean[:, None]
        apart = mean - self._mean
        total = self._points + count
        weight = self._points * count / total
        self._sums += [np.dot(dx, dx), np.dot(dx, dy), np.dot(dy, dy)]
        self._sums += weight * np.array([apart[0] ** 2, apart[0] * apart[1], apart[1] ** 2])
        self._mean += apart * (count / total)
        self._points = total

    def slope(self) -> Slope:
        """Return the slope of the points so far. Source: checked against scipy.stats.linregress."""
        points, skipped = int(self._points), int(self._skipped)
        xx, xy, yy = (float(value) for value in self._sums)
        if points < MIN_POINTS:
            reason = f"{points} losses are too few, {MIN_POINTS} are needed"
            return Slope(None, reason, None, points, skipped)
        if xx <= 0.0:
            return Slope(None, "all points are of one step", None, points, skipped)
        slope = xy / xx
        rest = max(yy - slope * xy, 0.0)
        return Slope(slope, None, math.sqrt(rest / (points - 2) / xx), points, skipped)

    def saved(self) -> List[float]:
        """Return all there is to know, for a checkpoint."""
        return [self._points, self._skipped, *self._mean.tolist(), *self._sums.tolist()]

    def restore(self, saved: Sequence[float]) -> None:
        """Take back what `saved` returned. Raises ValueError for another number of values."""
        self._points, self._skipped, x, y, xx, xy, yy = (float(value) for value in saved)
        self._mean, self._sums = np.array([x, y]), np.array([xx, xy, yy])
