"""Compare run-level values of two sides: the difference of their centres and how sure it is.

Pure. The unit of replication is the run: one value for each run goes in. Quantities whose effects
from run to run multiply go in as logarithms, so that a difference is the logarithm of a ratio.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specc.analysis.student import t_cdf, t_quantile

Values = Sequence[float] | NDArray[np.float64]
"""(runs,), one finite number for each run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """How far the centre of the current runs lies above that of the baseline's."""

    centre: float
    """current - baseline, on the scale of the values."""
    error: float
    """Standard error of the centre; 0 when the runs of each side are equal."""
    freedom: float
    """Degrees of freedom of the error (Satterthwaite), >= 1."""
    runs: tuple[int, int]
    """Runs of baseline and current, >= 2 each; of the smallest cell for a mean over cells."""

    @property
    def orders(self) -> int:
        """In how many ways all runs could be dealt to the two sides."""
        return math.comb(sum(self.runs), self.runs[0])

    def flipped(self) -> Effect:
        """Return the same effect seen from the other side: a loss for a gain."""
        return Effect(centre=-self.centre, error=self.error, freedom=self.freedom, runs=self.runs)

    def p_above(self, limit: float) -> float:
        """Return the one-sided p value of "the true effect is at most `limit`".

        Where no run differs from its neighbours, the t test has no error to stand on; then it is
        the share of the orders of all runs that part the two sides as cleanly.
        """
        if self.error == 0:
            return 1 / self.orders if self.centre > limit else 1.0
        return 1 - t_cdf((self.centre - limit) / self.error, self.freedom)

    def surely_below(self, limit: float, level: float) -> bool:
        """Return whether the upper end of the two-sided interval at `level` is below `limit`.

        Runs without any spread may be at the limit; there must be three on each side, for two
        agree by chance too easily, above all where values are rounded.
        """
        if self.error == 0:
            return self.centre <= limit and self.orders >= 1 / (1 - level) - 1e-9
        return t_cdf((self.centre - limit) / self.error, self.freedom) < (1 - level) / 2

    def bound(self, side: float) -> float:
        """Return the quantile `side` (0..1) of the true effect: 0.975 is an upper bound."""
        return self.centre + (t_quantile(side, self.freedom) * self.error if self.error else 0.0)


class TooFewRuns(ValueError):
    """A side has fewer than two runs, so nothing is known of its spread."""


def difference(baseline: Values, current: Values) -> Effect:
    """Return Welch's comparison of two samples: no equal variances are assumed.

    baseline, current: (runs,) finite values.   Raises TooFewRuns below two runs on a side.
    Source: Welch 1947; checked against scipy.stats.ttest_ind in the unit test.
    """
    sides = [np.asarray(side, dtype=np.float64) for side in (baseline, current)]
    if min(map(len, sides)) < 2:
        raise TooFewRuns(f"{len(sides[0])} and {len(sides[1])} runs")
    # equal values may leave a variance of 1e-34, which is none
    squares = [float(side.var(ddof=1)) if np.ptp(side) > 0 else 0.0 for side in sides]
    shares = [square / len(side) for square, side in zip(squares, sides, strict=True)]
    freedom = _satterthwaite(shares, [len(side) - 1.0 for side in sides])
    return Effect(
        centre=float(sides[1].mean() - sides[0].mean()),
        error=math.sqrt(sum(shares)),
        freedom=freedom,
        runs=(len(sides[0]), len(sides[1])),
    )


def mean_over_cells(
    cells: Sequence[tuple[Values, Values]],
    repetitions: Sequence[tuple[Sequence[int], Sequence[int]]] | None,
) -> Effect:
    """Return the effect on the mean over cells, each cell counting the same.

    cells: (baseline runs, current runs) of each.   repetitions: of which repetition each of these
    runs is. What is left of a repetition's runs without their cells' means is added up over the
    cells before it is squared, which holds also where a repetition makes all its cells slow
    together, and where cells have lost runs (cluster-robust: Liang and Zeger 1986; each cell's part
    scaled for its own runs). None where that is not known: cells may then all go together, and
    their errors are averaged.
    Raises TooFewRuns when a cell has fewer than two runs on a side.
    """
    effects = [difference(*cell) for cell in cells]
    if repetitions is None:
        error = math.fsum(effect.error for effect in effects) / len(effects)
        freedom = min(effect.freedom for effect in effects)
    else:
        shares = [
            _shared_variance([(c[side], r[side]) for c, r in zip(cells, repetitions, strict=True)])
            for side in (0, 1)
        ]
        error = math.sqrt(math.fsum(shares))
        runs = [math.fsum(len(cell[side]) for cell in cells) / len(cells) for side in (0, 1)]
        freedom = _satterthwaite(shares, [n - 1 for n in runs])
    return Effect(
        centre=math.fsum(effect.centre for effect in effects) / len(effects),
        error=error,
        freedom=freedom,
        runs=(min(e.runs[0] for e in effects), min(e.runs[1] for e in effects)),
    )


def _shared_variance(cells: Sequence[tuple[Values, Sequence[int]]]) -> float:
    """Return the variance of the mean over cells, of (runs, repetition of each) for each cell."""
    left: dict[int, float] = {}
    for values, repetitions in cells:
        runs = np.asarray(values, dtype=np.float64)
        if np.ptp(runs) == 0:
            continue
        scale = math.sqrt(len(runs) / (len(runs) - 1)) / len(runs)
        for repetition, rest in zip(repetitions, scale * (runs - runs.mean()), strict=True):
            left[repetition] = left.get(repetition, 0.0) + float(rest)
    return math.fsum(rest * rest for rest in left.values()) / len(cells) ** 2


def _satterthwaite(shares: Sequence[float], freedoms: Sequence[float]) -> float:
    """Return the degrees of freedom of a sum of independent variance estimates."""
    total = math.fsum(shares)
    if total == 0:
        return math.fsum(freedoms)
    spent = math.fsum((s / total) ** 2 / f for s, f in zip(shares, freedoms, strict=True))
    return 1 / spent
