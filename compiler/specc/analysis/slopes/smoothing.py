"""Exponentially weighted means of a series with gaps.

Pure.
"""

from __future__ import annotations

import numpy as np

from specc.analysis.arrays import Array, Values, as_array
from specc.analysis.slopes.points import HUGE


def ewma(values: Values, span: float) -> Array:
    """Return the exponentially weighted mean up to each value, in the unit of the values.

    values: (n,); NaN, inf and numbers beyond 1e100 are gaps: they weigh nothing, the weights go on
    falling over them, and the mean before them is kept. NaN before the first finite value.
    span: >= 1; the weight of a value falls by the factor 1 - 2 / (span + 1) with every place, so
    that the mean lags about span / 2 places behind. Raises ValueError for a span below 1.
    Weights are normalised at each place, so the start is not pulled towards 0.
    Source: y_t = sum_k d**k x_(t-k) / sum_k d**k; checked against pandas.ewm(span, adjust=True).
    """
    if not span >= 1:
        raise ValueError(f"span must be at least 1, got {span}")
    series = as_array(values)
    known = np.abs(series) < HUGE
    decay = 1 - 2 / (span + 1)
    total = _decayed_sum(np.where(known, series, 0.0), decay)
    weight = _decayed_sum(known.astype(np.float64), decay)
    found: Array = np.full(len(series), np.nan)
    started = np.cumsum(known) > 0
    # after very long gaps nothing is left of the weights: the last mean stays
    alive = started & (weight > 1e-250)
    found[alive] = total[alive] / weight[alive]
    places = np.where(alive, np.arange(len(series)), 0)
    return found[np.maximum.accumulate(places)] if len(series) else found


def _decayed_sum(series: Array, decay: float) -> Array:
    """Return s_t = decay * s_(t-1) + x_t for (n,) values.

    About sqrt(n) blocks are summed side by side, then each is given what was left of those before
    it: 2 * sqrt(n) passes of numpy instead of n of Python, and no power of decay grows.
    """
    n = len(series)
    size = max(1, int(np.ceil(np.sqrt(n))))
    blocks = np.zeros((-(-n // size), size))
    blocks.reshape(-1)[:n] = series
    for place in range(1, size):
        blocks[:, place] += decay * blocks[:, place - 1]
    left = decay ** np.arange(1, size + 1)
    for row in range(1, len(blocks)):
        blocks[row] += left * blocks[row - 1, -1]
    found: Array = blocks.reshape(-1)[:n]
    return found
