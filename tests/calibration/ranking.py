"""Claims about best points, nodes and the order of runs.

A point is called the best when it differs from each other one by more than chance (Holm). Noise is
lognormal, 4 % between runs, unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from claim import Claim
from numpy.typing import NDArray

from specc.analysis.factors import node_effects, order_effect
from specc.kinds.claims import rank

Array = NDArray[np.float64]
METRIC = {"name": "t", "label": "Time", "unit": "s", "better": "lower"}
NOISE = 0.04
RANKED = "two-sided t on logs against each other point, paired within jobs; Holm, 5 %"
NODES = "two stages: point + job, then jobs by node"


def best_is_claimed(
    rng: np.random.Generator,
    centres: Array,
    *,
    runs: int = 3,
    noise: tuple[float, float] = (NOISE, NOISE),
    job: float = 0.0,
    paired: bool = False,
) -> bool:
    """Tell whether one of some points is called the best; centres: logs."""
    spread = np.geomspace(*noise, len(centres))[:, None]
    logs = centres[:, None] + rng.normal(0, 1, (len(centres), runs)) * spread
    values = np.exp(logs + rng.normal(0, job, (1, runs)))
    cells = [
        {
            "cell": f"c{number}",
            "metrics": {
                "t": {
                    "value": float(np.exp(np.log(each).mean())),
                    "run_values": each.tolist(),
                    "run_repetitions": list(range(runs)),
                }
            },
        }
        for number, each in enumerate(values)
    ]
    block = "job" if paired else "none"
    found = rank({"design": {"repetitions": {"block": block}}, "cells": cells}, METRIC)
    return found is not None and found.best is not None


def a_study(rng: np.random.Generator, nodes: tuple[float, ...], *, change: float = 0.0) -> Any:
    """Return 14 points in 6 jobs on some nodes; 2 % between jobs, a tenth of the runs missing."""
    rows = []
    for job in range(6):
        added = nodes[job % len(nodes)] + rng.normal(0, 0.02)
        for place, point in enumerate(rng.permutation(14)):
            if rng.random() > 0.1:
                share = place / 13
                value = 0.3 * point + added + change * share + rng.normal(0, NOISE)
                rows.append((value, f"p{point}", f"j{job}", share))
    values, points, jobs, places = zip(*rows, strict=True)
    node_of = {f"j{job}": f"n{job % len(nodes)}" for job in range(6)}
    return np.array(values), points, jobs, np.array(places), node_of


def node_is_flagged(rng: np.random.Generator, nodes: tuple[float, ...]) -> bool:
    values, points, jobs, _, node_of = a_study(rng, nodes)
    p = node_effects(values, points, jobs, node_of).p
    return p is not None and p <= 0.01


def node_interval_covers(rng: np.random.Generator, nodes: tuple[float, ...]) -> bool:
    values, points, jobs, _, node_of = a_study(rng, nodes)
    found = node_effects(values, points, jobs, node_of)
    one = next(effect for effect in found.effects if effect.node == "n0")
    assert one.low is not None
    assert one.high is not None
    return one.low <= nodes[0] - sum(nodes) / len(nodes) <= one.high


def order_interval_covers(rng: np.random.Generator) -> bool:
    values, points, jobs, places, _ = a_study(rng, (0.0, 0.05), change=0.05)
    found = order_effect(values, points, jobs, places)
    assert found.low is not None
    assert found.high is not None
    return found.low <= 0.05 <= found.high


def count(happens: Callable[[np.random.Generator], bool], trials: int, seed: int) -> int:
    rng = np.random.default_rng(seed)
    return sum(happens(rng) for _ in range(trials))


FAR = np.linspace(1, 3, 12)
EQUAL: dict[str, Callable[[np.random.Generator], bool]] = {
    "14 equal points, 3 runs": lambda rng: best_is_claimed(rng, np.zeros(14)),
    "14 equal points, 3 runs, noise from 0.5 % to 20 %": lambda rng: best_is_claimed(
        rng, np.zeros(14), noise=(0.005, 0.2)
    ),
    "14 equal points, 3 runs, 4 % of each job": lambda rng: best_is_claimed(
        rng, np.zeros(14), job=NOISE, paired=True
    ),
    "2 equal points, 3 runs": lambda rng: best_is_claimed(rng, np.zeros(2)),
    "2 equal points and 12 far worse, 3 runs": lambda rng: best_is_claimed(
        rng, np.concatenate(([0.0, 0.0], FAR))
    ),
    "2 equal points and 12 far worse, 3 runs, 4 % of each job": lambda rng: best_is_claimed(
        rng, np.concatenate(([0.0, 0.0], FAR)), job=NOISE, paired=True
    ),
}


def claims(trials: int, seed: int) -> list[Claim]:
    """Return what rankings and effects promise, measured."""
    found = [
        Claim(
            name="a best point although two are equally good",
            truth=truth,
            method=RANKED,
            trials=trials,
            hits=count(happens, trials, seed),
            bound=0.05,
            side="at_most",
        )
        for truth, happens in EQUAL.items()
    ]
    better = np.concatenate(([0.0, 0.3], FAR))
    rows: list[tuple[str, str, str, Callable[[np.random.Generator], bool], float, bool]] = [
        ("the best point is called so", "35 % ahead of 13 others, 3 runs", RANKED,
         lambda rng: best_is_claimed(rng, better), 0.9, True),
        ("the best point is called so", "35 % ahead of 13 others, 3 runs, 4 % of each job", RANKED,
         lambda rng: best_is_claimed(rng, better, job=NOISE, paired=True), 0.8, True),
        ("a node is flagged although none differs", "2 nodes, 6 jobs", NODES,
         lambda rng: node_is_flagged(rng, (0.0, 0.0)), 0.02, False),
        ("a node is flagged although none differs", "3 nodes, 6 jobs", NODES,
         lambda rng: node_is_flagged(rng, (0.0, 0.0, 0.0)), 0.02, False),
        ("a node is flagged when it differs", "2 nodes 16 % apart, 6 jobs", NODES,
         lambda rng: node_is_flagged(rng, (0.0, 0.15)), 0.9, True),
        ("the interval of a node's effect holds the truth", "2 nodes 5 % apart, 6 jobs", NODES,
         lambda rng: node_interval_covers(rng, (0.0, 0.05)), 0.94, True),
        ("the interval of the change over a job holds the truth", "5 % over the job, 6 jobs",
         "least squares of point + job + place", order_interval_covers, 0.94, True),
    ]  # fmt: skip
    found += [
        Claim(
            name=name,
            truth=truth,
            method=method,
            trials=trials,
            hits=count(happens, trials, seed),
            bound=bound,
            side="at_least" if least else "at_most",
        )
        for name, truth, method, happens, bound, least in rows
    ]
    return found
