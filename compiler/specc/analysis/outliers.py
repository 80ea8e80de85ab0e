"""Flag values far from the bulk of their sample. Flagged, never dropped.

Pure.
"""

from __future__ import annotations

import numpy as np

from specc.analysis.arrays import Array, Values, as_array

LIMIT = 5.0
"""Robust standard deviations; timing samples have long right tails, so not the customary 3."""
# makes the median absolute deviation of a normal sample equal its standard deviation
NORMAL = 1.4826


def outlier_flags(values: Values, *, limit: float = LIMIT) -> list[bool]:
    """Return for each value whether it lies more than `limit` robust deviations off the median.

    All False when more than half of the values are equal (the deviation is then 0).
    Source: the median absolute deviation, Hampel (1974); checked against scipy.
    """
    found: list[bool] = _flags(as_array(values), limit).tolist()
    return found


def count_outliers(values: Values, *, limit: float = LIMIT) -> int:
    """Return how many values `outlier_flags` flags, without a list of a flag for each."""
    return int(np.count_nonzero(_flags(as_array(values), limit)))


def _flags(values: Array, limit: float) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    if len(values) == 0:
        return np.zeros(0, dtype=np.bool_)
    away = np.abs(values - np.median(values))
    spread = NORMAL * float(np.median(away))
    if spread == 0:
        return np.zeros(len(values), dtype=np.bool_)
    return np.asarray(away > limit * spread)
