"""Slopes and knees of loss curves, correlations over configurations.

Curves have multiplicative noise, AR(1) with the stated correlation from one step to the next. A
correlation's configurations have an effect of their own, which all of their seeds share.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from claim import Claim
from numpy.typing import NDArray
from scipy.signal import lfilter

from specc.analysis.association import pearson, spearman
from specc.analysis.slopes.knee import two_segment_knee
from specc.analysis.slopes.log_slope import loglog_slope
from specc.analysis.slopes.power_law import power_law

Array = NDArray[np.float64]
Random = np.random.Generator
STEPS = np.arange(50.0, 2050.0)
BEND = 500.0
SLOPE = "least squares in log-log, errors times the root of n over effective n, Student's t"
KNEE = "best of 400 places; profile likelihood; tube formula for the chance over all places"
LAW = (
    "variable projection over log-spaced bins; White's errors times the root of n over effective n"
)
TIES = "atanh, jackknife over configurations, Student's t"
WITHIN, BETWEEN = 0.6, 0.8
"""Correlation of the runs of one configuration, and of the configurations' effects."""


def noisy(rng: Random, curve: Array, spread: float, r: float) -> Array:
    white = rng.normal(size=len(curve) + 1000)
    made: Array = curve * np.exp(
        spread * lfilter([math.sqrt(1 - r * r)], [1, -r], white)[-len(curve) :]
    )
    return made


def slope_covers(rng: Random, r: float, n: int = 2000) -> bool:
    found = loglog_slope(STEPS[:n], noisy(rng, 3 * STEPS[:n] ** -0.4, 0.1, r), window=None)
    assert found.low is not None
    assert found.high is not None
    return found.low <= -0.4 <= found.high


def law_covers(rng: Random, r: float) -> bool:
    curve = noisy(rng, 0.1 + 3 * STEPS**-0.5, 0.05, r)
    found = power_law(STEPS, curve, from_step=None)
    if found.alpha is None or found.alpha_se is None:
        return False
    return abs(found.alpha - 0.5) <= 1.96 * found.alpha_se


def bent(by: float) -> Array:
    made: Array = 2 * STEPS**-0.3 * np.maximum(STEPS / BEND, 1.0) ** -by
    return made


def knee_covers(rng: Random, by: float, r: float) -> bool:
    """Tell whether a knee is found and its interval holds the truth."""
    found = two_segment_knee(STEPS, noisy(rng, bent(by), 0.1, r))
    return found.low is not None and found.high is not None and found.low <= BEND <= found.high


def false_knee(rng: Random, r: float, n: int = 2000) -> bool:
    return two_segment_knee(STEPS[:n], noisy(rng, bent(0)[:n], 0.1, r)).value is not None


def smooth_told(rng: Random) -> bool:
    curve = 2 * STEPS**-0.1 / (1 + STEPS / BEND)
    return two_segment_knee(STEPS, noisy(rng, curve, 0.1, 0.0)).smooth is True


def tie_covers(
    rng: Random, method: Callable[..., object], clusters: int, *, apart: bool = False
) -> bool:
    """Tell whether the interval over 6 seeds of each configuration holds the true correlation."""
    share = 0.7
    effects = pairs(rng, clusters, BETWEEN).repeat(6, axis=1)
    x, y = math.sqrt(share) * effects + math.sqrt(1 - share) * pairs(rng, 6 * clusters, WITHIN)
    r = share * BETWEEN + (1 - share) * WITHIN
    truth = r if method is pearson else 6 / math.pi * math.asin(r / 2)
    ties = spearman if method is spearman else pearson
    names = None if apart else np.arange(clusters).repeat(6).tolist()
    found = ties(x, y, clusters=names)
    return found.low is not None and found.high is not None and found.low <= truth <= found.high


def pairs(rng: Random, n: int, r: float) -> Array:
    """Return (2, n) standard normal values whose rows correlate with r."""
    first, second = rng.normal(size=(2, n))
    return np.stack([first, r * first + math.sqrt(1 - r * r) * second])


def claims(trials: int, seed: int) -> list[Claim]:
    """Return what fits of curves and correlations promise, measured."""
    found: list[Claim] = []

    def add(
        name: str,
        truth: str,
        method: str,
        bound: float,
        side: Literal["at_least", "at_most"],
        happens: Callable[[Random], bool],
    ) -> None:
        rng = np.random.default_rng([seed, len(found)])
        hits = sum(happens(rng) for _ in range(trials))
        found.append(
            Claim(
                name=name, truth=truth, method=method, trials=trials, hits=hits, bound=bound,
                side=side,
            )
        )  # fmt: skip

    for n, r in ((2000, 0.0), (2000, 0.6), (2000, 0.95), (60, 0.0), (60, 0.6)):
        truth = f"{n:,} steps, 10 % noise, AR(1) {r:g}"
        covers = lambda rng, r=r, n=n: slope_covers(rng, r, n)  # noqa: E731
        add("the interval of a slope holds the truth", truth, SLOPE, 0.94, "at_least", covers)
    for r in (0.0, 0.9):
        truth = f"2,000 steps, exponent 0.5 with an offset, 5 % noise, AR(1) {r:g}"
        name = "an exponent is within 1.96 standard errors of the truth"
        add(name, truth, LAW, 0.9, "at_least", lambda rng, r=r: law_covers(rng, r))
    for by, r in ((0.3, 0.0), (0.6, 0.0), (0.6, 0.8)):
        truth = f"2,000 steps, slope from -0.3 to {-0.3 - by:g}, 10 % noise, AR(1) {r:g}"
        name = "a knee is found and its interval holds the truth"
        add(name, truth, KNEE, 0.94, "at_least", lambda rng, b=by, r=r: knee_covers(rng, b, r))
    for n, r in ((2000, 0.0), (2000, 0.8), (200, 0.0)):
        truth = f"{n:,} steps on one line, 10 % noise, AR(1) {r:g}"
        flat = lambda rng, r=r, n=n: false_knee(rng, r, n)  # noqa: E731
        add("a knee is shown where there is none", truth, KNEE, 0.05, "at_most", flat)
    name = "for comparison: a knee is shown in noise that is slower than a tenth of the curve"
    truth = "2,000 steps on one line, 10 % noise, AR(1) 0.99"
    add(name, truth, KNEE, 0.25, "at_most", lambda rng: false_knee(rng, 0.99))
    name = "a curve that bends smoothly is said to"
    truth = "2,000 steps, slope from -0.1 to -1.1, 10 % noise, AR(1) 0"
    add(name, truth, KNEE, 0.9, "at_least", smooth_told)
    for ties in (spearman, pearson):
        for clusters in (9, 36):
            truth = f"{clusters} configurations of 6 seeds, 70 % of the variance between them"
            name = f"the interval of {ties.__name__.title()}'s correlation holds the truth"
            held = lambda rng, t=ties, c=clusters: tie_covers(rng, t, c)  # noqa: E731
            add(name, truth, TIES, 0.93, "at_least", held)
    name = "for comparison: an interval that takes all runs as independent holds the truth"
    truth = "36 configurations of 6 seeds, 70 % of the variance between them"
    method = "atanh, jackknife over runs; not used for configurations"
    add(name, truth, method, 0.9, "at_most", lambda rng: tie_covers(rng, pearson, 36, apart=True))
    return found
