"""When a run is through its first, steep part: the burn-in.

Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from specc.analysis.arrays import Values, as_array
from specc.analysis.slopes.points import usable
from specc.analysis.slopes.smoothing import ewma

SPAN = 100.0
"""Of the smoothing, in points: it lags about half as many behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnIn:
    """The end of the burn-in."""

    step: float | None
    """First step that counts as burnt in, in the unit of the steps given; None when never."""
    loss: float | None
    """Smoothed cross-entropy there [nats]; None like `step`."""
    smoothing: str
    """How the curve was smoothed."""
    reason: str | None
    """Why there is none; None when there is one."""


def burn_in(step: Values, loss: Values, ce: float = 1.0, *, span: float = SPAN) -> BurnIn:
    """Return the first step from which the smoothed cross-entropy stays at or below `ce`.

    step: (n,) rising.   loss: (n,) of every batch [nats].   ce: [nats].
    Smoothed by `ewma` over the usable points. "Stays" means up to the last point: a run that goes
    above `ce` again later is burnt in only after that, and one that ends above it, or with a loss
    that is no number, never is. Cost: a few passes over n points.
    Never raises on data.
    """
    smoothing = f"EWMA, span {span:g}"
    points = usable(step, loss)
    if points.reason is not None:
        return BurnIn(step=None, loss=None, smoothing=smoothing, reason=points.reason)
    if not np.isfinite(as_array(loss)[-1]):
        reason = f"the loss is no number at the end; the last one is at {points.step[-1]:.6g}"
        return BurnIn(step=None, loss=None, smoothing=smoothing, reason=reason)
    smooth = ewma(points.loss, span)
    above = np.flatnonzero(smooth > ce)
    first = int(above[-1]) + 1 if len(above) else 0
    if first == len(smooth):
        reason = f"the smoothed loss ends at {smooth[-1]:.3g}, above {ce:g}"
        return BurnIn(step=None, loss=None, smoothing=smoothing, reason=reason)
    return BurnIn(
        step=float(points.step[first]),
        loss=float(smooth[first]),
        smoothing=smoothing,
        reason=None,
    )
