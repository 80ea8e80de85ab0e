"""Bound a percentile of one run by two of the run's own values.

Pure. Says how well a run pins down its own percentile, and nothing about the next run: it is never
to be used in place of repetitions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from specc.analysis.arrays import Values

METHOD = "order statistics, within one run"


def within_run(
    ordered: Values, percent: float, *, effective_n: float | None = None, level: float = 0.95
) -> tuple[float, float] | None:
    """Return (low, high) between which a percentile of the run's own distribution lies.

    ordered: (n,) sorted.   percent: 0..100, not at the ends.   effective_n: values that the run is
    worth, see `dependence.effective_samples`; None = n.
    None where so few values have none on one side of the percentile often enough.
    Source: the number of values below a percentile is binomial (David and Nagaraja, Order
    Statistics, 7.1); checked against scipy.stats.binom. With dependent values the ranks are those
    of a sample of effective_n, stretched.
    """
    n = len(ordered)
    worth = n if effective_n is None else max(1, min(n, math.floor(effective_n)))
    ranks = _ranks(worth, percent / 100, level)
    if ranks is None:
        return None
    low = max(0, math.floor(ranks[0] * n / worth) - 1)
    high = min(n - 1, math.ceil(ranks[1] * n / worth) - 1)
    return float(ordered[low]), float(ordered[high])


@lru_cache(maxsize=1024)
def _ranks(n: int, share: float, level: float) -> tuple[int, int] | None:
    """Return ranks (from 1) so that the percentile lies between those values; None without."""
    tail = (1 - level) / 2
    below = _binomial(n, share)
    # the low value is above the percentile when fewer than its rank lie below
    low = _last(lambda rank: below(rank - 1) <= tail, n)
    # the high value is below the percentile when at least its rank lie below
    high = n + 1 - _last(lambda back: 1 - below(n - back) <= tail, n)
    return (low, high) if low >= 1 and high <= n else None


def _last(holds: Callable[[int], bool], n: int) -> int:
    """Return the largest 1..n for which something holds that ends once; 0 when it never does."""
    least, most = 0, n
    while least < most:
        middle = (least + most + 1) // 2
        least, most = (middle, most) if holds(middle) else (least, middle - 1)
    return least


def _binomial(n: int, share: float) -> Callable[[int], float]:
    """Return the distribution function of how many of n lie below.

    Summed within 12 standard deviations of the middle: what is beyond is below 1e-30.
    """
    middle = round(n * share)
    reach = math.ceil(12 * math.sqrt(n * share * (1 - share))) + 12
    first, last = max(0, middle - reach), min(n, middle + reach)
    k = np.arange(first, last)
    steps = np.log(n - k) - np.log(k + 1) + math.log(share) - math.log1p(-share)
    logs = np.concatenate(([0.0], np.cumsum(steps)))
    weights = np.exp(logs - np.max(logs))
    sums = np.cumsum(weights) / np.sum(weights)

    def at_most(count: int) -> float:
        if count < first:
            return 0.0
        return 1.0 if count >= last else float(sums[count - first])

    return at_most
