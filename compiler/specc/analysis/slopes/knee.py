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
from specc.analysis.student import t_cdf, t_quantile

MOST_BINS = 120
POINTS_PER_BIN = 4
LEAST_BINS = 12
EDGE_BINS = 3
"""Bins on either side of the knee: fewer show no line."""
PLACES = 400
ALPHA = 0.05
"""Chance of a knee in a curve that has none."""
LEVEL = 0.95
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
    left_out: int
    """Points that were not finite or not above 0."""
    smoothing: str
    reason: str | None
    """Why there is no knee; None when there is one."""


def two_segment_knee(epoch: Values, loss: Values) -> Knee:
    """Return the knee of a curve, or say that one line suffices.

    epoch: (n,) rising, > 0 (steps do as well).   loss: (n,) [nats].   All points given count: leave
    the burn-in out to get the knee of the rest.
    The interval holds the places whose fit is not worse by more than chance (profile likelihood
    with Student's t), and is never narrower than one place. A knee is there when the best place
    gains more than ALPHA allows over all places tried. Bins weigh by their points.
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
    rest = root * y - line @ (line.T @ (root * y))
    gains = units @ rest
    best = int(np.argmax(np.abs(gains)))
    left = rest - gains[best] * units[best]
    if dot(rest, rest) <= 1e-18 * max(dot(root * y, root * y), 1e-18):
        return _none("no knee: one line fits exactly", left_out, smoothing)
    noise = of_rest(left - np.mean(left), _TERMS)
    scale = noise.variance * noise.n / noise.worth
    freedom = max(noise.worth - _TERMS, 1.0)
    p = _chance(abs(float(gains[best])) / math.sqrt(scale), freedom, _length(units))
    if p > ALPHA:
        reason = f"no knee: one line suffices (p = {p:.2g})"
        return _none(reason, left_out, smoothing, p=p, effective_n=noise.worth)
    allowed = t_quantile((1 + LEVEL) / 2, freedom) ** 2 * scale
    held = np.flatnonzero(gains**2 >= gains[best] ** 2 - allowed)
    gap = float(places[1] - places[0])
    before, after = _slopes(x, root * y, root, float(places[best]))
    return Knee(
        value=math.exp(places[best]),
        low=math.exp(max(places[held[0]] - gap / 2, places[0])),
        high=math.exp(min(places[held[-1]] + gap / 2, places[-1])),
        before=before,
        after=after,
        p=p,
        effective_n=noise.worth,
        left_out=left_out,
        smoothing=smoothing,
        reason=None,
    )


def _length(units: Array) -> float:
    """Return the length of the curve that the unit vectors (places, n) draw on their sphere."""
    steps: Array = np.linalg.norm(np.diff(units, axis=0), axis=1)
    return float(np.sum(2 * np.arcsin(np.minimum(steps / 2, 1.0))))


def _chance(gain: float, freedom: float, length: float) -> float:
    """Return a bound on P(largest |gain| over all places >= gain) where there is no knee."""
    tube = length / math.pi * (1 + gain * gain / freedom) ** (-freedom / 2)
    return min(1.0, 2 * t_cdf(-gain, freedom) + tube)


def _slopes(x: Array, y: Array, root: Array, place: float) -> tuple[float, float]:
    """Return the slopes before and after a place. y: (bins,) times root, the weights' root."""
    columns = np.stack([root, root * x, root * np.maximum(x - place, 0.0)], axis=1)
    _, first, change = np.linalg.lstsq(columns, y, rcond=None)[0]
    return float(first), float(first + change)


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
        left_out=left_out, smoothing=smoothing, reason=reason,
    )  # fmt: skip
