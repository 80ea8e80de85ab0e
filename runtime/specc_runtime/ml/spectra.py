"""The fluctuation of a training loss around its power law: how strong, and how fast.

Pure numpy. A value, or None with a reason, whatever the series holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional, Sequence

import numpy as np

MIN_POINTS = 16
"""Below this a line through the points takes most of the fluctuation away."""


@dataclass(frozen=True)
class Fluctuation:
    """What is left of a loss series when its power law is taken off."""

    residual_power: Optional[float]
    """Variance of ln(loss) around the fitted line [1]: for small values the mean square of the
    relative deviation."""
    residual_power_reason: Optional[str]
    psd_tail: Optional[float]
    """Share of that power at the highest frequencies, 0..1 [1]."""
    psd_tail_reason: Optional[str]
    points: int
    """Losses looked at."""


def fluctuation(
    steps: Sequence[float], losses: Sequence[float], *, tail_fraction: float
) -> Fluctuation:
    """Take the line off ln(loss) over ln(step) and look at what is left.

    steps: (n,) consecutive, > 0.   losses: (n,) [nats].   tail_fraction: see `tail_share`.
    residual_power = sum of squared residuals / (n - 2), the unbiased variance around the line.
    psd_tail = `tail_share` of the residuals.
    Source: our definitions, after the study of loss slopes, which takes the last values of the
    unscaled periodogram of the same residuals; a share does not move with the noise's strength,
    and that has a number of its own. Checked against numpy.polyfit and scipy.signal in the tests.
    """
    x, y = np.asarray(steps, dtype=float), np.asarray(losses, dtype=float)
    count = len(y)
    bad = int(np.sum(~(np.isfinite(y) & (y > 0))))
    reason = None
    if count < MIN_POINTS:
        reason = f"{count} losses are too few, {MIN_POINTS} are needed"
    elif bad:
        # leaving them out would shift all that follows and so change its frequencies
        reason = f"{bad} of the last {count} losses are not positive finite numbers"
    if reason is not None:
        return Fluctuation(None, reason, None, reason, count)
    rest = _around_line(np.log(x), np.log(y))
    power = float(np.sum(rest**2)) / (count - 2)
    share = tail_share(rest, tail_fraction)
    why = "the losses do not fluctuate" if share is None else None
    return Fluctuation(power, None, share, why, count)


def tail_share(series: Any, tail_fraction: float) -> Optional[float]:
    """Return the share of the series' power at the highest frequencies; None for a flat series.

    The frequencies above 0 and up to 0.5 per step are cut at 0.5 * (1 - tail_fraction); the tail
    are those above. White noise, each loss independent of the one before, has a share near
    tail_fraction; slow drifts have less, losses that jump to and fro more.
    The power density is the one-sided periodogram of the series less its mean, tapered by a Hann
    window, without which a drift would leak into the tail.
    Source: periodogram, Welch's window; checked against scipy.signal.periodogram in the tests.
    """
    values = np.asarray(series, dtype=float)
    count = len(values)
    # a line was fitted to sixteen-digit numbers: what it leaves of a flat series is rounding
    if count < 2 or np.std(values) <= 1e-12:
        return None
    # periodic form, as in scipy: the next value of the taper would be the first one again
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(count) / count)
    density = np.abs(np.fft.rfft((values - values.mean()) * taper)) ** 2
    # each inner frequency stands for its negative too; the last one of an even count does not
    density[1 : None if count % 2 else -1] *= 2
    frequency = np.fft.rfftfreq(count)
    above_zero = frequency > 0
    tail = frequency > 0.5 * (1 - tail_fraction)
    return float(np.sum(density[tail & above_zero]) / np.sum(density[above_zero]))


def _around_line(x: Any, y: Any) -> Any:
    """Return y less its least-squares line over x."""
    x, y = x - x.mean(), y - y.mean()
    return y - x * (np.dot(x, y) / np.dot(x, x))
