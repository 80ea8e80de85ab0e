"""The curve of a hard limit: throughput = min(a N, b), with its corner at b / a.

Pure. For a given corner the logarithms are linear in log a, and between two levels their sum of
squares is a parabola of the corner's logarithm: the best corner and the profile-likelihood
interval are exact, without iteration.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from specc.analysis.load.curve import Array, Curve, information, spread
from specc.analysis.student import t_quantile

PARAMETERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Hinge:
    """min(per_load * N, most), fitted to logarithms."""

    per_load: float
    """Throughput per unit of load below the corner."""
    most: float
    """Throughput from the corner on."""
    corner: float
    low: float
    """95 % profile-likelihood interval, within the levels; equal to the first level where the
    corner may lie at or below it."""
    high: float
    """Equal to the last level where the corner may lie at or beyond it."""
    missed: float
    """Weighted sum of squares of the level means about the model."""
    criterion: float
    """AICc."""
    misfit: bool

    def throughput(self, load: float) -> float:
        """Return the fitted throughput at a load."""
        return min(self.per_load * load, self.most)


@dataclass(frozen=True, slots=True)
class _Piece:
    """The sum of squares for corners between two levels: least + weight * (u - best)**2."""

    start: float
    """Logarithm of the corner, like `end` and `best`."""
    end: float
    least: float
    weight: float
    best: float

    @property
    def nearest(self) -> float:
        return min(max(self.best, self.start), self.end)

    def at(self, u: float) -> float:
        return self.least + self.weight * (u - self.best) ** 2


def fit_hinge(data: Curve, *, level: float = 0.95) -> Hinge:
    """Fit a hinge whose corner lies within the levels; needs three levels or more."""
    pieces = tuple(_pieces(data))
    best = min(pieces, key=lambda piece: piece.at(piece.nearest))
    u = best.nearest
    missed = max(best.at(u), 0.0)
    held = spread(data, missed, PARAMETERS)
    allowed = t_quantile((1 + level) / 2, held.freedom) ** 2 * held.variance
    ends = [end for piece in pieces for end in _inside(piece, missed + allowed)]
    x = np.log(data.levels)
    log_a = float(np.average(data.means - np.minimum(x, u), weights=data.weights))
    return Hinge(
        per_load=math.exp(log_a),
        most=math.exp(log_a + u),
        corner=math.exp(u),
        low=math.exp(min(ends)),
        high=math.exp(max(ends)),
        missed=missed,
        criterion=information(data, missed, PARAMETERS),
        misfit=held.misfit,
    )


def _pieces(data: Curve) -> Iterator[_Piece]:
    x = np.log(data.levels)
    for rising in range(1, len(x)):
        up = (data.means - x)[:rising]
        flat = data.means[rising:]
        up_weights, flat_weights = data.weights[:rising], data.weights[rising:]
        n, m = float(up_weights.sum()), float(flat_weights.sum())
        a, b = (
            float(np.average(up, weights=up_weights)),
            float(np.average(flat, weights=flat_weights)),
        )
        least = _squares(up, a, up_weights) + _squares(flat, b, flat_weights)
        yield _Piece(float(x[rising - 1]), float(x[rising]), least, n * m / (n + m), b - a)


def _squares(values: Array, centre: float, weights: Array) -> float:
    return float(np.sum(weights * (values - centre) ** 2))


def _inside(piece: _Piece, limit: float) -> tuple[float, ...]:
    """Return the ends of the part of a piece whose sum of squares is at most `limit`."""
    if piece.at(piece.nearest) > limit * (1 + 1e-12):
        return ()
    half = math.sqrt(max(limit - piece.least, 0.0) / piece.weight)
    ends = (max(piece.best - half, piece.start), min(piece.best + half, piece.end))
    return ends if ends[0] <= ends[1] else (piece.nearest,)
