"""Comparisons of two sets of runs.

The error rates are those of the whole gate: a FAIL of the mean over cells, or of any cell, of any
gated metric. Run-level values are lognormal with the spread named. Level 95 %, so a gate promises
at most 2.5 % false FAILs; 5 % is what may never be passed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
from claim import Claim
from numpy.typing import NDArray

from specc.analysis.comparing.family import Decision, Question, decide
from specc.analysis.comparing.two_samples import difference, mean_over_cells

NOISE = 0.04
METHOD = (
    "Welch on logs; mean over cells, Holm over cells, 4/5 of the error rate for the mean; alarm 0"
)
Sides = tuple[NDArray[np.float64], NDArray[np.float64]]
Draw = Callable[[np.random.Generator], Sides]


def gate(sides: Sides, *, known: bool = True, metrics: int = 1) -> list[Decision]:
    """Return all answers for one metric: logs of (cells, runs) on each side; nan for lost runs.

    known: whether it is known of which repetition a run is.
    """
    tolerate = math.log(1.05)
    kept = [[np.flatnonzero(~np.isnan(row)) for row in side] for side in sides]
    cells = [(old[k], new[m]) for old, new, k, m in zip(*sides, *kept, strict=True)]
    each = [Question(worse=difference(b, c), alarm=0.0, tolerate=tolerate) for b, c in cells]
    if len(each) == 1:
        return list(decide(None, each, metrics=metrics)[1])
    repetitions = [(k.tolist(), m.tolist()) for k, m in zip(*kept, strict=True)]
    mean = mean_over_cells(cells, repetitions if known else None)
    primary = Question(worse=mean, alarm=0.0, tolerate=tolerate)
    above, below = decide(primary, each, metrics=metrics)
    assert above is not None
    return [above, *below]


def runs(
    cells: int,
    *,
    n: tuple[int, int] = (5, 5),
    slower: float = 0.0,
    slow_cells: int | None = None,
    spread: tuple[float, float] = (NOISE, NOISE),
    together: float = 0.0,
    lost: int = 0,
) -> Draw:
    """Return a maker of both sides' logs; spread: smallest and largest of the cells' noises.

    lost: how many cells of a side lose one of their runs.
    """

    def draw(rng: np.random.Generator) -> Sides:
        noise = np.geomspace(*spread, cells)[:, None]
        centre = rng.normal(0, 2, (cells, 1))
        change = np.where(np.arange(cells) < (slow_cells or cells), math.log1p(slower), 0)[:, None]
        made = [
            centre + rng.normal(0, 1, (cells, k)) * noise + rng.normal(0, together, (1, k))
            for k in n
        ]
        for side in made:
            gone = rng.permutation(cells)[:lost]
            side[gone, rng.integers(side.shape[1], size=lost)] = np.nan
        return made[0], made[1] + change

    return draw


def rate(draw: Draw, trials: int, seed: int, verdict: str, *, known: bool = True) -> int:
    rng = np.random.default_rng(seed)
    return sum(
        any(one.verdict == verdict for one in gate(draw(rng), known=known)) for _ in range(trials)
    )


def two_metrics(trials: int, seed: int) -> int:
    """Count gates of two unrelated metrics over 6 cells each that FAIL in either."""
    rng = np.random.default_rng(seed)
    draw = runs(6)
    return sum(
        any(one.verdict == "FAIL" for _ in range(2) for one in gate(draw(rng), metrics=2))
        for _ in range(trials)
    )


def acquitted(trials: int, seed: int) -> int:
    """Count PASSes of one cell that became worse by exactly what is tolerated."""
    return rate(runs(1, slower=0.05), trials, seed, "PASS")


NO_CHANGE = {
    "one cell, 5 runs each, 4 % noise": runs(1),
    "one cell, 3 runs each, 4 % noise": runs(1, n=(3, 3)),
    "one cell, 10 against 3 runs, 4 % noise": runs(1, n=(10, 3)),
    "one cell, 2 runs each, 10 % noise": runs(1, n=(2, 2), spread=(0.1, 0.1)),
    "12 cells, 5 runs each, 4 % noise": runs(12),
    "12 cells, 5 runs each, noise from 0.5 % to 20 %": runs(12, spread=(0.005, 0.2)),
    "12 cells, 5 runs each, 2 % noise and 4 % of each repetition": runs(
        12, spread=(0.02, 0.02), together=NOISE
    ),
    "30 cells, 3 runs each, 4 % noise": runs(30, n=(3, 3)),
    "12 cells, 5 runs each, 2 % noise and 4 % of each repetition, 3 cells lost a run": runs(
        12, spread=(0.02, 0.02), together=NOISE, lost=3
    ),
}
SLOWER = {
    "10 % slower, one cell, 5 runs each, 4 % noise": runs(1, slower=0.1),
    "10 % slower, 6 cells, 5 runs each, 4 % noise": runs(6, slower=0.1),
    "10 % slower, 12 cells, 3 runs each, 4 % noise": runs(12, n=(3, 3), slower=0.1),
    "10 % slower, 12 cells, 5 runs each, 2 % noise and 4 % of each repetition": runs(
        12, slower=0.1, spread=(0.02, 0.02), together=NOISE
    ),
    "3 of 12 cells 15 % slower, 5 runs each, 4 % noise": runs(12, slower=0.15, slow_cells=3),
}


def claims(trials: int, seed: int) -> list[Claim]:
    """Return what `specc compare` promises, measured."""
    rare = partial(
        Claim, name="FAIL although nothing changed", trials=trials, bound=0.05, side="at_most"
    )
    unknown = runs(12, spread=(0.02, 0.02), together=NOISE)
    found = [
        *(
            rare(truth=truth, method=METHOD, hits=rate(draw, trials, seed, "FAIL"))
            for truth, draw in NO_CHANGE.items()
        ),
        rare(
            truth="12 cells, 5 runs each, 2 % noise and 4 % of repetitions that are not known",
            method=f"{METHOD}; errors of cells averaged",
            hits=rate(unknown, trials, seed, "FAIL", known=False),
        ),
        rare(
            truth="2 metrics of 6 cells each, 5 runs each, 4 % noise",
            method=METHOD,
            hits=two_metrics(trials, seed),
        ),
        rare(
            name="PASS although as much worse as tolerated",
            truth="5 % slower, one cell, 5 runs each, 4 % noise, tolerate 5 %",
            method="Welch on logs, upper end of the 95 % interval below tolerate",
            hits=acquitted(trials, seed),
        ),
    ]
    found += [
        Claim(
            name="FAIL when it became slower",
            truth=truth,
            method=METHOD,
            trials=trials,
            hits=rate(draw, trials, seed, "FAIL"),
            bound=0.8,
            side="at_least",
        )
        for truth, draw in SLOWER.items()
    ]
    return found
