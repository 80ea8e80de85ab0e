"""Flag values far from the bulk of their sample. Flagged, never dropped.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from specc.analysis.percentiles import median

LIMIT = 5.0
"""Robust standard deviations; timing samples have long right tails, so not the customary 3."""
# makes the median absolute deviation of a normal sample equal its standard deviation
_NORMAL = 1.4826


def outlier_flags(values: Sequence[float], *, limit: float = LIMIT) -> list[bool]:
    """Return for each value whether it lies more than `limit` robust deviations off the median.

    All False when more than half of the values are equal (the deviation is then 0).
    """
    if not values:
        return []
    middle = median(values)
    spread = _NORMAL * median([abs(v - middle) for v in values])
    if spread == 0:
        return [False] * len(values)
    return [abs(v - middle) > limit * spread for v in values]
