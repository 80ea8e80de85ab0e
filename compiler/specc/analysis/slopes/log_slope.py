"""How steeply a loss curve falls on logarithmic axes, with an honest standard error.

Pure. One run costs a few passes over its points: 20,000 of them a few milliseconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from specc.analysis.arrays import Values, dot
from specc.analysis.long_run import of_rest
from specc.analysis.slopes.points import usable
from specc.analysis.student import t_quantile

LEVEL = 0.95
_TERMS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """d log(loss) / d log(step) over a window: below 0 where the loss falls; no unit."""

    value: float | None
    se: float | None
    """Standard error, dependence between neighbouring points allowed for; None like the value."""
    low: float | None
    """95 % interval, like `high`: t with effective_n - 2 degrees of freedom (at least 1)."""
    high: float | None
    effective_n: float | None
    """Independent points that the rest of the fit is worth, 2..n: far below n where the curve
    bends or the noise is slow."""
    r_squared: float | None
    """Of the points as they were given, in log-log; None also when the loss never varies."""
    n: int
    """Points in the fit."""
    left_out: int
    """Points of the window that were not finite or not above 0."""
    reason: str | None
    """Why there is no value; None when there is one."""


def loglog_slope(
    step: Values, loss: Values, *, window: tuple[float | None, float | None] | None
) -> Slope:
    """Fit log(loss) = a + b * log(step) by least squares; b is the slope.

    step: (n,) rising; optimiser steps or epochs, the slope is the same.   loss: (n,) [nats].
    window: first and last step that count, both included, None for an open end or no window;
    in the unit of `step`. alpha_early is the slope over epochs 5 to 15, alpha_full that from the
    burn-in to the end.

    Read it so: -0.5 means that four times the steps halve the loss. A straight line is an
    assumption, not a finding: where the curve bends, the rest is slow waves, effective_n falls and
    the error grows. Memory: five arrays of n floats. Never raises on data: the value is None with
    a reason when fewer than 8 points have a logarithm, or when steps don't rise.
    Source: ordinary least squares; the error is that of independent points times
    sqrt(n / effective_n), see `long_run`; checked against numpy.polyfit and statsmodels' HAC
    errors, its coverage simulated in docs/calibration.md.
    """
    low, high = window if window is not None else (None, None)
    points = usable(step, loss, low=low, high=high)
    if points.reason is not None:
        return _none(points.reason, points.left_out)
    x, y = np.log(points.step), np.log(points.loss)
    x, y = x - np.mean(x), y - np.mean(y)
    spread, total = dot(x, x), dot(y, y)
    slope = dot(x, y) / spread
    rest = y - slope * x
    noise = of_rest(rest, _TERMS)
    error = math.sqrt(noise.variance / spread * noise.n / noise.worth)
    half = t_quantile((1 + LEVEL) / 2, max(noise.worth - _TERMS, 1.0)) * error
    return Slope(
        value=slope,
        se=error,
        low=slope - half,
        high=slope + half,
        effective_n=noise.worth,
        r_squared=1 - dot(rest, rest) / total if total > 0 else None,
        n=len(x),
        left_out=points.left_out,
        reason=None,
    )


def _none(reason: str, left_out: int) -> Slope:
    return Slope(
        value=None, se=None, low=None, high=None, effective_n=None, r_squared=None, n=0,
        left_out=left_out, reason=reason,
    )  # fmt: skip
