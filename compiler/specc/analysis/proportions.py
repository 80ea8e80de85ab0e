"""The share of trials in which something happened, with its interval.

Pure, and without numpy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

LEVEL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Proportion:
    """A share of trials, 0..1."""

    value: float | None
    """None without trials."""
    low: float | None
    """Score interval, like `high`; None like the value."""
    high: float | None
    hits: int
    trials: int
    level: float
    reason: str | None
    """Why there is none; None when there is one."""


def wilson(hits: int, trials: int, *, level: float = LEVEL) -> Proportion:
    """Return hits / trials with Wilson's score interval; 0 <= hits <= trials, else ValueError.

    Source: Wilson (1927), without continuity correction; checked against statsmodels. Holds for
    independent trials.
    """
    if not 0 <= hits <= trials:
        raise ValueError(f"{hits} of {trials} is no share")
    if trials == 0:
        return Proportion(
            value=None, low=None, high=None, hits=0, trials=0, level=level, reason="no trials"
        )
    z = NormalDist().inv_cdf((1 + level) / 2)
    n, p, zz = trials, hits / trials, z * z
    middle = (p + zz / (2 * n)) / (1 + zz / n)
    half = z / (1 + zz / n) * math.sqrt(p * (1 - p) / n + zz / (4 * n * n))
    # at the ends the exact bound is the end itself
    return Proportion(
        value=p,
        low=0.0 if hits == 0 else max(0.0, middle - half),
        high=1.0 if hits == trials else min(1.0, middle + half),
        hits=hits,
        trials=trials,
        level=level,
        reason=None,
    )
