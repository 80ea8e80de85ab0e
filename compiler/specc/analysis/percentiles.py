"""Describe a sample by its exact percentiles, and refuse those it is too small for.

Pure. Percentiles are exact (all values sorted) and linear: numpy's default method.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from specc.analysis.arrays import Array, Values, as_array

METHOD = "linear"
LEVELS = (50.0, 90.0, 95.0, 99.0, 99.9)
"""The percentiles every distribution states."""
CONFIDENCE = 0.95
MANY = 100_000
"""More values than this are not summed one by one."""
SMALL = 64
"""Fewer values than this are quicker in plain Python than on their way into an array."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """What a sample of one quantity looks like, in the unit of its values."""

    n: int
    effective_n: float
    """Independent values the sample is worth; equals n when values don't depend on each other."""
    avg: float | None
    """None only when the sample is empty."""
    min: float | None
    max: float | None
    percentiles: dict[str, float | None]
    """"p50", "p90", … "p99.9"; None when the sample is too small for that percentile."""
    refused: dict[str, str]
    """Why each missing percentile is missing."""


def percentile(ordered: Values, level: float) -> float:
    """Return the linear percentile of a sorted, non-empty sample; level in 0..100.

    Source: definition 7 of Hyndman and Fan (1996), numpy's default; checked against numpy.
    """
    if len(ordered) == 0:
        raise ValueError("no percentile of an empty sample")
    position = (len(ordered) - 1) * level / 100
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    low, high = float(ordered[below]), float(ordered[above])
    return low + (high - low) * (position - below)


def samples_needed(level: float, *, confidence: float = CONFIDENCE) -> int:
    """Return the least n at which the largest value bounds the percentile from above.

    The chance that all n values lie under the true percentile is (level/100)**n; it must not
    exceed 1 - confidence. 5 for p50, 29 for p90, 59 for p95, 299 for p99, 2995 for p99.9.
    """
    return math.ceil(math.log(1 - confidence) / math.log(level / 100))


def describe(
    values: Values,
    *,
    effective_n: float | None = None,
    levels: Sequence[float] = LEVELS,
    ordered: bool = False,
) -> Distribution:
    """Summarise a sample; a percentile is refused where effective samples are too few.

    values: (n,), any order, finite.
    effective_n: see `dependence.effective_samples`; None = len(values).   ordered: they are sorted.
    """
    sample = as_array(values) if ordered else np.sort(as_array(values))
    worth = float(len(sample)) if effective_n is None else effective_n
    found: dict[str, float | None] = {}
    refused: dict[str, str] = {}
    for level in levels:
        name, needed = f"p{level:g}", samples_needed(level)
        if worth >= needed:
            found[name] = percentile(sample, level)
        else:
            found[name] = None
            refused[name] = f"needs {needed} independent samples, has {math.floor(worth)}"
    return Distribution(
        n=len(sample),
        effective_n=worth,
        avg=_mean(sample) if len(sample) else None,
        min=float(sample[0]) if len(sample) else None,
        max=float(sample[-1]) if len(sample) else None,
        percentiles=found,
        refused=refused,
    )


def _mean(ordered: Array) -> float:
    """Return the mean of a non-empty sample, so that its order changes no digit."""
    if len(ordered) <= MANY:
        return math.fsum(ordered.tolist()) / len(ordered)
    return float(np.mean(ordered, dtype=np.longdouble))


def median(values: Values) -> float:
    """Return the median of a non-empty sample in any order."""
    if len(values) == 0:
        raise ValueError("no percentile of an empty sample")
    if len(values) < SMALL:
        return percentile(sorted(values), 50)
    return float(np.median(as_array(values)))
