"""How much a series of measurements depends on itself, and whether it stands still.

Pure. Values come in the order in which they were measured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from specc.analysis.percentiles import median

MAX_LAG = 200
"""Longer memory than this is drift, which `drift` finds; also keeps the cost linear."""
DRIFT_LIMIT = 0.05
"""Share by which the second half may differ from the first before a series counts as moving."""


def autocorrelation(values: Sequence[float], lag: int) -> float:
    """Return the autocorrelation at `lag` >= 0, in -1..1; 0 for a constant series."""
    mean = math.fsum(values) / len(values)
    centred = [v - mean for v in values]
    return _correlation(centred, lag, math.fsum(c * c for c in centred))


def effective_samples(values: Sequence[float]) -> float:
    """Return how many independent values the series is worth, 1..n (0 when empty).

    n / (1 + 2 * sum of autocorrelations), the sum ending at the first pair of neighbouring lags
    that is not positive (Geyer's initial positive sequence); never more than n.
    """
    n = len(values)
    if n < 4:
        return float(n)
    mean = math.fsum(values) / n
    centred = [v - mean for v in values]
    power = math.fsum(c * c for c in centred)
    # equal values up to rounding (a fixed-clock simulator): nothing to correlate
    if power <= n * (abs(mean) * 1e-15) ** 2:
        return float(n)
    total = 0.0
    for lag in range(1, min(n - 1, MAX_LAG), 2):
        pair = _correlation(centred, lag, power) + _correlation(centred, lag + 1, power)
        if pair <= 0:
            break
        total += pair
    return max(1.0, min(float(n), n / (1 + 2 * total)))


def drift(values: Sequence[float]) -> float | None:
    """Return median(second half) / median(first half) - 1; None below 8 values or at median 0."""
    if len(values) < 8:
        return None
    half = len(values) // 2
    first, second = median(values[:half]), median(values[half:])
    return second / first - 1 if first else None


def _correlation(centred: Sequence[float], lag: int, power: float) -> float:
    if power == 0:
        return 0.0
    shifted = zip(centred, centred[lag:], strict=False)
    return sum(a * b for a, b in shifted) / power
