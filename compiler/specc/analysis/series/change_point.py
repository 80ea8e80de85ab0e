"""Find the run from which on a series of run-level values is another one.

Pure and deterministic: every split into two stretches is tested by Student's t, as Hunter does in
place of permutations (Fleming et al. 2023), and the best one counts if it is still beyond chance
when all splits that were tried are counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from specc.analysis.student import t_cdf

FEWEST = 10
"""Points below which a change can't be told from chance: compare two runs instead."""
SHORTEST = 3
"""Points of each stretch: fewer are outliers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePoint:
    """Where a series changed its level."""

    place: int
    """Index of the first value of the new level."""
    before: float
    """Mean of the old level, on the scale of the values."""
    after: float
    p: float
    """Two-sided, all splits counted (Bonferroni)."""


def change_point(values: Sequence[float], *, alpha: float) -> ChangePoint | None:
    """Return the most likely change of level; None when chance explains the best split.

    values: (runs,) in order, on a scale where noise is even (logarithms of times and rates).
    alpha: chance of a change where there is none, for independent normal noise.
    Raises ValueError below FEWEST points.
    """
    x = np.asarray(values, dtype=np.float64)
    n = len(x)
    if n < FEWEST:
        raise ValueError(f"{n} points: a change needs at least {FEWEST}")
    if np.ptp(x) == 0:
        return None
    splits = np.arange(SHORTEST, n - SHORTEST + 1)
    # sums of all stretches at once; centred, so that squares keep their digits
    centred = x - x.mean()
    sums, squares = np.cumsum(centred)[splits - 1], np.cumsum(centred**2)[splits - 1]
    total, whole = float(centred.sum()), float((centred**2).sum())
    left, right = sums / splits, (total - sums) / (n - splits)
    within = squares - splits * left**2 + (whole - squares) - (n - splits) * right**2
    error = np.sqrt(np.maximum(within, 0) / (n - 2) * (1 / splits + 1 / (n - splits)))
    gap = np.abs(right - left)
    scores = np.divide(gap, error, out=np.full_like(gap, math.inf), where=error > 0)
    best = int(np.argmax(scores))
    place = int(splits[best])
    score = float(scores[best])
    p = 0.0 if math.isinf(score) else 2 * (1 - t_cdf(score, n - 2.0))
    p = min(1.0, p * len(splits))
    if p > alpha:
        return None
    before, after = float(x[:place].mean()), float(x[place:].mean())
    return ChangePoint(place=place, before=before, after=after, p=p)
