"""Intervals of values and percentiles, over runs and within one.

Over runs: each of few runs has an effect of its own (4 %, lognormal), which all of its 2,000
requests share. The true value is that of a run without such an effect. The last row is why the
intervals are no bootstrap.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from claim import Claim
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.stats import norm

from specc.analysis.dependence import effective_samples
from specc.analysis.intervals import over_runs
from specc.analysis.order_statistics import within_run
from specc.analysis.percentiles import percentile, samples_needed

Array = NDArray[np.float64]
BETWEEN, WITHIN, REQUESTS = 0.04, 0.3, 2000
T = "Student's t on the logs of run-level values"
ORDER = "two order statistics, ranks from the binomial of the effective samples"
RESAMPLES = 1000


def quantile(share: float) -> float:
    """Return the true percentile of a run without an effect."""
    return math.exp(WITHIN * float(norm.ppf(share)))


def run_percentiles(rng: np.random.Generator, runs: int, percent: float) -> list[float]:
    effects = np.exp(rng.normal(0, BETWEEN, runs))
    values = effects[:, None] * np.exp(rng.normal(0, WITHIN, (runs, REQUESTS)))
    return [percentile(each, percent) for each in np.sort(values, axis=1)]


def t_covers(rng: np.random.Generator, runs: int, percent: float) -> bool:
    found = over_runs(run_percentiles(rng, runs, percent))
    assert found.low is not None
    assert found.high is not None
    return found.low <= quantile(percent / 100) <= found.high


def bootstrap_covers(rng: np.random.Generator, runs: int, percent: float) -> bool:
    """Tell whether the percentile bootstrap of the geometric mean over runs covers the truth."""
    logs = np.log(run_percentiles(rng, runs, percent))
    centres = logs[rng.integers(0, runs, (RESAMPLES, runs))].mean(axis=1)
    low, high = np.exp(np.quantile(centres, [0.025, 0.975]))
    return bool(low <= quantile(percent / 100) <= high)


def order_covers(rng: np.random.Generator, n: int, percent: float, r: float) -> bool:
    white = rng.normal(size=n + 200)
    noise = lfilter([math.sqrt(1 - r * r)], [1, -r], white)[200:]
    values: Array = np.exp(WITHIN * noise)
    found = within_run(np.sort(values), percent, effective_n=effective_samples(values))
    return found is not None and found[0] <= quantile(percent / 100) <= found[1]


def largest_bounds(rng: np.random.Generator, percent: float) -> bool:
    """Tell whether the largest of as few values as are asked for is above the percentile."""
    return bool(rng.random(samples_needed(percent)).max() >= percent / 100)


def count(happens: Callable[[np.random.Generator], bool], trials: int, seed: int) -> int:
    rng = np.random.default_rng(seed)
    return sum(happens(rng) for _ in range(trials))


def claims(trials: int, seed: int) -> list[Claim]:
    """Return the coverage of every interval, measured."""
    found = [
        Claim(
            name=f"the interval of p{percent:g} over runs holds the truth",
            truth=f"{runs} runs",
            method=T,
            trials=trials,
            hits=count(lambda rng, r=runs, p=percent: t_covers(rng, r, p), trials, seed),
            bound=0.94,
            side="at_least",
        )
        for runs, percent in ((3, 50.0), (5, 50.0), (5, 99.0), (10, 99.0))
    ]
    found += [
        Claim(
            name=f"the interval of p{percent:g} within one run holds the truth",
            truth=f"{n} values, AR(1) {r:g}",
            method=ORDER,
            trials=trials,
            hits=count(
                lambda rng, n=n, p=percent, r=r: order_covers(rng, n, p, r), trials, seed
            ),
            bound=bound,
            side="at_least",
        )
        for n, percent, r, bound in (
            (100, 50.0, 0.0, 0.94), (1000, 95.0, 0.0, 0.94), (2000, 99.0, 0.0, 0.94),
            (5000, 99.9, 0.0, 0.94), (2000, 50.0, 0.6, 0.94), (5000, 99.0, 0.6, 0.94),
        )
    ]  # fmt: skip
    found += [
        Claim(
            name=f"the fewest samples bound p{percent:g} from above",
            truth=f"{samples_needed(percent)} values",
            method="the largest value; fewer samples are refused the percentile",
            trials=trials,
            hits=count(lambda rng, p=percent: largest_bounds(rng, p), trials, seed),
            bound=0.94,
            side="at_least",
        )
        for percent in (90.0, 99.0, 99.9)
    ]
    found.append(
        Claim(
            name="for comparison: a bootstrap interval of p99 over runs holds the truth",
            truth="5 runs",
            method=f"percentile bootstrap, {RESAMPLES} resamples; not used anywhere",
            trials=trials,
            hits=count(lambda rng: bootstrap_covers(rng, 5, 99.0), trials, seed),
            bound=0.9,
            side="at_most",
        )
    )
    return found
