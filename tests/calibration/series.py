"""Series of runs.

One value for each run; independent lognormal noise where nothing is said.
"""

from __future__ import annotations

import numpy as np
from claim import Claim

from specc.analysis.series.change_point import change_point
from specc.analysis.series.trend import trend

ALPHA = 0.025
"""Of each of the two questions, as collate asks them of a study with one series."""
STEP = "best of all splits by t, Bonferroni over the splits, 2.5 %"
CREEP = "Mann-Kendall, 2.5 %"


def claims(trials: int, seed: int) -> list[Claim]:
    """Return what series of runs promise, measured."""
    rng = np.random.default_rng(seed)
    found = []
    for n in (10, 15, 40):
        quiet = rng.normal(0, 0.04, (trials, n))
        steps = [change_point(row, alpha=ALPHA) is not None for row in quiet]
        creeps = [trend(row, alpha=ALPHA) is not None for row in quiet]
        found.append(
            Claim(
                name="a change or a trend is shown where there is none",
                truth=f"{n} runs, 4 % noise, nothing changes",
                method=f"{STEP}; {CREEP}",
                trials=trials,
                hits=sum(map(max, zip(steps, creeps, strict=True))),
                bound=0.05,
                side="at_most",
            )
        )
    tailed = 0.04 * rng.standard_t(4, (trials, 20))
    found.append(
        Claim(
            name="a change or a trend is shown where there is none",
            truth="20 runs, heavy tails (t with 4 degrees of freedom), nothing changes",
            method=f"{STEP}; {CREEP}",
            trials=trials,
            hits=sum(
                change_point(row, alpha=ALPHA) is not None or trend(row, alpha=ALPHA) is not None
                for row in tailed
            ),
            bound=0.05,
            side="at_most",
        )
    )
    stepped = rng.normal(0, 0.04, (trials, 20)) + np.where(np.arange(20) >= 12, 0.0953, 0)
    places = [change_point(row, alpha=ALPHA) for row in stepped]
    creeping = rng.normal(0, 0.04, (trials, 30)) + 0.005 * np.arange(30)
    found += [
        Claim(
            name="a change of level is found, at most one run off",
            truth="20 runs, 4 % noise, 10 % slower from the 13th on",
            method=STEP,
            trials=trials,
            hits=sum(one is not None and abs(one.place - 12) <= 1 for one in places),
            bound=0.8,
            side="at_least",
        ),
        Claim(
            name="a trend is found",
            truth="30 runs, 4 % noise, 0.5 % slower from run to run",
            method=CREEP,
            trials=trials,
            hits=sum(trend(row, alpha=ALPHA) is not None for row in creeping),
            bound=0.8,
            side="at_least",
        ),
    ]
    return found
