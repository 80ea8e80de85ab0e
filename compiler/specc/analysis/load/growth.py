"""How much throughput still gains at the last levels of a curve, and how surely.

Pure. No model: the slope over the last factor of two of the load, with the spread of all runs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from specc.analysis.load.curve import Curve
from specc.analysis.student import t_quantile

GAIN = 0.05
"""Throughput that gains less than this share per doubling of the load has stopped growing."""
DENSE = 4
"""So many levels within a factor of two show whether throughput stops between them."""
UNSURE = 0.5
"""A curve that may gain more than this share per doubling can't be said to have stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """Gain of throughput per doubling of the load at the end of a curve: 1.0 means twice."""

    gain: float
    low: float
    """95 % interval, like `high`."""
    high: float
    first: float
    """The levels of load that the slope is taken over: from here to the last one."""
    state: Literal["growing", "stopped", "unsure"]


def last_growth(data: Curve) -> Growth:
    """Return the growth over the last factor of two; needs two levels and a repeated one.

    Where fewer than two levels lie within that factor, the last two count. Where four or more do,
    throughput may stop within it: it grows only where it does over the upper half of them as well.
    Raises ValueError without a spread between runs.
    """
    if data.freedom < 1 or len(data.levels) < 2:
        raise ValueError("growth needs two levels and repeated runs")
    # a little more than half, so that 64 counts beside 128 whatever the rounding
    inside = data.levels >= data.levels[-1] / 2 * (1 - 1e-9)
    inside[-2:] = True
    whole = _growth(data, inside)
    count = int(inside.sum())
    if count < DENSE or whole.state != "growing":
        return whole
    inside[: -(count // 2)] = False
    upper = _growth(data, inside)
    # a noisy upper half that seems to grow is no reason to doubt what all of them show
    return whole if upper.state != "stopped" and upper.gain > GAIN else upper


def _growth(data: Curve, inside: NDArray[np.bool_]) -> Growth:
    """Return the slope over some levels, two or more."""
    x, y, weight = np.log2(data.levels[inside]), data.means[inside], data.weights[inside]
    centred = x - np.average(x, weights=weight)
    leverage = float(np.sum(weight * centred**2))
    slope = float(np.sum(weight * centred * y)) / leverage
    error = math.sqrt(data.within / data.freedom / leverage)
    half = t_quantile(0.975, data.freedom) * error
    # a slope far beyond anything measured would overflow
    gain, low, high = (math.expm1(min(s, 50.0)) for s in (slope, slope - half, slope + half))
    return Growth(
        gain=gain,
        low=low,
        high=high,
        first=float(data.levels[inside][0]),
        state="growing" if low > GAIN else "unsure" if high > UNSURE else "stopped",
    )
