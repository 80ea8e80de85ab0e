"""Exact percentiles of several sorted samples together, without putting them together.

Pure. Looks for the value by halving the range of floats, which takes 64 steps whatever the size:
the samples may be larger than memory, on disk.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence

import numpy as np

from specc.analysis.arrays import Array
from specc.analysis.outliers import LIMIT, NORMAL
from specc.analysis.percentiles import LEVELS, Distribution, samples_needed

_SIGN = 1 << 63


def describe_runs(runs: Sequence[Array], *, effective_n: float) -> Distribution:
    """Return what `describe` says of all runs together. runs: sorted, none of them empty."""
    n = sum(len(run) for run in runs)
    found: dict[str, float | None] = {}
    refused: dict[str, str] = {}
    for level in LEVELS:
        name, needed = f"p{level:g}", samples_needed(level)
        found[name] = percentile_of_runs(runs, level) if effective_n >= needed else None
        if found[name] is None:
            reason = f"needs {needed} independent samples, has {math.floor(effective_n)}"
            refused[name] = reason
    return Distribution(
        n=n,
        effective_n=effective_n,
        avg=math.fsum(float(np.sum(run, dtype=np.longdouble)) for run in runs) / n,
        min=min(float(run[0]) for run in runs),
        max=max(float(run[-1]) for run in runs),
        percentiles=found,
        refused=refused,
    )


def percentile_of_runs(runs: Sequence[Array], level: float) -> float:
    """Return the linear percentile of all values; level in 0..100. Checked against numpy."""
    n = sum(len(run) for run in runs)
    low, high = min(float(run[0]) for run in runs), max(float(run[-1]) for run in runs)

    def at_most(value: float) -> int:
        return sum(int(np.searchsorted(run, value, side="right")) for run in runs)

    return _linear(at_most, n, level, low, high)


def count_outliers_of_runs(runs: Sequence[Array], *, limit: float = LIMIT) -> int:
    """Return how many values `outliers.outlier_flags` flags in all runs together."""
    n = sum(len(run) for run in runs)
    middle = percentile_of_runs(runs, 50)

    def near(distance: float) -> int:
        return sum(
            int(np.searchsorted(run, middle + distance, side="right"))
            - int(np.searchsorted(run, middle - distance, side="left"))
            for run in runs
        )

    widest = max(max(middle - float(run[0]), float(run[-1]) - middle) for run in runs)
    spread = NORMAL * _linear(near, n, 50, 0.0, widest)
    return n - near(limit * spread) if spread > 0 else 0


def _linear(
    at_most: Callable[[float], int], n: int, level: float, low: float, high: float
) -> float:
    position = (n - 1) * level / 100
    below = math.floor(position)
    first = _ranked(at_most, below, low, high)
    if position == below:
        return first
    second = first if at_most(first) > below + 1 else _ranked(at_most, below + 1, first, high)
    return first + (second - first) * (position - below)


def _ranked(at_most: Callable[[float], int], rank: int, low: float, high: float) -> float:
    """Return the least float that more than `rank` values do not exceed: the value of that rank.

    low, high: floats between which it lies.
    """
    least, most = _place(low), _place(high)
    while least < most:
        middle = (least + most) // 2
        if at_most(_float(middle)) > rank:
            most = middle
        else:
            least = middle + 1
    return _float(least)


def _place(value: float) -> int:
    """Return the place of a float among all floats, so that neighbours differ by 1."""
    bits = int(struct.unpack("<Q", struct.pack("<d", value))[0])
    return bits if bits < _SIGN else _SIGN - bits


def _float(place: int) -> float:
    bits = place if place >= 0 else _SIGN - place
    return float(struct.unpack("<d", struct.pack("<Q", bits))[0])
