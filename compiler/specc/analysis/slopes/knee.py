"""Where a loss curve changes its slope on logarithmic axes: the best two-segment breakpoint.

Pure. The model is two lines that meet: log(loss) = a + b x + c max(x - k, 0), x = log(epoch). For
a given k it is linear, and what the second line gains over one line is one projection, so that all
places are tried at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from specc.analysis.arrays import Array, Values, dot
from specc.analysis.long_run import of_rest
from specc.analysis.slopes.points import Bins, log_bins, usable
from specc.analysis.student import f_tail, t_cdf, t_quantile

MOST_BINS = 120
POINTS_PER_BIN = 4
LEAST_BINS = 12
EDGE_BINS = 3
"""Bins on either side of the knee: fewer show no line."""
PLACES = 400
ALPHA = 0.05
"""Chance of a knee in a curve that has none."""
LEVEL = 0.95
EXACT = 1e-3
"""Curves this close to one line, on average, are one; bins alone bend a line by some 1e-4."""
MISFIT = 0.01
"""Chance of calling two lines that are true a smooth bend."""
MOST_EXTRA = 5
"""Degree of the polynomial above a line."""
LEAST_FREEDOM = 4.0
"""Slow waves are worth next to nothing, and with one degree of freedom nothing could be said."""
_TERMS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Knee:
    """The breakpoint, in the unit of the epochs given."""

    value: float | None
    low: float | None
    """95 % interval, like `high`; it ends where the search does, 3 bins from the curve's ends."""
    high: float | None
    before: float | None
    """Slope in log-log up to the knee, and after it."""
    after: float | None
    p: float | None
    """Chance of a gain this large where one line is true, over all places together."""
    effective_n: float | None
    """Independent bins that the rest of the fit is worth."""
    smooth: bool | None
    """True when two lines miss the curve by more than noise: it bends along a stretch, the knee is
    where two lines do best, and the interval allows for what they miss. None without a knee."""
    left_out: int
    """Points that were not finite or not above 0."""
    smoothing: str
    reason: str | None
    """Why there is no knee; None when there is one."""


