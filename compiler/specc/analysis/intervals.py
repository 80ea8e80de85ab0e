"""Say how well a few runs pin a number down: confidence intervals over run-level values.

Pure. The unit of replication is the run: one value for each run goes in, however many rows stand
behind it. Positive quantities are averaged on the log scale, because run-to-run effects multiply.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from specc.analysis.student import t_quantile

LEVEL = 0.95


class Interval(NamedTuple):
    """The centre of some runs and where the true centre lies, in the unit of the values.

    A tuple, which is made faster than a frozen dataclass: each of ten thousand numbers has one.
    """

    centre: float | None
    """Geometric mean of positive values, arithmetic mean otherwise; None without values."""
    low: float | None
    """None with fewer than two runs: one run says nothing about the next one."""
    high: float | None
    runs: int
    level: float
    method: str
    """"t on log values" or "t"."""
    reason: str | None
    """Why there is no interval; None when there is one."""


def geometric_mean(values: Sequence[float]) -> float:
    """Return exp(mean(log(values))); all values must be > 0. Raises ValueError otherwise."""
    if not values or min(values) <= 0:
        raise ValueError("a geometric mean needs values above zero")
    return math.exp(math.fsum(math.log(v) for v in values) / len(values))


def over_runs(values: Sequence[float], *, level: float = LEVEL) -> Interval:
    """Return the t interval of run-level values: on their logs when all are > 0, else as they are.

    values: (runs,), one finite value per run.
    Source: Student's t; checked against scipy.stats.t.interval and by simulation in the tests.
    """
    runs = len(values)
    if runs == 0:
        return _no_interval(None, 0, level, "t", "no run has a value")
    if runs == 1 or min(values) == max(values):
        # to logs and back would cost equal byte counts their last digits
        return _equal(values[0], runs, level)
    positive = min(values) > 0
    method = "t on log values" if positive else "t"
    inputs = [math.log(v) for v in values] if positive else list(values)
    centre = math.fsum(inputs) / runs
    shown = math.exp if positive else float
    variance = math.fsum((x - centre) ** 2 for x in inputs) / (runs - 1)
    half = t_quantile((1 + level) / 2, runs - 1) * math.sqrt(variance / runs)
    # three runs that differ wildly can ask for more than a float holds
    if positive and centre + half > math.log(1e300):
        return _no_interval(shown(centre), runs, level, method, "the runs differ too much")
    return Interval(
        centre=shown(centre),
        low=shown(centre - half),
        high=shown(centre + half),
        runs=runs,
        level=level,
        method=method,
        reason=None,
    )


def _equal(value: float, runs: int, level: float) -> Interval:
    method = "t on log values" if value > 0 else "t"
    if runs == 1:
        reason = "one run: an interval needs at least two repetitions"
        return _no_interval(value, 1, level, method, reason)
    return Interval(
        centre=value, low=value, high=value, runs=runs, level=level, method=method, reason=None
    )


def _no_interval(
    centre: float | None, runs: int, level: float, method: str, reason: str
) -> Interval:
    return Interval(
        centre=centre, low=None, high=None, runs=runs, level=level, method=method, reason=reason
    )
