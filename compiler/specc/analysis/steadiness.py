"""Whether a run stood still while it was measured: warm-up, trend, change of level.

Pure. A run counts as moving only where the movement is both larger than `LIMIT` and more than
chance makes of a series that depends on itself as much as this one does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from specc.analysis.arrays import Array, Values, as_array, dot
from specc.analysis.dependence import memory
from specc.analysis.outliers import NORMAL
from specc.analysis.student import t_cdf

LIMIT = 0.05
"""Share of its level by which a run may move before it counts as moving."""
ALPHA = 0.01
"""Chance at which a run that stands still is called moving; a cell of five runs then stays
below one in twenty."""
FEWEST = 30
"""Values below which nothing is said."""
FEWEST_INDEPENDENT = 10.0
BATCH = 5
"""Values per batch of the warm-up rule: MSER-5."""
MOST = 16_384
"""Longer runs are examined by the means of so many batches at most (the method of batch means):
trend and level are the same, and the cost stays small."""
TRIM = 0.1
"""A change of level is looked for between this share of the run and as much before its end."""
_PLACES = 27.0
"""What the choice of the place costs: p at the 1 % point of the largest of all places is this many
times smaller than 1 % (Andrews 1993, table 1: 12.69 with 10 % trimmed)."""
_TERMS = 4
"""Mean, slope, step and its place: what is fitted before the rest is called noise."""
_CLIP = 5.0
"""Robust standard deviations at which a value stops to pull: one stall is an outlier, no trend."""
_LEAST_WARM_UP = 0.01
"""Share of the values that a warm-up must have to count: it then moves a p99."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steadiness:
    """How a run moved while it was measured. Shares are of the run's level: 0.1 is +10 %."""

    n: int
    effective_n: float
    """Independent values (of more than MOST: independent batch means) once a trend is taken out;
    n below `FEWEST`."""
    drift: float | None
    """Change from the first to the last value of a straight line through the run (its warm-up
    left out); None below `FEWEST`."""
    drift_p: float | None
    """Chance of at least such a slope in a run that stands still; None where the values depend on
    each other so much that it can't be told."""
    level_change: float | None
    """Change of the median at the place in the run where it changes most."""
    level_p: float | None
    """Chance of at least such a change, wherever it is."""
    changed_at: int | None
    """Number of values before that place."""
    warm_up: int
    """Values at the beginning that differ from the rest; 0 without a warm-up."""
    warm_up_change: float | None
    """By what share they differ; None without a warm-up."""
    significant: bool
    """True when the run moves: by more than LIMIT, and by more than chance does."""
    reason: str | None
    """What moves and by how much, or why nothing can be said; None when the run stands still."""