def two_segment_knee(epoch: Values, loss: Values) -> Knee:
    """Return the knee of a curve, or say that one line suffices.

    epoch: (n,) rising, > 0 (steps do as well).   loss: (n,) [nats].   All points given count: leave
    the burn-in out to get the knee of the rest.
    A knee is there when the best place gains more than ALPHA allows over all places tried. Noise is
    what a polynomial leaves beside the two lines, dependence between bins allowed for, so that a
    curve that bends smoothly has a knee too, and says so.
    The interval holds the places whose fit is not worse by more than chance (profile likelihood
    with Student's t); what two lines miss of a smooth bend counts as slow noise there. Bins weigh
    by their points.
    Never raises on data. Memory: places times bins, 0.4 MB.
    Source: Hinkley (1969) for the two segments; Hotelling (1939), Knowles and Siegmund (1989) for
    the p over all places: the length of the curve of unit vectors. Coverage and false knees are
    simulated in docs/calibration.md.
    """
    points = usable(epoch, loss)
    if points.reason is not None:
        return _none(points.reason, points.left_out)
    most = max(LEAST_BINS, min(MOST_BINS, len(points.step) // POINTS_PER_BIN))
    smoothing = f"means over {most} log-spaced bins"
    bins = log_bins(points.step, points.loss, most=most)
    if len(bins.step) < LEAST_BINS:
        reason = f"{len(bins.step)} bins hold points, a knee needs {LEAST_BINS}"
        return _none(reason, points.left_out, smoothing)
    return _searched(bins, points.left_out, smoothing)


def _searched(bins: Bins, left_out: int, smoothing: str) -> Knee:
    x, y, root = np.log(bins.step), np.log(bins.loss), np.sqrt(bins.weight)
    # columns of the one line, made orthonormal under the weights
    line, _ = np.linalg.qr(np.stack([root, root * x], axis=1))
    places = np.linspace(x[EDGE_BINS - 1], x[-EDGE_BINS], PLACES)
    bends = root * np.maximum(x[None, :] - places[:, None], 0.0)
    bends -= (bends @ line) @ line.T
    units = bends / np.linalg.norm(bends, axis=1, keepdims=True)
    seen = root * y
    rest = seen - line @ (line.T @ seen)
    if dot(rest, rest) <= EXACT**2 * float(np.sum(bins.weight)):
        return _none("no knee: one line fits to 0.1 %", left_out, smoothing)
    gains = units @ rest
    best = int(np.argmax(np.abs(gains)))
    left = rest - gains[best] * units[best]
    noise, missed = _noise(x, root, left, np.column_stack([line, units[best]]))
    p = _chance(abs(float(gains[best])) / math.sqrt(noise.scale), noise.freedom, _length(units))
    if p > ALPHA:
        waves = noise.worth - _TERMS - noise.extra < LEAST_FREEDOM
        why = "slow waves drown what two lines gain" if waves else "one line suffices"
        reason = f"no knee: {why} (p = {p:.2g})"
        return _none(reason, left_out, smoothing, p=p, effective_n=noise.worth)
    smooth = f_tail(missed / noise.scale, noise.extra, noise.freedom) < MISFIT
    held = max(noise, _allowing(left, _TERMS), key=lambda each: each.allowed)
    inside = np.flatnonzero(gains**2 >= gains[best] ** 2 - held.allowed)
    gap = float(places[1] - places[0])
    before, after = _slopes(x, seen, root, float(places[best]))
    return Knee(
        value=math.exp(places[best]),
        low=math.exp(max(places[inside[0]] - gap / 2, places[0])),
        high=math.exp(min(places[inside[-1]] + gap / 2, places[-1])),
        before=before,
        after=after,
        p=p,
        effective_n=held.worth,
        smooth=smooth,
        left_out=left_out,
        smoothing=smoothing,
        reason=None,
    )


@dataclass(frozen=True, slots=True)
class _Noise:
    """What counts as chance."""

    scale: float
    """Long-run variance of one bin times the root of its weight."""
    worth: float
    freedom: float
    extra: int
    """Terms beyond the two lines that were taken out first."""

    @property
    def allowed(self) -> float:
        """How much worse than the best place one may be."""
        return t_quantile((1 + LEVEL) / 2, self.freedom) ** 2 * self.scale


def _noise(x: Array, root: Array, left: Array, lines: Array) -> tuple[_Noise, float]:
    """Return the noise about a smooth curve, and what each of its terms gains over two lines.

    left: (bins,) the rest of two lines.   lines: (bins, 3) orthonormal, what they span.
    """
    extra = min(MOST_EXTRA, len(x) // 10)
    turned = 2 * (x - x[0]) / (x[-1] - x[0]) - 1
    powers = np.polynomial.chebyshev.chebvander(turned, extra + 1)[:, 2:] * root[:, None]
    powers -= lines @ (lines.T @ powers)
    basis, _ = np.linalg.qr(powers)
    shares = basis.T @ left
    rest = left - basis @ shares
    return _allowing(rest, _TERMS + extra, extra), dot(shares, shares) / extra


def _allowing(rest: Array, terms: int, extra: int = 0) -> _Noise:
    found = of_rest(rest - np.mean(rest), terms)
    freedom = max(found.worth - terms, LEAST_FREEDOM)
    return _Noise(found.variance * found.n / found.worth, found.worth, freedom, extra)


def _length(units: Array) -> float:
    """Return the length of the curve that the unit vectors (places, n) draw on their sphere."""
    steps: Array = np.linalg.norm(np.diff(units, axis=0), axis=1)
    return float(np.sum(2 * np.arcsin(np.minimum(steps / 2, 1.0))))


def _chance(gain: float, freedom: float, length: float) -> float:
    """Return a bound on P(largest |gain| over all places >= gain) where there is no knee."""
    tube = length / math.pi * math.pow(1 + gain * gain / freedom, -freedom / 2)
    return min(1.0, 2 * t_cdf(-gain, freedom) + tube)


def _slopes(x: Array, y: Array, root: Array, place: float) -> tuple[float, float]:
    """Return the slopes before and after a place. y: (bins,) times root, the weights' root."""
    columns = np.stack([root, root * x, root * np.maximum(x - place, 0.0)], axis=1)
    found = np.linalg.lstsq(columns, y, rcond=None)[0].tolist()
    return found[1], found[1] + found[2]


def _none(
    reason: str,
    left_out: int,
    smoothing: str = "none",
    *,
    p: float | None = None,
    effective_n: float | None = None,
) -> Knee:
    return Knee(
        value=None, low=None, high=None, before=None, after=None, p=p, effective_n=effective_n,
        smooth=None, left_out=left_out, smoothing=smoothing, reason=reason,
    )  # fmt: skip
