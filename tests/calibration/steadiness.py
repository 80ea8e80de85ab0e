"""Runs that move, and runs that only look like it.

A run is called NOT_STEADY when a warm-up, a drift or a change of level is larger than 5 % and more
than chance makes of a series that depends on itself as much as this one does. AR(1) noise has the
stated correlation from one value to the next.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from claim import Claim
from numpy.typing import NDArray
from scipy.signal import lfilter

from specc.analysis.steadiness import common_drift, examine

METHOD = "least squares against a long-run variance; MSER-5 for the warm-up; limit 5 %"
Series = NDArray[np.float64]
Draw = Callable[[np.random.Generator], Series]
N = 200
PLACE = np.linspace(0, 1, N)


def noise(rng: np.random.Generator, n: int, r: float) -> Series:
    """Return standard normal noise whose neighbours correlate with r."""
    white = rng.normal(size=n + 300)
    made: Series = lfilter([np.sqrt(1 - r * r)], [1, -r], white)[300:]
    return made


def still(n: int, spread: float, r: float) -> Draw:
    return lambda rng: np.exp(spread * noise(rng, n, r))


def with_stalls(rng: np.random.Generator) -> Series:
    return np.exp(0.3 * rng.normal(size=1000)) * np.where(rng.random(1000) < 0.001, 50, 1)


def moving(shape: Series, r: float) -> Draw:
    return lambda rng: shape * (1 + 0.05 * noise(rng, N, r))


STILL: dict[str, Draw] = {
    f"{n} values, {100 * spread:.0f} % noise, AR(1) {r:g}": still(n, spread, r)
    for n, spread, r in (
        (50, 0.05, 0.0), (200, 0.3, 0.0), (2000, 0.3, 0.0), (50, 0.3, 0.6), (200, 0.3, 0.3),
        (200, 0.3, 0.6), (200, 0.3, 0.9), (2000, 0.3, 0.9), (200, 0.3, 0.95), (2000, 0.3, 0.99),
    )
}  # fmt: skip
MOVING = {
    "10 % drift over 200 values, 5 % noise": (1 + 0.1 * PLACE, 0.0, 0.9),
    "10 % drift over 200 values, 5 % noise, AR(1) 0.5": (1 + 0.1 * PLACE, 0.5, 0.8),
    "10 % step after 80 of 200 values, 5 % noise": (np.where(PLACE < 0.4, 1, 1.1), 0.0, 0.9),
    "first 10 of 200 values 30 % higher, 5 % noise": (np.where(PLACE < 0.05, 1.3, 1), 0.0, 0.85),
    "50 % higher at the start, decaying over 10 of 200 values, 5 % noise": (
        1 + 0.5 * np.exp(-np.arange(N) / 10), 0.0, 0.9,
    ),
}  # fmt: skip


def rate(draw: Draw, trials: int, seed: int) -> int:
    rng = np.random.default_rng(seed)
    return sum(examine(draw(rng)).significant for _ in range(trials))


def together(trials: int, seed: int) -> int:
    """Count studies of five runs of slow noise that are said to drift together."""
    rng, draw = np.random.default_rng(seed), still(N, 0.3, 0.99)
    runs = ([examine(draw(rng)).drift or 0.0 for _ in range(5)] for _ in range(trials))
    return sum(map(common_drift, runs))


def claims(trials: int, seed: int) -> list[Claim]:
    """Return what the verdict NOT_STEADY promises of one run, measured."""
    quiet = {
        **STILL,
        "1,000 values, 30 % noise, one in 1,000 fifty times as long": with_stalls,
        "2 % drift over 200 values, 5 % noise: below the limit": moving(1 + 0.02 * PLACE, 0.0),
    }
    found = [
        Claim(
            name="NOT_STEADY although the run stands still",
            truth=truth,
            method=METHOD,
            trials=trials,
            hits=rate(draw, trials, seed),
            bound=0.05,
            side="at_most",
        )
        for truth, draw in quiet.items()
    ]
    found += [
        Claim(
            name="NOT_STEADY when the run moves",
            truth=truth,
            method=METHOD,
            trials=trials,
            hits=rate(moving(shape, r), trials, seed),
            bound=bound,
            side="at_least",
        )
        for truth, (shape, r, bound) in MOVING.items()
    ]
    found.append(
        Claim(
            name="NOT_STEADY although no run moves",
            truth="5 runs together, 200 values, 30 % noise, AR(1) 0.99",
            method="Student's t of the runs' drifts, 1 %",
            trials=trials,
            hits=together(trials, seed),
            bound=0.02,
            side="at_most",
        )
    )
    return found
