"""Tell whether a series of run-level values creeps: Mann-Kendall's test, Theil and Sen's slope.

Pure. Both look at the order of pairs only, so that a few outliers change nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from specc.analysis.series.change_point import FEWEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """A steady creep."""

    tau: float
    """Kendall's, -1..1: share of pairs that rise less the share that fall."""
    slope: float
    """Theil-Sen: median change from one run to the next, on the scale of the values."""
    p: float
    """Two-sided (Mann-Kendall, normal approximation with the variance of ties)."""


def trend(values: Sequence[float], *, alpha: float) -> Trend | None:
    """Return the creep of a series; None when chance explains it.

    values: (runs,) in order.   alpha: chance of a trend where there is none.
    Raises ValueError below FEWEST points, where the approximation is off.
    """
    x = np.asarray(values, dtype=np.float64)
    n = len(x)
    if n < FEWEST:
        raise ValueError(f"{n} points: a trend needs at least {FEWEST}")
    first, second = np.triu_indices(n, k=1)
    rises = x[second] - x[first]
    score = float(np.sign(rises).sum())
    ties = np.unique(x, return_counts=True)[1].astype(np.float64)
    spread = (_pairs(float(n)) - float(sum(map(_pairs, ties)))) / 18
    if spread <= 0:
        return None
    # a step of one towards 0, since the score is a whole number
    z = math.copysign(max(abs(score) - 1, 0.0), score) / math.sqrt(spread)
    p = math.erfc(abs(z) / math.sqrt(2))
    if p > alpha:
        return None
    slope = float(np.median(rises / (second - first)))
    return Trend(tau=score / len(rises), slope=slope, p=p)


def _pairs(n: float) -> float:
    return n * (n - 1) * (2 * n + 5)
