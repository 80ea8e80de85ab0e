"""A throughput curve: what the runs at each level of load say on the log scale.

Pure. Run-to-run effects multiply, so everything here works on logarithms; the unit of replication
is the run. Levels have one spread in common, or one that follows the load, which is what makes few
runs at many levels enough.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from specc.analysis.student import f_tail

Array = NDArray[np.float64]
MISFIT = 0.01
"""A model misses the level means by more than chance below this probability."""
DOUBT = 0.25
"""Below this one its intervals rest on the misses: levels may have effects of their own."""
TREND = 2.0
"""So many standard errors from 0 a trend of the spread over the load is believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Levels of load in rising order, with the mean log throughput of their runs."""

    levels: Array
    """(levels,), > 0, rising."""
    means: Array
    """(levels,): mean of the logarithms of the runs' throughputs [log unit]."""
    weights: Array
    """(levels,): runs behind each mean, over the variance of a run there; equal variances are 1."""
    within: float
    """Sum of squares of the runs about their level's mean, over the variance there."""
    total: int
    """Runs of all levels."""

    @property
    def freedom(self) -> int:
        """Degrees of freedom of the spread between runs; 0 when no level was repeated."""
        return self.total - len(self.levels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The variance that a model's intervals rest on."""

    variance: float
    """Of one run's logarithm. That of the misses, where these are larger than the runs' spread
    explains well."""
    freedom: int
    """Few where the variance is that of the misses."""
    misfit: bool
    """True when the level means miss the model by more than chance."""


def curve(runs: Mapping[float, Sequence[float]]) -> Curve:
    """Return the curve of run-level throughputs by level; both > 0, each level with a run or more.

    Raises ValueError otherwise.
    """
    if not runs or any(level <= 0 or not values for level, values in runs.items()):
        raise ValueError("a curve needs levels above zero, each with a run")
    if min(min(values) for values in runs.values()) <= 0:
        raise ValueError("throughputs of a curve are above zero")
    levels = np.array(sorted(runs), dtype=np.float64)
    logs = [np.log(np.array(runs[level], dtype=np.float64)) for level in levels.tolist()]
    counts = np.array([len(each) for each in logs], dtype=np.float64)
    squares = np.array([float(np.sum((each - each.mean()) ** 2)) for each in logs])
    variances = _variances(levels, squares, counts - 1)
    return Curve(
        levels=levels,
        means=np.array([float(each.mean()) for each in logs]),
        weights=counts / variances,
        within=float(np.sum(squares / variances)),
        total=int(counts.sum()),
    )


def _variances(levels: Array, squares: Array, freedom: Array) -> Array:
    """Return the variance of a run at each level, up to a factor: 1, or a power of the load.

    A few runs don't tell the spread at a level, but all of them together whether it grows or
    shrinks with the load. The logarithm of a sample variance of d degrees of freedom has the
    bias -1/d - 1/(3 d d) and the variance 2/d + 2/(d d), nearly.
    """
    told = (freedom > 0) & (squares > 0)
    if told.sum() < 3:
        return np.ones_like(levels)
    d, x = freedom[told], np.log(levels[told])
    y = np.log(squares[told] / d) + 1 / d + 1 / (3 * d * d)
    weight = 1 / (2 / d + 2 / (d * d))
    centred = x - np.average(x, weights=weight)
    leverage = float(np.sum(weight * centred**2))
    slope = float(np.sum(weight * centred * y)) / leverage
    if abs(slope) * math.sqrt(leverage) < TREND:
        return np.ones_like(levels)
    trend: Array = np.exp(slope * (np.log(levels) - np.log(levels).mean()))
    return trend


def spread(data: Curve, missed: float, parameters: int) -> Spread:
    """Return the variance behind a fit.

    missed: weighted sum of squares of the level means about the model.
    parameters: how many of the model were fitted; fewer than there are levels.
    """
    between = len(data.levels) - parameters
    misses = Spread(variance=missed / between, freedom=between, misfit=False)
    if data.freedom == 0 or missed <= 1e-12:
        return misses
    ratio = math.inf if data.within == 0 else misses.variance / (data.within / data.freedom)
    chance = 0.0 if math.isinf(ratio) else f_tail(ratio, between, data.freedom)
    if chance < DOUBT:
        return replace(misses, misfit=chance < MISFIT)
    freedom = data.freedom + between
    return Spread(variance=(missed + data.within) / freedom, freedom=freedom, misfit=False)


def information(data: Curve, missed: float, parameters: int) -> float:
    """Return the corrected Akaike information criterion; inf where runs are too few for it.

    Source: Hurvich and Tsai (1989); the variance counts as one parameter more.
    """
    n, k = data.total, parameters + 1
    if n - k - 1 <= 0:
        return math.inf
    # equal runs on a perfect model would have log(0)
    return (
        n * math.log(max(missed + data.within, 1e-24) / n) + 2 * k + 2 * k * (k + 1) / (n - k - 1)
    )
