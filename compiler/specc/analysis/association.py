"""Whether two measures of the same runs go together, when runs of one configuration resemble.

Pure. The interval leaves out one configuration after the other (cluster jackknife): seeds of a
configuration share its effect, and counting them as independent would make it too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from specc.analysis.arrays import Array, Values, as_array, dot
from specc.analysis.student import t_cdf, t_quantile

LEVEL = 0.95
LEAST = 4
"""Pairs: three on a line prove nothing."""
LEAST_CLUSTERS = 4
Method = Literal["spearman", "pearson"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """A correlation, -1..1."""

    value: float | None
    low: float | None
    """95 % interval, like `high`, clustered where clusters were given; None with a reason."""
    high: float | None
    p: float | None
    """Two-sided, of "no association", as if all runs were independent."""
    p_clustered: float | None
    """The same from the errors of the interval; None where there is no interval."""
    n: int
    """Pairs of finite values."""
    clusters: int
    """Configurations among them."""
    left_out: int
    """Pairs without two finite values."""
    method: Method
    reason: str | None
    """Why there is no value, or no interval; None when there are both."""


def spearman(
    first: Values, second: Values, *, clusters: Sequence[Hashable] | None = None
) -> Association:
    """Return Spearman's rho: Pearson's correlation of ranks, ties sharing their mean rank.

    first, second: (n,) one pair for each run; NaN, inf and None leave a pair out.
    clusters: (n,) the configuration of each run; None: every run is its own.
    Never raises on data. Source: p from t = r sqrt((n - 2) / (1 - r^2)), as scipy.stats.spearmanr;
    interval: jackknife over clusters of atanh(rho), ranks made anew, Student's t with clusters - 1
    degrees of freedom; coverage simulated in docs/calibration.md.
    """
    return _associated(first, second, clusters, "spearman")


def pearson(
    first: Values, second: Values, *, clusters: Sequence[Hashable] | None = None
) -> Association:
    """Return Pearson's r; all else as `spearman`. Source: checked against scipy.stats.pearsonr."""
    return _associated(first, second, clusters, "pearson")


def ranks(values: Array) -> Array:
    """Return ranks from 1; equal values share the mean of theirs. values: (n,) finite."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    found: Array = (last - (counts - 1) / 2)[place]
    return found


def _associated(
    first: Values, second: Values, clusters: Sequence[Hashable] | None, method: Method
) -> Association:
    x, y = as_array(first), as_array(second)
    names = list(clusters) if clusters is not None else list(range(len(x)))
    if not len(x) == len(y) == len(names):
        reason = f"{len(x)}, {len(y)} and {len(names)} values don't make pairs"
        return _none(reason, method, n=0, clusters=0, left_out=0)
    kept = np.isfinite(x) & np.isfinite(y)
    x, y = x[kept], y[kept]
    numbers: dict[Hashable, int] = {}
    group = np.array(
        [numbers.setdefault(name, len(numbers)) for name, k in zip(names, kept, strict=True) if k],
        dtype=np.int64,
    )
    n, left_out = len(x), int((~kept).sum())
    if n < LEAST:
        reason = f"{n} pairs of finite values, an association needs {LEAST}"
        return _none(reason, method, n=n, clusters=len(numbers), left_out=left_out)
    value = _correlation(x, y, method)
    if value is None:
        varies = _correlation(x, np.arange(n, dtype=np.float64), method) is not None
        constant = "the second" if varies else "the first"
        reason = f"{constant} measure never varies"
        return _none(reason, method, n=n, clusters=len(numbers), left_out=left_out)
    low, high, p_clustered, unbounded = _interval(x, y, group, value, method)
    return Association(
        value=value,
        low=low,
        high=high,
        p=_classic(value, n),
        p_clustered=p_clustered,
        n=n,
        clusters=len(numbers),
        left_out=left_out,
        method=method,
        reason=unbounded,
    )


def _correlation(x: Array, y: Array, method: Method) -> float | None:
    """Return the correlation; None when a side never varies."""
    if len(x) < 2:
        return None
    if method == "spearman":
        x, y = ranks(x), ranks(y)
    # very large or small numbers would lose their squares
    sides = []
    for side in (x, y):
        scaled = side / max(float(np.max(np.abs(side))), 1e-300)
        centred = scaled - np.mean(scaled)
        if float(np.max(np.abs(centred))) <= 1e-14:
            return None
        sides.append(centred / np.max(np.abs(centred)))
    a, b = sides
    return max(-1.0, min(1.0, dot(a, b) / math.sqrt(dot(a, a) * dot(b, b))))


def _classic(value: float, n: int) -> float:
    if abs(value) >= 1:
        return 0.0
    return 2 * t_cdf(-abs(value) * math.sqrt((n - 2) / (1 - value * value)), n - 2)


def _interval(
    x: Array, y: Array, group: npt.NDArray[np.int64], value: float, method: Method
) -> tuple[float | None, float | None, float | None, str | None]:
    """Return low, high, p and why there are none."""
    count = int(group.max()) + 1
    if count < LEAST_CLUSTERS:
        reason = f"no interval: {count} configurations, it needs {LEAST_CLUSTERS}"
        return None, None, None, reason
    without = [_correlation(x[group != g], y[group != g], method) for g in range(count)]
    if any(each is None for each in without):
        reason = "no interval: without one of the configurations a measure never varies"
        return None, None, None, reason
    found = np.array(without, dtype=np.float64)
    if abs(value) >= 1 or np.any(np.abs(found) >= 1):
        return None, None, None, "no interval: the order is perfect, so nothing shows its error"
    turned = np.arctanh(found)
    error = math.sqrt((count - 1) / count * float(np.sum((turned - np.mean(turned)) ** 2)))
    centre = math.atanh(value)
    half = t_quantile((1 + LEVEL) / 2, count - 1) * error
    p = 2 * t_cdf(-abs(centre) / error, count - 1) if error > 0 else None
    return math.tanh(centre - half), math.tanh(centre + half), p, None


def _none(reason: str, method: Method, *, n: int, clusters: int, left_out: int) -> Association:
    return Association(
        value=None, low=None, high=None, p=None, p_clustered=None, n=n, clusters=clusters,
        left_out=left_out, method=method, reason=reason,
    )  # fmt: skip
