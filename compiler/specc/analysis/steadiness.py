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
from specc.analysis.long_run import Noise, of_rest, step_after, tested
from specc.analysis.outliers import NORMAL
from specc.analysis.signs import change
from specc.analysis.student import t_cdf

LIMIT = 0.05
"""Share of its level by which a run may move before it counts as moving."""
ALPHA = 0.01
"""Chance at which a run that stands still is called moving; a cell of five runs then stays
below one in twenty."""
FEWEST = 30
"""Values below which nothing is said of one run."""
FEWEST_DRIFT = 8
"""Values below which a run has no drift that could be held against that of other runs."""
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
_CHUNK = 1 << 18
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
    left out); None below `FEWEST_DRIFT`."""
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
    Source: least squares with a long-run variance (see `long_run.tested`); warm-up: MSER-5, White,
    Cobb and Spratt (2000). Error rates: docs/calibration.md.
    """
    series = as_array(values)
    n = len(series)
    short = f"{n} values: steadiness needs {FEWEST}" if n < FEWEST else None
    size = -(-n // MOST)
    scale = _scaled(series, size) if n >= FEWEST_DRIFT else None
    if scale is None:
        reason = short or "the level is 0: no change can be a share of it"
        return _silent(n, reason, drift=None)
    clipped, share = scale
    if short is not None:
        line = np.linspace(-0.5, 0.5, n)
        return _silent(n, short, drift=share(dot(line, clipped) / dot(line, line)))
    if float(np.ptp(clipped)) <= 1e-12:
        return _silent(n, None, drift=0.0)
    cut = _warm_up(clipped, alpha) * size
    warm_change = _differs(series[:cut], series[cut:], series) if cut else 0.0
    warm_up = cut if abs(warm_change) > limit else 0
    kept = clipped[warm_up // size :]
    place = _place(kept)
    at = warm_up + place * size
    line, step = np.linspace(-0.5, 0.5, len(kept)), step_after(len(kept), place)
    noise = _noise(kept, line, step)
    slope, line_p = tested(kept, line, noise)
    jump, step_p = tested(kept, step, noise)
    level_p = min(1.0, step_p * _PLACES)
    drift, level = share(slope), _differs(series[at:], series[warm_up:at], series)
    moved = []
    if warm_up:
        moved.append(f"the first {warm_up} of {n} values differ by {change(warm_change)}")
    enough = noise.worth >= FEWEST_INDEPENDENT
    drifts = enough and abs(drift) > limit and line_p < alpha / 2
    jumps = enough and abs(level) > limit and level_p < alpha / 2
    # of two shapes that both fit, the one that takes more of the spread away
    if jumps and (jump**2 * dot(step, step) > slope**2 * dot(line, line) or not drifts):
        moved.append(f"level changed by {change(level)} after {at} of {n} values")
    elif drifts:
        moved.append(f"drift of {change(drift)} over the run")
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
    middle = _median(base)
    return (_median(part) - middle) / abs(middle or _median(whole))


def _median(values: Array) -> float:
    """Return the median; of a long stretch, that of an even selection."""
    return float(np.median(values[:: -(-len(values) // _CHUNK)]))


def _silent(n: int, reason: str | None, *, drift: float | None) -> Steadiness:
    """Return what is known of a run in which nothing can be tested."""
    return Steadiness(
        n=n,
        effective_n=float(n),
        drift=drift,
        drift_p=None,
        level_change=0.0 if reason is None else None,
        level_p=None,
        changed_at=None,
        warm_up=0,
        warm_up_change=None,
        significant=False,
        reason=reason,
    )


def _scaled(series: Array, size: int) -> tuple[Array, Callable[[float], float]] | None:
    """Return the means of clipped batches and how a difference in them becomes a share.

    size: values in a batch. One value of each is enough to find level and spread of a long run, and
    a few batches at a time keep its copies small.
    """
    few = series[::size]
    level, positive = abs(float(np.median(few))), float(np.min(series)) > 0
    if not positive and level == 0:
        return None

    def on_scale(values: Array) -> Array:
        found: Array = np.log(values) if positive else values / level
        return found

    seen = on_scale(few)
    middle = float(np.median(seen))
    reach = _CLIP * NORMAL * float(np.median(np.abs(seen - middle))) or math.inf
    batches = series[: len(series) // size * size].reshape(-1, size)
    step = max(1, _CHUNK // size)
    means = [
        np.clip(on_scale(batches[at : at + step]), middle - reach, middle + reach).mean(axis=1)
        for at in range(0, len(batches), step)
    ]
    return np.concatenate(means), math.expm1 if positive else float


def _noise(series: Array, line: Array, step: Array) -> Noise:
    """Return what is left of a run without its line and its step: how large, how dependent."""
    columns = np.column_stack((np.ones(len(series)), line, step))
    fitted, *_ = np.linalg.lstsq(columns, series, rcond=None)
    return of_rest(series - columns @ fitted, _TERMS)


def _place(series: Array) -> int:
    """Return after how many values the means of both sides differ most, for their lengths."""
    n = len(series)
    first, last = max(2, math.ceil(TRIM * n)), min(n - 2, math.floor((1 - TRIM) * n))
    before = np.arange(first, last + 1)
    sums = np.cumsum(series - np.mean(series))[before - 1]
    return int(before[np.argmax(np.abs(sums) / np.sqrt(before * (n - before)))])


def _warm_up(series: Array, alpha: float) -> int:
    """Return how many values at the beginning leave the line through the run by more than chance.

    Cuts are those of MSER-5 on the run and on what a straight line leaves of it: a drift would hide
    the one, and a warm-up tilts the line of the other.
    """
    n = len(series)
    line = np.linspace(-0.5, 0.5, n)
    flat = series - dot(line, series) / dot(line, line) * line
    for cut in sorted({_mser(series), _mser(flat)}):
        if cut < max(BATCH, _LEAST_WARM_UP * n):
            continue
        # how much the rest moves by chance; a decay within the warm-up is no chance
        rest, place = series[cut:] - np.mean(series[cut:]), np.linspace(-0.5, 0.5, n - cut)
        noise = of_rest(rest - dot(place, rest) / dot(place, place) * place, 2)
        step = step_after(n, cut)
        _, p = tested(series, step - dot(line, step) / dot(line, line) * line, noise)
        # the cut was chosen where the difference is large: that costs a factor of the choices
        if p * (n // BATCH) < alpha:
            return cut
    return 0


def _mser(series: Array) -> int:
    """Return the cut, in the first half, that leaves the mean of the rest its least error."""
    batches = series[: len(series) // BATCH * BATCH].reshape(-1, BATCH).mean(axis=1)
    batches = batches - np.mean(batches)
    left = np.arange(len(batches), 0, -1)
    sums, squares = np.cumsum(batches[::-1])[::-1], np.cumsum(batches[::-1] ** 2)[::-1]
    errors = (squares - sums**2 / left) / left.astype(np.float64) ** 2
    return int(np.argmin(errors[: max(len(batches) // 2, 1)])) * BATCH
