"""Builders: summaries with load curves whose truth is known, for what is made from a summary.

`a_load_summary("plateau")` has everything a report reads; its numbers are drawn with a seed from
the curve of that name, with a run-to-run spread of `noise`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from specc.analysis.intervals import over_runs
from specc.collate.curves.load import load_curves
from specc.collate.judging import VERDICTS

LEVELS = (1, 2, 4, 8, 16, 32, 64, 128)
THROUGHPUT, LATENCY, ERRORS = "requests_per_s", "latency_ms", "error_pct"
SLO_MS = 100.0


def linear(load: float) -> float:
    return 100.0 * load


def plateau(load: float) -> float:
    """Throughput [1/s] that stops at 800 from a load of 8 on."""
    return min(100.0 * load, 800.0)


def usl(load: float) -> float:
    """Throughput [1/s] with its peak at a load of 43.6: sqrt((1 - 0.05) / 0.0005)."""
    return 100.0 * load / (1 + 0.05 * (load - 1) + 0.0005 * load * (load - 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One curve, and what must be said of it."""

    curve: Callable[[float], float]
    levels: tuple[int, ...] = LEVELS
    noise: float = 0.04
    slo_ms: float = SLO_MS
    errors: Callable[[float], float] = lambda _: 0.0
    verdict: str
    """Of the knee."""
    knee: float | None = None
    """The true one; None when there is none or it can't be told."""
    answer: int | None = None
    """Largest level that truly meets the objective."""


CASES = {
    "linear": Case(curve=linear, verdict="NOT_REACHED", answer=128),
    "plateau": Case(curve=plateau, verdict="FOUND", knee=8.0, answer=32),
    "usl": Case(curve=usl, verdict="FOUND", knee=43.59, answer=32),
    "never_meets": Case(curve=plateau, slo_ms=5.0, verdict="FOUND", knee=8.0),
    "few_levels": Case(curve=plateau, levels=(1, 4, 16), verdict="REFUSED", answer=16),
    "noisy": Case(curve=plateau, noise=0.6, verdict="REFUSED", answer=32),
    "errors": Case(
        curve=plateau,
        errors=lambda load: 0.0 if load <= 8 else 0.5 * load,
        verdict="REFUSED",
        answer=8,
    ),
}
"""The p99 is twice the mean latency, which obeys Little's law: N / X."""


def a_load_summary(
    name: str = "plateau", *, repetitions: int = 5, seed: int = 1, case: Case | None = None
) -> dict[str, Any]:
    """Return a summary with one curve, by its name in CASES or as given."""
    case = case or CASES[name]
    chance = random.Random(seed)
    cells = [
        _cell(place, level, case, repetitions, chance)
        for place, level in enumerate(case.levels, start=1)
    ]
    summary = {
        "schema_version": 1,
        "kind": "command",
        "name": f"load-{name.replace('_', '-')}",
        "purpose": "Where the service saturates.",
        "percentile_method": "linear",
        "axes": {"concurrency": list(case.levels)},
        "completeness": {
            **{"expected": len(cells) * repetitions, "completed": len(cells) * repetitions},
            **dict.fromkeys(("failed", "not_run", "missing", "invalid", "duplicate"), 0),
        },
        "metrics": [
            _metric(THROUGHPUT, "requests/s", "higher"),
            _metric(LATENCY, "ms", "lower"),
            _metric(ERRORS, "%", "lower"),
        ],
        "verdicts": dict(VERDICTS),
        "cells": cells,
        **{key: [] for key in ("failures", "interruptions", "damage", "runs", "bundles")},
        **{key: [] for key in ("machines", "inputs", "excluded", "right_sizing")},
        **{key: [] for key in ("incidents", "fixtures", "reproduce")},
        "pilot": None,
        "torn": {"lines": 0, "bytes": 0},
        "rationale": {},
    }
    return {**summary, "load": load_curves(summary, an_analysis(case))}


def an_analysis(case: Case) -> dict[str, Any]:
    """Return the spec's `analysis` block of a case."""
    return {
        "load": {
            **{"axis": "concurrency", "throughput": THROUGHPUT, "latency": LATENCY},
            **{"latency_statistic": "p99", "errors": ERRORS, "loop": "closed"},
        },
        "slo": [{"metric": LATENCY, "statistic": "p99", "le": case.slo_ms}],
    }


def _metric(name: str, unit: str, better: str) -> dict[str, Any]:
    label = name.replace("_", " ").capitalize()
    return {"name": name, "label": label, "unit": unit, "better": better, "definition": label}


def _cell(
    place: int, level: int, case: Case, repetitions: int, chance: random.Random
) -> dict[str, Any]:
    rates = [case.curve(level) * chance.lognormvariate(0, case.noise) for _ in range(repetitions)]
    means = [1000 * level / rate for rate in rates]
    errors = [case.errors(level)] * repetitions
    return {
        "cell": f"c{place:04d}",
        "bundle_id": "load-0123456789ab",
        "bundles": ["load-0123456789ab"],
        "run_id": "r1",
        "condition_id": "0123456789abcdef",
        "axes": {"concurrency": level},
        "repetitions": {"expected": repetitions, "completed": repetitions},
        "tasks": [f"{place:012d}{run:04d}" for run in range(repetitions)],
        "cured": [],
        "verdict": "VALID",
        "verdict_reason": None,
        "verdict_causes": [],
        "metrics": {
            THROUGHPUT: _value(rates, "requests/s", "higher"),
            LATENCY: _tail(means, chance),
            ERRORS: _value(errors, "%", "lower"),
        },
        "details": {},
    }


def _tail(means: Sequence[float], chance: random.Random) -> dict[str, Any]:
    """Return the latency of a cell: medians as its values, the p99 among its statistics."""
    tails = [2 * mean * chance.lognormvariate(0, 0.02) for mean in means]
    found = over_runs(tails)
    p99 = {
        **{"value": found.centre, "low": found.low, "high": found.high, "n": found.runs},
        **{"run_values": tails, "reason": found.reason, "interval_method": found.method},
    }
    # all requests of runs of one length: faster runs have more of them, so the harmonic mean
    mean = len(means) / sum(1 / each for each in means)
    distribution = {
        **{"samples": 5000, "effective_samples": 4000.0, "percentile_method": "linear"},
        **{"avg": mean, "min": 0.5 * mean, "max": 3 * mean},
        **{"p50": 0.9 * mean, "p90": 1.5 * mean, "p95": 1.7 * mean, "p99": found.centre},
        **{"refused": {}, "outliers": 0},
    }
    medians = [0.9 * mean for mean in means]
    value = _value(medians, "ms", "lower")
    return {**value, "distribution": distribution, "statistics": {"p99": p99}}


def _value(runs: list[float], unit: str, better: str) -> dict[str, Any]:
    found = over_runs(runs)
    return {
        **{"value": found.centre, "reason": None, "unit": unit, "better": better},
        **{"low": found.low, "high": found.high, "level": found.level},
        **{"interval_method": found.method, "interval_reason": found.reason, "n": found.runs},
        **{"run_values": runs, "verdict": "VALID", "verdict_reason": None},
        **{"distribution": None, "statistics": {}},
    }
