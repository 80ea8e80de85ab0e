"""A promise about how often an estimator may err, and what a simulation with known truth found."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from specc.analysis.proportions import wilson

GROSS = 1e-3
"""A test fails when a kept promise would look this bad, or worse, less often than this."""


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
        found = wilson(self.hits, self.trials)
        assert found.low is not None
        assert found.high is not None
        return found.low, found.high

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
