"""Fit a power law with an offset to a loss curve: loss = offset + amplitude * step**-alpha.

Pure. The curve is smoothed by means over log-spaced bins, each weighed by its points, which is
least squares over all points at a hundredth of the cost. For a given alpha the law is linear, so
only alpha is searched (variable projection).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from specc.analysis.arrays import Array, Values, dot
from specc.analysis.long_run import Noise, of_rest
from specc.analysis.slopes.points import Bins, log_bins, usable

MOST_BINS = 200
POINTS_PER_BIN = 16
"""On average: fewer bins for short runs, or R2 would be that of the noise of batches."""
LEAST_BINS = 8
HELD_OUT = 0.2
"""The last part of the steps, which the second fit does not see."""
LEAST_HELD_OUT = 4
"""Bins."""
FLATTEST, STEEPEST = 0.005, 20.0
_GRID, _FINER, _ZOOMS = 65, 17, 9
"""Exponents of the first grid, of each finer one, and how many there are."""
_TERMS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerLaw:
    """loss = offset + amplitude * step**-alpha, from a first step on."""

    alpha: float | None
    """Above 0 for a loss that falls; no unit."""
    alpha_se: float | None
    """Standard error, dependence between points allowed for; wide where the offset could be
    traded for it."""
    amplitude: float | None
    """[nats], at step 1; None also when it is more than a float holds."""
    offset: float | None
    """[nats], never below 0: what the loss would end at."""
    r_squared: float | None
    """Of the smoothed curve. Near 1 for almost any smooth curve: read it with the next two."""
    r_squared_raw: float | None
    """Of the points as they were given."""
    r_squared_holdout: float | None
    """Of the smoothed last fifth of the steps under a law fitted to the rest, about its own mean:
    below 0 when that mean foretells it better than the law. None when there is too little of it."""
    effective_n: float | None
    """Independent points that the rest of the fit is worth, 2..n: few where the law bends away."""
    n: int
    """Points in the fit."""
    bins: int | None
    """Bins that the smoothed curve has; `n / bins` points each on average."""
    left_out: int
    """Points that were not finite or not above 0."""
    smoothing: str
    """How the curve was smoothed before the fit."""
    reason: str | None
    """Why there is no law; None when there is one."""


@dataclass(frozen=True, slots=True)
class _Law:
    alpha: float
    amplitude: float
    """At step `unit`."""
    offset: float
    unit: float

    def at(self, step: Array) -> Array:
        found: Array = self.offset + self.amplitude * (step / self.unit) ** -self.alpha
        return found


def power_law(step: Values, loss: Values, *, from_step: float | None) -> PowerLaw:
    """Fit the law to the points from `from_step` (the end of the burn-in; None: all) on.

    step: (n,) rising, > 0.   loss: (n,) [nats].
    alpha between 0.005 and 20 by a grid that is refined around its best value, offset >= 0; the
    standard error from the law's derivatives there. R2 of a smoothed curve is no evidence by
    itself: `r_squared_raw`, `r_squared_holdout` and `effective_n` stand beside it.
    Memory and cost: a few passes over n points, then some hundred over 200 bins.
    Never raises on data: all None with a reason when there are fewer than 8 points or bins, when
    the loss does not fall, or when no exponent in that range is best.
    Source: Golub and Pereyra (1973) for the projection; checked against scipy.optimize.curve_fit
    and laws of known truth.
    """
    points = usable(step, loss, low=from_step)
    if points.reason is not None:
        return _none(points.reason, points.left_out)
    x, y = points.step, points.loss
    most = max(LEAST_BINS, min(MOST_BINS, len(x) // POINTS_PER_BIN))
    smoothing = f"means over {most} log-spaced bins"
    bins = log_bins(x, y, most=most)
    if len(bins.step) < LEAST_BINS:
        reason = f"{len(bins.step)} bins hold points, a law needs {LEAST_BINS}"
        return _none(reason, points.left_out, smoothing)
    law = _fitted(bins)
    if isinstance(law, str):
        return _none(law, points.left_out, smoothing)
    rest = y - law.at(x)
    noise = of_rest(rest - np.mean(rest), _TERMS)
    return PowerLaw(
        alpha=law.alpha,
        alpha_se=_alpha_error(law, x, rest, noise),
        amplitude=_at_step_one(law),
        offset=law.offset,
        r_squared=_explained(bins.loss, law.at(bins.step), bins.weight),
        r_squared_raw=_explained(y, law.at(x), np.ones(len(x))),
        r_squared_holdout=_foretold(x, y, most),
        effective_n=noise.worth,
        n=len(x),
        bins=len(bins.step),
        left_out=points.left_out,
        smoothing=smoothing,
        reason=None,
    )


def _fitted(bins: Bins) -> _Law | str:
    """Return the best law, or why there is none."""
    unit = math.exp(float(np.average(np.log(bins.step), weights=bins.weight)))
    logs = np.log(bins.step / unit)
    if np.ptp(bins.loss) <= 1e-12 * float(np.max(bins.loss)):
        return "the loss never varies"
    alphas = np.geomspace(FLATTEST, STEEPEST, _GRID)
    for zoom in range(_ZOOMS):
        squares, amplitudes, offsets = _projected(alphas, logs, bins)
        best = int(np.argmin(squares))
        if zoom == 0 and amplitudes[best] <= 0:
            return "the loss does not fall"
        if zoom == 0 and best in (0, _GRID - 1):
            side = "flatter" if best == 0 else "steeper"
            return f"no exponent from {FLATTEST:g} to {STEEPEST:g} is best: the curve is {side}"
        law = _Law(float(alphas[best]), float(amplitudes[best]), float(offsets[best]), unit)
        near = alphas[max(best - 1, 0)], alphas[min(best + 1, len(alphas) - 1)]
        alphas = np.geomspace(*near, _FINER)
    return law


def _projected(alphas: Array, logs: Array, bins: Bins) -> tuple[Array, Array, Array]:
    """Return the least squares, amplitude and offset for each alpha: (grid,) each."""
    w, y = bins.weight, bins.loss
    total = float(np.sum(w))
    # steep laws overflow at the first bins; the largest value of each becomes 1
    powers = -alphas[:, None] * logs[None, :]
    top = powers.max(axis=1)
    basis = np.exp(powers - top[:, None])
    mean_b, mean_y = basis @ w / total, float(np.dot(w, y)) / total
    centred = basis - mean_b[:, None]
    amplitude = (centred @ (w * (y - mean_y))) / np.maximum((centred**2) @ w, 1e-300)
    offset = mean_y - amplitude * mean_b
    # a cross-entropy can't end below 0
    bare = offset < 0
    amplitude = np.where(bare, (basis @ (w * y)) / ((basis**2) @ w), amplitude)
    offset = np.where(bare, 0.0, offset)
    missed = y[None, :] - offset[:, None] - amplitude[:, None] * basis
    return (missed**2) @ w, amplitude * np.exp(-top), offset


def _alpha_error(law: _Law, step: Array, rest: Array, noise: Noise) -> float | None:
    """Return the standard error of alpha; None where it can't be told from the other two.

    Source: White (1980): the noise of a loss shrinks with the loss, so that each point's own
    miss counts; times what dependence adds.
    """
    logs = np.log(step / law.unit)
    basis = np.exp(-law.alpha * logs)
    slopes = [-law.amplitude * logs * basis, basis]
    # an offset held at 0 was not fitted
    if law.offset > 0:
        slopes.append(np.ones(len(logs)))
    steep = np.stack(slopes, axis=1)
    try:
        weights = np.linalg.inv(np.einsum("ij,ik->jk", steep, steep))[0]
    except np.linalg.LinAlgError:
        return None
    pulls = np.einsum("ij,j->i", steep, weights) * rest
    error = math.sqrt(dot(pulls, pulls) * noise.n / (noise.n - _TERMS) * noise.n / noise.worth)
    return error if math.isfinite(error) else None


def _at_step_one(law: _Law) -> float | None:
    if law.amplitude <= 0:
        return None
    logs = math.log(law.amplitude) + law.alpha * math.log(law.unit)
    return math.exp(logs) if logs < 700 else None


def _explained(values: Array, foretold: Array, weight: Array) -> float | None:
    """Return R2 about the weighted mean; None for values that never vary."""
    about = values - np.average(values, weights=weight)
    total = dot(weight, about**2)
    return 1 - dot(weight, (values - foretold) ** 2) / total if total > 0 else None


def _foretold(step: Array, loss: Array, most: int) -> float | None:
    """Return R2 of the smoothed last part under a law fitted to the part before it."""
    seen = step <= step[-1] - HELD_OUT * (step[-1] - step[0])
    if min(int(seen.sum()), int((~seen).sum())) < LEAST_BINS:
        return None
    # the bins of both parts are as wide as those of the whole
    wide = math.log(step[-1] / step[0]) / most
    parts = []
    for part in (seen, ~seen):
        width = math.log(step[part][-1] / step[part][0])
        count = max(LEAST_HELD_OUT, round(width / wide))
        parts.append(log_bins(step[part], loss[part], most=count))
    before, after = parts
    if len(before.step) < LEAST_BINS or len(after.step) < LEAST_HELD_OUT:
        return None
    law = _fitted(before)
    if isinstance(law, str):
        return None
    return _explained(after.loss, law.at(after.step), after.weight)


def _none(reason: str, left_out: int, smoothing: str = "none") -> PowerLaw:
    return PowerLaw(
        alpha=None, alpha_se=None, amplitude=None, offset=None, r_squared=None,
        r_squared_raw=None, r_squared_holdout=None, effective_n=None, n=0, bins=None,
        left_out=left_out, smoothing=smoothing, reason=reason,
    )  # fmt: skip
