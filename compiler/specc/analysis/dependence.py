"""How much a series of measurements depends on itself.

Pure. Values come in the order in which they were measured.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from specc.analysis.arrays import Array, Values, as_array, dot

MAX_LAG = 200
"""Weak memory that is longer than this is drift, see `steadiness`."""
SLOW = 0.5
"""A series that is still so like itself after MAX_LAG values moves slowly altogether: then lags up
to a quarter of it count, or it would be taken for many times its worth."""
_FEW = 17


def autocorrelation(values: Values, lag: int) -> float:
    """Return the autocorrelation at `lag` >= 0, in -1..1; 0 for a constant series.

    values: (n,), n > 0.   Source: the biased estimator (over n), so that the sequence of all lags
    is a valid one; checked against numpy.
    """
    centred = as_array(values) - np.mean(as_array(values))
    power = dot(centred, centred)
    if power == 0 or lag >= len(centred):
        return 0.0
    return dot(centred[: len(centred) - lag], centred[lag:]) / power


def effective_samples(values: Values) -> float:
    """Return how many independent values the series is worth, 1..n (0 when empty).

    n / (1 + 2 * sum of autocorrelations), the sum ending at the first pair of neighbouring lags
    that is not positive; never more than n.
    Source: Geyer (1992), initial positive sequence; checked against AR(1) series of known worth.
    """
    series = as_array(values)
    n = len(series)
    if n < 4:
        return float(n)
    centred = series - np.mean(series)
    # equal values up to rounding (a fixed-clock simulator): nothing to correlate
    if dot(centred, centred) <= n * (abs(float(np.mean(series))) * 1e-15) ** 2:
        return float(n)
    return max(1.0, min(float(n), n / (1 + 2 * memory(centred)[0])))


def memory(centred: Array) -> tuple[float, int]:
    """Return the sum of the positive autocorrelations from lag 1 on, and the last lag in it.

    centred: (n,) with mean 0, n >= 4, not all 0.
    """
    most = min(len(centred), MAX_LAG + 1)
    # most series forget at once: a few products are cheaper than a transform of all lags
    lags = _by_products(centred, min(_FEW, most))
    if not len(_ends(lags)):
        lags = _by_spectrum(centred, most)
    if not len(_ends(lags)) and lags[-1] > SLOW and len(centred) // 4 > most:
        lags = _by_spectrum(centred, len(centred) // 4)
    pairs, ends = _pairs(lags), _ends(lags)
    kept = int(ends[0]) if len(ends) else len(pairs)
    return float(np.sum(pairs[:kept])), 2 * kept


def _pairs(lags: Array) -> Array:
    """Return the sums of lag 1 with 2, 3 with 4 and so on."""
    found: Array = lags[1::2][: len(lags[2::2])] + lags[2::2]
    return found


def _ends(lags: Array) -> NDArray[np.intp]:
    """Return the places of the pairs that are not positive."""
    return np.flatnonzero(_pairs(lags) <= 0)


def _by_products(centred: Array, count: int) -> Array:
    """Return the autocorrelations at lags 0 to count - 1."""
    scaled = centred / np.max(np.abs(centred))
    n = len(scaled)
    found: Array = np.array([dot(scaled[: n - lag], scaled[lag:]) for lag in range(count)])
    return found / float(found[0])


def _by_spectrum(centred: Array, count: int) -> Array:
    """Return the same by way of the power spectrum: the cost does not grow with the lags."""
    # squares of very small numbers would be lost
    scaled = centred / np.max(np.abs(centred))
    # twice the length, or the end would be correlated with the beginning
    size = 1 << (2 * len(scaled) - 1).bit_length()
    spectrum = np.fft.rfft(scaled, size)
    found: Array = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, size)[:count]
    return found / float(found[0])
