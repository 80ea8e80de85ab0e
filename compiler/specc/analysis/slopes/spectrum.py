"""How the power of a series is spread over its frequencies.

Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from specc.analysis.arrays import Array, Values, as_array
from specc.analysis.slopes.points import HUGE

SEGMENT = 256
LEAST = 16
"""Fewer values show no spectrum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spectrum:
    """One-sided power spectral density."""

    frequency: Array
    """(m,) from 0 to 0.5 [1 / place: cycles per value]; empty without a spectrum."""
    power: Array
    """(m,) [unit of the values squared, times place]; its sum times the step of the frequency is
    about the variance."""
    segments: int
    """Half-overlapping pieces whose spectra were averaged."""
    filled: int
    """Values that were not finite and were put on the line between their neighbours."""
    reason: str | None
    """Why there is none; None when there is one."""


def psd(values: Values, *, segment: int = SEGMENT) -> Spectrum:
    """Return the power spectral density of evenly spaced values, by Welch's method.

    values: (n,).   segment: values in each piece; n when there are fewer.
    Each piece less its mean, times a Hann window, half overlapping the one before it; a rest that
    fills no piece is not used. Gaps (NaN, inf, numbers beyond 1e100) up to a tenth of
    the values are bridged by straight lines and counted, more of them refused. Never raises on
    data.
    Source: Welch (1967); checked against scipy.signal.welch, and white noise of known variance.
    """
    series = as_array(values)
    known = np.abs(series) < HUGE
    n, gaps = len(series), int(len(series) - known.sum())
    if n - gaps < LEAST:
        return _none(f"{n - gaps} finite values, a spectrum needs {LEAST}", gaps)
    if gaps > n / 10:
        return _none(f"{gaps} of {n} values are not finite", gaps)
    if gaps:
        places = np.arange(n)
        series = np.interp(places, places[known], series[known])
    size = min(max(segment, LEAST), n)
    pieces = np.lib.stride_tricks.sliding_window_view(series, size)[:: size - size // 2]
    # periodic, as spectra want it: the last value of the symmetric one is left out
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    waves = np.fft.rfft((pieces - pieces.mean(axis=1, keepdims=True)) * window, axis=1)
    power = np.mean(waves.real**2 + waves.imag**2, axis=0) / np.sum(window**2)
    # one side stands for both, but for 0 and, where there is one, the highest frequency
    power[1 : None if size % 2 else -1] *= 2
    return Spectrum(
        frequency=np.arange(size // 2 + 1) / size,
        power=power,
        segments=len(pieces),
        filled=gaps,
        reason=None,
    )


def _none(reason: str, filled: int) -> Spectrum:
    nothing = np.empty(0)
    return Spectrum(frequency=nothing, power=nothing, segments=0, filled=filled, reason=reason)