def examine(values: Values, *, limit: float = LIMIT, alpha: float = ALPHA) -> Steadiness:
    """Look for warm-up, trend and change of level in one run.

    values: (n,) in time, of one kind: what is known to differ between them divided out.
    Logs are taken where all values are above 0; values beyond 5 robust deviations are clipped.
    Source: least squares with a long-run variance (see `_tested`); warm-up: MSER-5, White, Cobb and
    Spratt (2000). Error rates: docs/calibration.md.
    """
    series = as_array(values)
    n = len(series)
    if n < FEWEST:
        return _silent(n, float(n), f"{n} values: steadiness needs {FEWEST}")
    scale = _scaled(series)
    if scale is None:
        return _silent(n, float(n), "the level is 0: no change can be a share of it")
    clipped, share = scale
    if float(np.ptp(clipped)) <= 1e-12:
        return _silent(n, float(n), None, still=True)
    size = -(-n // MOST)
    clipped = clipped[: n // size * size].reshape(-1, size).mean(axis=1)
    cut = _warm_up(clipped, alpha) * size
    warm_change = _differs(series[:cut], series[cut:], series) if cut else 0.0
    warm_up = cut if abs(warm_change) > limit else 0
    kept = clipped[warm_up // size :]
    place = _place(kept)
    at = warm_up + place * size
    line, step = np.linspace(-0.5, 0.5, len(kept)), _step(len(kept), place)
    noise = _noise(kept, line, step)
    slope, line_p = _tested(kept, line, noise)
    jump, step_p = _tested(kept, step, noise)
    level_p = min(1.0, step_p * _PLACES)
    drift, level = share(slope), _differs(series[at:], series[warm_up:at], series)
    moved = []
    if warm_up:
        moved.append(f"the first {warm_up} of {n} values differ by {warm_change:+.1%}")
    enough = noise.worth >= FEWEST_INDEPENDENT
    drifts = enough and abs(drift) > limit and line_p < alpha / 2
    jumps = enough and abs(level) > limit and level_p < alpha / 2
    # of two shapes that both fit, the one that takes more of the spread away
    if jumps and (jump**2 * dot(step, step) > slope**2 * dot(line, line) or not drifts):
        moved.append(f"level changed by {level:+.1%} after {at} of {n} values")
    elif drifts:
        moved.append(f"drift of {drift:+.1%} over the run")
    few = f"{noise.worth:.0f} independent values: steadiness needs {FEWEST_INDEPENDENT:.0f}"
    return Steadiness(
        n=n,
        effective_n=noise.worth,
        drift=drift,
        drift_p=line_p if enough else None,
        level_change=level,
        level_p=level_p if enough else None,
        changed_at=at,
        warm_up=warm_up,
        warm_up_change=warm_change if warm_up else None,
        significant=bool(moved),
        reason="; ".join(moved) or (None if enough else few),
    )


def common_drift(drifts: Sequence[float], *, limit: float = LIMIT, alpha: float = ALPHA) -> bool:
    """Tell whether runs of one point drift together: in the mean beyond limit and chance.

    drifts: (runs,) `Steadiness.drift` of each. A smooth drift in a quiet run can't be told from
    slow noise within that run, but repetitions that all drift alike can: they are the replicates.
    Source: Student's t of the drifts. False with fewer than three runs.
    """
    if len(drifts) < 3:
        return False
    each = np.log1p(np.maximum(np.asarray(drifts, dtype=np.float64), -0.999))
    centre, spread = float(each.mean()), float(each.std(ddof=1))
    if abs(math.expm1(centre)) <= limit:
        return False
    if spread <= 1e-12:
        return True
    return 2 * t_cdf(-abs(centre) / spread * math.sqrt(len(each)), len(each) - 1) < alpha


def _differs(part: Array, base: Array, whole: Array) -> float:
    """Return by what share the median of one part of a run differs from that of another."""
    middle = float(np.median(base))
    return (float(np.median(part)) - middle) / abs(middle or float(np.median(whole)))


def _silent(n: int, worth: float, reason: str | None, *, still: bool = False) -> Steadiness:
    nothing = 0.0 if still else None
    return Steadiness(
        n=n,
        effective_n=worth,
        drift=nothing,
        drift_p=None,
        level_change=nothing,
        level_p=None,
        changed_at=None,
        warm_up=0,
        warm_up_change=None,
        significant=False,
        reason=reason,
    )


def _scaled(series: Array) -> tuple[Array, Callable[[float], float]] | None:
    """Return the clipped series and how a difference in it becomes a share of the level."""
    if float(np.min(series)) > 0:
        return _clip(np.log(series)), math.expm1
    level = abs(float(np.median(series)))
    return (_clip(series / level), float) if level > 0 else None


def _clip(series: Array) -> Array:
    middle = float(np.median(series))
    spread = NORMAL * float(np.median(np.abs(series - middle)))
    if spread == 0:
        return series
    found: Array = np.clip(series, middle - _CLIP * spread, middle + _CLIP * spread)
    return found


@dataclass(frozen=True, slots=True)
class _Noise:
    variance: float
    worth: float
    n: int
    terms: int


def _noise(series: Array, line: Array, step: Array) -> _Noise:
    """Return what is left of a run without its line and its step: how large, how dependent."""
    columns = np.column_stack((np.ones(len(series)), line, step))
    fitted, *_ = np.linalg.lstsq(columns, series, rcond=None)
    return _of_rest(series - columns @ fitted, _TERMS)


def _of_rest(rest: Array, terms: int) -> _Noise:
    n = len(rest)
    variance = dot(rest, rest) / (n - terms)
    # without noise every movement is real; rounding is no noise
    worth = _worth(rest, terms) if variance > 1e-24 else float(n)
    return _Noise(max(variance, 1e-24), worth, n, terms)


def _worth(rest: Array, terms: int) -> float:
    """Return how many independent values residuals are worth, 2..n: the lesser of two estimates.

    A fit takes long waves out of what is left, which makes it look less dependent than it is. Each
    autocorrelation is too low by about terms / n times the memory, which is put back; and short
    series are taken for a first-order process with its coefficient corrected likewise.
    Source: Kendall (1954), Marriott and Pope (1954) for the bias; simulated in docs/calibration.md.
    """
    n = len(rest)
    positive, last = memory(rest)
    taken = min(terms * (2 * last + 1) / n, 0.8)
    longest = (1 + 2 * positive) / (1 - taken)
    first = dot(rest[:-1], rest[1:]) / dot(rest, rest)
    corrected = min((n * first + terms) / (n - 2 * terms), 0.999)
    by_order = (1 + corrected) / (1 - corrected)
    return max(2.0, min(float(n), n / longest, n / by_order))


def _tested(series: Array, shape: Array, noise: _Noise) -> tuple[float, float]:
    """Fit mean + b * shape; return b and its two-sided p.

    shape: (n,) with mean 0.   The variance of b is that of independent errors times n / worth (the
    long-run variance of the errors over their variance); what they are worth less what was fitted
    is its freedom.
    """
    power = dot(shape, shape)
    b = dot(shape, series) / power
    error = math.sqrt(noise.variance / power * noise.n / noise.worth)
    return b, 2 * t_cdf(-abs(b) / error, max(noise.worth - noise.terms, 1.0))


def _place(series: Array) -> int:
    """Return after how many values the means of both sides differ most, for their lengths."""
    n = len(series)
    first, last = max(2, math.ceil(TRIM * n)), min(n - 2, math.floor((1 - TRIM) * n))
    before = np.arange(first, last + 1)
    sums = np.cumsum(series - np.mean(series))[before - 1]
    return int(before[np.argmax(np.abs(sums) / np.sqrt(before * (n - before)))])


def _step(n: int, at: int) -> Array:
    """Return a step of 1 after `at` of n values, with mean 0."""
    found: Array = np.where(np.arange(n) < at, -(n - at) / n, at / n)
    return found


def _warm_up(series: Array, alpha: float) -> int:
    """Return how many values at the beginning differ from the rest by more than chance.

    The cut is the one of MSER-5: the least standard error of the mean of what is left, within the
    first half.
    """
    batches = series[: len(series) // BATCH * BATCH].reshape(-1, BATCH).mean(axis=1)
    count = len(batches)
    left = np.arange(count, 0, -1)
    middle = float(np.mean(batches))
    sums = np.cumsum((batches - middle)[::-1])[::-1]
    squares = np.cumsum(((batches - middle) ** 2)[::-1])[::-1]
    errors = (squares - sums**2 / left) / left.astype(np.float64) ** 2
    cut = int(np.argmin(errors[: max(count // 2, 1)])) * BATCH
    n = len(series)
    if cut < max(BATCH, _LEAST_WARM_UP * n):
        return 0
    # how much the rest moves by chance; a decay within the warm-up is no chance
    noise = _of_rest(series[cut:] - np.mean(series[cut:]), 1)
    _, p = _tested(series, _step(n, cut), noise)
    # the cut was chosen where the difference is large: that costs a factor of the choices
    return cut if p * (count // 2) < alpha else 0
