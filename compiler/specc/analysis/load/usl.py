"""The universal scalability law: throughput = N lambda / (1 + sigma (N - 1) + kappa N (N - 1)).

Pure. Its peak at sqrt((1 - sigma) / kappa) is the quantity of interest, so the law is fitted with
the peak as a parameter: for a given peak only sigma is left to search, and the profile-likelihood
interval of the peak needs no approximation by a normal.
Source: Gunther, Guerrilla Capacity Planning (2007).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from specc.analysis.load.curve import Array, Curve, information, spread
from specc.analysis.student import t_quantile

PARAMETERS = 3
BEYOND = 16.0
"""Peaks are looked for up to this many times the last level; one there is no peak."""
_GRID = 96
_ZOOM = 24
_STEPS = 22
_COARSE = np.concatenate([[0.0], np.geomspace(1e-4, 0.9999, 24)])
"""Shares to try first; small ones matter most."""
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Usl:
    """The law, fitted to logarithms with 0 <= sigma < 1 and kappa > 0."""

    per_load: float
    """lambda: throughput at a load of 1."""
    sigma: float
    """Share that can't be done at the same time."""
    kappa: float
    """Cost of keeping each pair in step."""
    peak: float
    missed: float
    """Weighted sum of squares of the level means about the model."""
    criterion: float
    """AICc."""

    def throughput(self, load: float) -> float:
        """Return the fitted throughput at a load."""
        slowed = 1 + self.sigma * (load - 1) + self.kappa * load * (load - 1)
        return self.per_load * load / slowed


@dataclass(frozen=True, slots=True, kw_only=True)
class PeakInterval:
    """Where the peak of a fitted law lies."""

    low: float
    """Profile-likelihood interval."""
    high: float | None
    """None where a law without a peak fits as well."""
    misfit: bool
    """True when the level means miss the law by more than chance."""


def fit_usl(data: Curve) -> Usl:
    """Fit the law; needs four levels or more."""
    grid = _grid(data)
    misses, _ = _profile(data, grid)
    place = int(np.argmin(misses))
    u, missed, sigma = _least(data, grid[max(place - 1, 0)], grid[min(place + 1, _GRID - 1)])
    peak = math.exp(u)
    log_rate = data.means - np.log(data.levels) + np.log(_slowed(data, sigma, peak))
    return Usl(
        per_load=math.exp(float(np.average(log_rate, weights=data.weights))),
        sigma=sigma,
        kappa=(1 - sigma) / peak**2,
        peak=peak,
        missed=missed,
        criterion=information(data, missed, PARAMETERS),
    )


def peak_interval(data: Curve, fitted: Usl, *, level: float = 0.95) -> PeakInterval:
    """Return the profile-likelihood interval of the peak of a law fitted to `data`."""
    held = spread(data, fitted.missed, PARAMETERS)
    limit = fitted.missed + t_quantile((1 + level) / 2, held.freedom) ** 2 * held.variance
    u, grid = math.log(fitted.peak), _grid(data)
    low = _crossing(data, limit, u, grid[grid < u][::-1])
    high = _crossing(data, limit, u, grid[grid > u])
    return PeakInterval(
        low=math.exp(float(grid[0]) if low is None else low),
        high=None if high is None else math.exp(high),
        misfit=held.misfit,
    )


def _grid(data: Curve) -> Array:
    """Return the logarithms of the peaks to look at first."""
    first, last = math.log(data.levels[0] / 4), math.log(data.levels[-1] * BEYOND)
    return np.linspace(first, last, _GRID)


def _slowed(data: Curve, sigma: float, peak: float) -> Array:
    """Return the denominator of the law at each level."""
    n = data.levels
    slowed: Array = 1 + sigma * (n - 1) + (1 - sigma) / peak**2 * n * (n - 1)
    return slowed


def _profile(data: Curve, log_peaks: Array) -> tuple[Array, Array]:
    """Return the least sum of squares for each peak, and the sigma that has it.

    Golden-section search over log(1 - sigma): coarse steps first, for the sum of squares may have
    two dents.
    """
    n = data.levels
    pairs = n * (n - 1) / np.exp(2 * log_peaks)[:, None]
    y = data.means - np.log(n)

    def misses(sigma: Array) -> Array:
        # sigma: (peaks,), or (shares, 1) to try each share with each peak
        slowed = 1 + pairs + sigma[..., None] * ((n - 1) - pairs)
        rest = y + np.log(slowed)
        rest = rest - (rest @ data.weights / data.weights.sum())[..., None]
        found: Array = rest**2 @ data.weights
        return found

    best = np.argmin(misses(_COARSE[:, None]), axis=0)
    start = _COARSE[np.maximum(best - 1, 0)]
    end = _COARSE[np.minimum(best + 1, len(_COARSE) - 1)]
    for _ in range(_STEPS):
        left, right = end - _GOLDEN * (end - start), start + _GOLDEN * (end - start)
        smaller = misses(left) < misses(right)
        start, end = np.where(smaller, start, left), np.where(smaller, right, end)
    sigma = (start + end) / 2
    at_zero = misses(np.zeros_like(sigma)) <= misses(sigma)
    sigma = np.where(at_zero, 0.0, sigma)
    return misses(sigma), sigma


def _least(data: Curve, start: float, end: float) -> tuple[float, float, float]:
    """Return (log peak, sum of squares, sigma) of the best fit between two log peaks."""
    while True:
        grid = np.linspace(start, end, _ZOOM)
        misses, sigma = _profile(data, grid)
        place = int(np.argmin(misses))
        if end - start < 1e-5:
            return float(grid[place]), float(misses[place]), float(sigma[place])
        start, end = grid[max(place - 1, 0)], grid[min(place + 1, _ZOOM - 1)]


def _crossing(data: Curve, limit: float, inside: float, outwards: Array) -> float | None:
    """Return where the profile first passes `limit` on the way outwards; None when never."""
    misses, _ = _profile(data, outwards)
    above = np.flatnonzero(misses > limit)
    if not len(above):
        return None
    far = float(outwards[above[0]])
    near = float(outwards[above[0] - 1]) if above[0] > 0 else inside
    while abs(far - near) > 1e-5:
        grid = np.linspace(near, far, _ZOOM)
        over = np.flatnonzero(_profile(data, grid)[0] > limit)
        if not len(over):
            return far
        place = max(int(over[0]), 1)
        near, far = float(grid[place - 1]), float(grid[place])
    return far
