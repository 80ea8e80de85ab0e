"""Compare many points at once without finding differences where there are none.

Pure, and without numpy: every report's sentences use it. The unit of replication is the run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from specc.analysis.student import t_cdf

ALPHA = 0.05
"""Chance, over all comparisons of one claim together, that it is made although it is wrong."""


def holm(chances: Sequence[float]) -> list[float]:
    """Return p values adjusted for their number, in the order given; at most 1.

    Source: Holm (1979), step down: the i-th smallest of m times m - i + 1, never below an earlier
    one. Holds whatever the dependence between the comparisons.
    """
    order = sorted(range(len(chances)), key=chances.__getitem__)
    found, least = [0.0] * len(chances), 0.0
    for step, place in enumerate(order):
        least = max(least, min(1.0, chances[place] * (len(chances) - step)))
        found[place] = least
    return found


def bonferroni_pairs(chance: float, points: int) -> float:
    """Return the p of one pair that was picked from all pairs of some points; at most 1."""
    return min(1.0, chance * points * (points - 1) / 2)


def differ(
    first: Sequence[float], second: Sequence[float], *, paired: bool, varies: bool = False
) -> float | None:
    """Return the two-sided p of "the centres are equal"; None with fewer than two runs on a side.

    first, second: (runs,) one value per run; logs are compared where all are above 0.
    paired: run i of both was measured in the same block, so that what the block adds falls out.
    Values that never vary differ for sure or not at all. varies: the quantity varies between runs
    elsewhere, so that equal runs are luck, or rounded: then their p is the share of the orders of
    all runs that part the sides as cleanly.
    Source: Welch (1947), or Student's t of the differences; checked against scipy.stats.
    """
    if min(len(first), len(second)) < 2:
        return None
    sides = [first, second]
    if min(map(min, sides)) > 0:
        sides = [[math.log(value) for value in side] for side in sides]
    if paired and len(first) == len(second):
        gaps = [b - a for a, b in zip(*sides, strict=True)]
        centre, error, freedom = _mean(gaps), _error(gaps), len(gaps) - 1.0
    else:
        centre = _mean(sides[1]) - _mean(sides[0])
        squares = [_error(side) ** 2 for side in sides]
        error = math.sqrt(sum(squares))
        freedom = _satterthwaite(squares, [len(side) - 1 for side in sides])
    # what rounding leaves is no spread
    if error <= 1e-13 * max(abs(value) for side in sides for value in (*side, 1.0)):
        if abs(centre) <= 1e-12:
            return 1.0
        runs = len(first)
        orders = 2.0**runs if paired else math.comb(runs + len(second), runs)
        lucky = varies and all(min(side) == max(side) for side in sides)
        return min(1.0, 2 / orders) if lucky else 0.0
    return 2 * t_cdf(-abs(centre) / error, freedom)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _error(values: Sequence[float]) -> float:
    """Return the standard error of the mean of some values."""
    middle = _mean(values)
    square = math.fsum((value - middle) ** 2 for value in values) / (len(values) - 1)
    return math.sqrt(square / len(values))


def _satterthwaite(squares: Sequence[float], freedoms: Sequence[int]) -> float:
    total = sum(squares)
    if total == 0:
        return float(sum(freedoms))
    return 1 / sum((s / total) ** 2 / f for s, f in zip(squares, freedoms, strict=True))
