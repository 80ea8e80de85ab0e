"""The knee of a load curve, and the load that meets an objective.

Loads 1, 2, 4 … 128; the intervals are nominal 95 % and of the named quantity: the corner of a hard
limit, the peak of the universal scalability law. A trial in which the wrong model was chosen, or
none, counts as a miss.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from claim import Claim

from specc.analysis.intervals import over_runs
from specc.analysis.load.knee import Knee, Level, find_knee
from specc.analysis.load.slo import Bounds, answer

LEVELS = (1, 2, 4, 8, 16, 32, 64, 128)
NOISE = 0.04
METHOD = "growth of the last factor of two by t; hinge or USL by AICc, profile likelihood"

Rate = Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Noise:
    """Standard deviations of logarithms."""

    words: str
    first: float
    """Between the runs of the first level."""
    last: float
    levels: float = 0.0
    """Between levels, on top of the curve: the same in all runs of a level."""


PLAIN = Noise("4 % noise", NOISE, NOISE)
RISING = Noise("noise that rises from 1 to 8 % with the load", 0.01, 0.08)
OWN = Noise("4 % noise, and levels 3 % off the curve", NOISE, NOISE, 0.03)


def limit(corner: float) -> Rate:
    return lambda load: 100.0 * min(load, corner)


def law(sigma: float, kappa: float) -> Rate:
    return lambda load: 100.0 * load / (1 + sigma * (load - 1) + kappa * load * (load - 1))


def sweep(
    rate: Rate, levels: Sequence[int], runs: int, chance: np.random.Generator, noise: Noise
) -> tuple[Level, ...]:
    """Return one simulated sweep: lognormal differences between runs, and between levels."""
    spread = np.linspace(noise.first, noise.last, len(levels))[:, None]
    own = noise.levels * chance.standard_normal((len(levels), 1))
    factors = np.exp(spread * chance.standard_normal((len(levels), runs)) + own)
    return tuple(
        Level(load=load, throughputs=tuple(float(rate(load) * each) for each in factors[place]))
        for place, load in enumerate(levels)
    )


def claims(trials: int, seed: int) -> list[Claim]:
    """Return what is promised of knees and of answers to objectives."""
    found: list[Claim] = []
    for runs in (5, 3):
        found += _not_reached(trials, seed, runs)
        found += _covered(trials, seed, runs, PLAIN)
        found += _answered(trials, seed, runs)
    # what no sweep promises: levels of equal spread that lie on the curve
    for noise in (RISING, OWN):
        found += _covered(trials, seed, 5, noise)
    return found


def _not_reached(trials: int, seed: int, runs: int) -> list[Claim]:
    found = []
    for name, rate, levels in (
        ("linear", lambda load: 100.0 * load, LEVELS),
        ("linear, 1 to 16", lambda load: 100.0 * load, LEVELS[:5]),
        ("peak at 43.6, loads up to 16 only", law(0.05, 0.0005), LEVELS[:5]),
    ):
        knees = _knees(rate, levels, runs, trials, seed, PLAIN)
        found.append(
            Claim(
                name="NOT_REACHED where throughput still grows",
                truth=f"{name}; {runs} runs, 4 % noise",
                method=METHOD,
                trials=trials,
                hits=sum(knee.verdict == "NOT_REACHED" for knee in knees),
                bound=0.99,
                side="at_least",
            )
        )
    return found


def _covered(trials: int, seed: int, runs: int, noise: Noise) -> list[Claim]:
    peak = math.sqrt(0.95 / 0.0005)
    found = []
    for name, rate, truth, model in (
        ("hard limit at 8", limit(8), 8.0, "hinge"),
        ("hard limit at 11", limit(11), 11.0, "hinge"),
        (f"USL peak at {peak:.1f}", law(0.05, 0.0005), peak, "usl"),
    ):
        if noise is not PLAIN and truth == 11:
            continue
        knees = _knees(rate, LEVELS, runs, trials, seed, noise)
        found.append(
            Claim(
                name="the knee's interval covers the truth",
                truth=f"{name}; {runs} runs, {noise.words}",
                method=METHOD,
                trials=trials,
                hits=sum(_covers(knee, truth, model) for knee in knees),
                bound=0.9 if noise is OWN else 0.92,
                side="at_least",
            )
        )
    return found


def _answered(trials: int, seed: int, runs: int) -> list[Claim]:
    """Return the claims of objectives: a tail of 10 ms that grows by a quarter with each doubling.

    The limit lies a hair below the tail at a load of 16, or a tenth above it.
    """
    tails = [10 * 1.25**place for place in range(len(LEVELS))]
    chance = np.random.default_rng(seed)
    beyond, exact = 0, 0
    for _ in range(trials):
        noise = np.exp(NOISE * chance.standard_normal((len(LEVELS), runs)))
        levels = []
        for load, tail, each in zip(LEVELS, tails, noise, strict=True):
            found = over_runs([float(tail * one) for one in each])
            levels.append(Bounds(load=load, low=found.low, high=found.high))
        at_edge = answer(levels, "le", 0.999 * tails[4])
        beyond += at_edge.load is not None and at_edge.load >= LEVELS[4]
        exact += answer(levels, "le", 1.1 * tails[4]).load == LEVELS[4]
    truth = f"tail grows by a quarter per doubling; {runs} runs, 4 % noise; limit"
    method = "t on log tails of runs, isotonic over the loads"
    wrong = Claim(
        name="a load is said to meet an objective that it misses",
        truth=f"{truth} 0.1 % below one level",
        method=method,
        trials=trials,
        hits=beyond,
        bound=0.05,
        side="at_most",
    )
    if runs < 5:
        return [wrong]
    right = replace(
        wrong,
        name="the largest load within the objective is found",
        truth=f"{truth} 10 % above one level",
        hits=exact,
        bound=0.8,
        side="at_least",
    )
    return [wrong, right]


def _knees(
    rate: Rate, levels: Sequence[int], runs: int, trials: int, seed: int, noise: Noise
) -> list[Knee]:
    chance = np.random.default_rng(seed)
    return [find_knee(sweep(rate, levels, runs, chance, noise)) for _ in range(trials)]


def _covers(knee: Knee, truth: float, model: str) -> bool:
    if knee.model != model or knee.low is None or knee.high is None:
        return False
    return knee.low <= truth <= knee.high
