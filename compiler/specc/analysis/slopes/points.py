"""What of a loss curve can be fitted: usable points, and their means in log-spaced bins.

Pure. Damaged data are data: points that can't be used are left out and counted, and a curve that
can't be used at all says why instead of raising.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from specc.analysis.arrays import Array, Values, as_array

LEAST = 8
"""Fewer points are refused: two or three parameters through a handful always fit."""
NARROW = 1e-6
"""Least range of log(step)."""
TINY, HUGE = 1e-100, 1e100
"""No step and no cross-entropy is beyond these, and the squares of such numbers would be lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """The usable part of one curve."""

    step: Array
    """(n,) rising, TINY to HUGE; steps or epochs, as they were given."""
    loss: Array
    """(n,) TINY to HUGE [nats]."""
    left_out: int
    """Points within the window that were not finite or not above 0."""
    reason: str | None
    """Why nothing can be fitted; None when something can."""


@dataclass(frozen=True, slots=True)
class Bins:
    """A curve smoothed by means over bins of equal width in log(step)."""

    step: Array
    """(bins,) geometric mean of the steps of each bin that holds points."""
    loss: Array
    """(bins,) arithmetic mean of their losses [nats]."""
    weight: Array
    """(bins,) how many points."""


def usable(
    step: Values, loss: Values, *, low: float | None = None, high: float | None = None
) -> Points:
    """Return the points with low <= step <= high that have a logarithm.

    step, loss: (n,) in the order of training; NaN, inf, None and values <= 0 are left out.
    Steps that don't rise refuse the curve: which of two rows counts is not for a fit to guess.
    """
    x, y = as_array(step), as_array(loss)
    if x.ndim != 1 or x.shape != y.shape:
        return _refused(f"steps {x.shape} and losses {y.shape} don't belong together")
    known = np.isfinite(x)
    falls = np.flatnonzero(np.diff(x[known]) <= 0)
    if len(falls):
        first, second = x[known][falls[0] : falls[0] + 2]
        return _refused(f"steps don't rise: {second:.6g} comes after {first:.6g}")
    inside = known.copy()
    if low is not None:
        inside[known] &= x[known] >= low
    if high is not None:
        inside[known] &= x[known] <= high
    # NaN is on neither side
    taken = inside & (x > TINY) & (x < HUGE) & (y > TINY) & (y < HUGE)
    count, left_out = int(taken.sum()), int(inside.sum() - taken.sum())
    if count < LEAST:
        dropped = f" ({left_out} more are not finite or not above 0)" if left_out else ""
        return _refused(f"{count} usable points, a fit needs {LEAST}{dropped}", left_out)
    if np.log(x[taken][-1] / x[taken][0]) < NARROW:
        return _refused("the steps are too close together", left_out)
    return Points(step=x[taken], loss=y[taken], left_out=left_out, reason=None)


def _refused(reason: str, left_out: int = 0) -> Points:
    nothing = np.empty(0)
    return Points(step=nothing, loss=nothing, left_out=left_out, reason=reason)


def log_bins(step: Array, loss: Array, *, most: int) -> Bins:
    """Return means over at most `most` bins of equal width in log(step); empty ones are left out.

    step: (n,) rising, > 0.   Means of the loss, not of its logarithm: noise would lower the latter
    by half its relative variance, more where the loss is small.
    """
    logs = np.log(step)
    place = (logs - logs[0]) / (logs[-1] - logs[0]) * most
    bin_of = np.minimum(place.astype(np.int64), most - 1)
    counts = np.bincount(bin_of, minlength=most)
    filled = counts > 0
    weight = counts[filled].astype(np.float64)
    centre = np.bincount(bin_of, weights=logs, minlength=most)[filled] / weight
    mean = np.bincount(bin_of, weights=loss, minlength=most)[filled] / weight
    return Bins(np.exp(centre), mean, weight)
