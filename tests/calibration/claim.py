"""A promise about how often an estimator may err, and what a simulation with known truth found."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

GROSS = 1e-3
"""A test fails when a kept promise would look this bad, or worse, less often than this."""
_Z = 1.959963984540054
"""The standard normal's 97.5 % point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One row of docs/calibration.md."""

    name: str
    """What is promised, in words: "FAIL although nothing changed"."""
    truth: str
    """What was simulated: "lognormal, 4 % between runs, 5 runs each, no change"."""
    method: str
    """Estimator and its settings."""
    trials: int
    hits: int
    """In how many trials that happened."""
    bound: float
    """The promised rate, 0..1."""
    side: Literal["at_least", "at_most"]

    @property
    def rate(self) -> float:
        return self.hits / self.trials

    @property
    def holds(self) -> bool:
        """Whether the measured rate keeps the promise, without any slack."""
        return self.rate >= self.bound if self.side == "at_least" else self.rate <= self.bound

    @property
    def wilson(self) -> tuple[float, float]:
        """The 95 % score interval of the rate (Wilson 1927)."""
        n, p, zz = self.trials, self.rate, _Z * _Z
        middle = (p + zz / (2 * n)) / (1 + zz / n)
        half = _Z / (1 + zz / n) * math.sqrt(p * (1 - p) / n + zz / (4 * n * n))
        return max(0.0, middle - half), min(1.0, middle + half)

    @property
    def grossly_broken(self) -> bool:
        """Whether so bad a count is next to impossible at the promised rate (exact binomial)."""
        if self.side == "at_most":
            return _at_least(self.hits, self.trials, self.bound) < GROSS
        return _at_least(self.trials - self.hits, self.trials, 1 - self.bound) < GROSS


def _at_least(hits: int, trials: int, p: float) -> float:
    """Return P(X >= hits) for X binomial."""
    if hits == 0 or p >= 1:
        return 1.0
    if p <= 0:
        return 0.0
    logs = (
        math.lgamma(trials + 1)
        - math.lgamma(k + 1)
        - math.lgamma(trials - k + 1)
        + k * math.log(p)
        + (trials - k) * math.log1p(-p)
        for k in range(hits, trials + 1)
    )
    return min(1.0, math.fsum(math.exp(one) for one in logs))
