"""Test the coefficient of a shape in a series whose values depend on each other.

Pure. Errors are those of independent values times what dependence adds: the long-run variance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from specc.analysis.arrays import Array, dot
from specc.analysis.dependence import memory
from specc.analysis.student import t_cdf


@dataclass(frozen=True, slots=True)
class Noise:
    """What a fit leaves of a series."""

    variance: float
    """Of one value, on the scale of the series squared."""
    worth: float
    """Independent values that the rest is worth."""
    n: int
    """Values."""
    terms: int
    """How many were fitted."""


def of_rest(rest: Array, terms: int) -> Noise:
    """Return how large and how dependent the rest of a fit is.

    rest: (n,) with mean 0.   terms: how many were fitted, the mean among them.
    """
    n = len(rest)
    variance = dot(rest, rest) / (n - terms)
    # without noise every movement is real; rounding is no noise
    worth = _worth(rest, terms) if variance > 1e-24 else float(n)
    return Noise(max(variance, 1e-24), worth, n, terms)


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
    # values that take turns are worth no less than independent ones
    corrected = min(max((n * first + terms) / (n - 2 * terms), 0.0), 0.999)
    by_order = (1 + corrected) / (1 - corrected)
    return max(2.0, min(float(n), n / longest, n / by_order))


def tested(series: Array, shape: Array, noise: Noise) -> tuple[float, float]:
    """Fit mean + b * shape; return b and its two-sided p.

    shape: (n,) with mean 0.   The variance of b is that of independent errors times n / worth (the
    long-run variance of the errors over their variance); what they are worth less what was fitted
    is its freedom.
    """
    power = dot(shape, shape)
    b = dot(shape, series) / power
    error = math.sqrt(noise.variance / power * noise.n / noise.worth)
    return b, 2 * t_cdf(-abs(b) / error, max(noise.worth - noise.terms, 1.0))


def step_after(n: int, at: int) -> Array:
    """Return a step of 1 after `at` of n values, with mean 0."""
    found: Array = np.where(np.arange(n) < at, -(n - at) / n, at / n)
    return found
