"""A throughput curve: what the runs at each level of load say on the log scale.

Pure. Run-to-run effects multiply, so everything here works on logarithms; the unit of replication
is the run. Levels have one spread in common, which is what makes few runs at many levels enough.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specc.analysis.student import f_tail

Array = NDArray[np.float64]
MISFIT = 0.01
"""A model misses the level means by more than chance below this probability."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Levels of load in rising order, with the mean log throughput of their runs."""

    levels: Array
    """(levels,), > 0, rising."""
    means: Array
    """(levels,): mean of the logarithms of the runs' throughputs [log unit]."""
    runs: Array
    """(levels,): how many runs stand behind each mean, >= 1."""
    within: float
    """Sum of squares of the runs about their level's mean."""

    @property
    def total(self) -> int:
        return int(self.runs.sum())

    @property
    def freedom(self) -> int:
        """Degrees of freedom of the spread between runs; 0 when no level was repeated."""
        return self.total - len(self.levels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The variance that a model's intervals rest on."""

    variance: float
    """Of one run's logarithm."""
    freedom: int
    misfit: bool
    """True when the level means miss the model by more than the runs' spread explains; the
    variance is then that of the misses, with the few degrees of freedom that these have."""


def curve(runs: Mapping[float, Sequence[float]]) -> Curve:
    """Return the curve of run-level throughputs by level; both > 0, each level with a run or more.

    Raises ValueError otherwise.
    """
    if not runs or any(level <= 0 or not values for level, values in runs.items()):
        raise ValueError("a curve needs levels above zero, each with a run")
    if min(min(values) for values in runs.values()) <= 0:
        raise ValueError("throughputs of a curve are above zero")
    levels = sorted(runs)
    logs = [[math.log(value) for value in runs[level]] for level in levels]
    means = [math.fsum(each) / len(each) for each in logs]
    return Curve(
        levels=np.array(levels, dtype=np.float64),
        means=np.array(means),
        runs=np.array([len(each) for each in logs], dtype=np.float64),
        within=math.fsum(
            (x - mean) ** 2 for each, mean in zip(logs, means, strict=True) for x in each
        ),
    )


def spread(data: Curve, missed: float, parameters: int) -> Spread:
    """Return the variance behind a fit.

    missed: weighted sum of squares of the level means about the model.
    parameters: how many of the model were fitted; fewer than there are levels.
    """
    between = len(data.levels) - parameters
    if data.freedom > 0 and data.within > 0:
        ratio = (missed / between) / (data.within / data.freedom)
        if f_tail(ratio, between, data.freedom) >= MISFIT:
            freedom = data.freedom + between
            return Spread(variance=(missed + data.within) / freedom, freedom=freedom, misfit=False)
    # equal runs leave nothing to hold a miss against
    chance = missed <= 1e-12 or data.freedom == 0
    return Spread(variance=missed / between, freedom=between, misfit=not chance)


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
