"""Builders: sides of a comparison from run-level values, as collate's summary has them."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

from specc.analysis.intervals import over_runs
from specc.comparing.sides import Side

LATENCY = {
    "name": "latency_ms",
    "label": "latency",
    "unit": "ms",
    "better": "lower",
    "definition": "time of a request",
}
RATE = {
    "name": "rate",
    "label": "rate",
    "unit": "1/s",
    "better": "higher",
    "definition": "requests over time",
}
ERRORS = {
    "name": "error_pct",
    "label": "errors",
    "unit": "%",
    "better": "lower",
    "definition": "share of failed requests",
}
HEAT = {"name": "heat", "label": "heat", "unit": "K", "better": "none", "definition": "of the room"}

_STARTS = itertools.count(1)
Runs = Mapping[str, Sequence[float]]
"""Metric -> one value for each run."""


def steady(centre: float, n: int = 5, *, spread: float = 0.01) -> list[float]:
    """Return n values around a geometric mean, a few percent apart."""
    return [centre * (1 + spread) ** (k - (n - 1) / 2) for k in range(n)]


def a_cell(
    cell: str,
    axes: Mapping[str, Any],
    runs: Runs,
    metrics: Sequence[Mapping[str, Any]],
    **changes: Any,
) -> dict[str, Any]:
    """Return a cell; its tasks have the ids that equal axes always have."""
    found = {one["name"]: a_metric(one, runs.get(one["name"], ())) for one in metrics}
    count = max(map(len, runs.values()), default=0)
    work = json.dumps(axes, sort_keys=True)
    ids = [hashlib.sha256(f"{work} {k}".encode()).hexdigest()[:16] for k in range(count or 3)]
    made = {
        "cell": cell,
        "bundle_id": "study-0123456789ab",
        "run_id": "r1",
        "condition_id": "c" * 16,
        "axes": dict(axes),
        "tasks": ids,
        "repetitions": {"expected": len(ids), "completed": count, "not_run": 0},
        "metrics": found,
    }
    return {**made, **changes}


def a_metric(
    metric: Mapping[str, Any],
    runs: Sequence[float],
    *,
    causes: Sequence[tuple[str, str]] = (),
    p99: Sequence[float] | None = None,
) -> dict[str, Any]:
    """Return one metric of a cell. causes: (verdict, reason) of what is held against it."""
    spread = over_runs(runs)
    statistics = None
    if p99 is not None:
        statistics = {"p99": {"value": over_runs(p99).centre, "run_values": list(p99)}}
    return {
        "value": spread.centre,
        "low": spread.low,
        "high": spread.high,
        "n": len(runs),
        "unit": metric["unit"],
        "run_values": list(runs),
        "run_repetitions": list(range(len(runs))),
        "reason": None if runs else "every repetition failed",
        "verdict": causes[0][0] if causes else "VALID",
        "verdict_reason": causes[0][1] if causes else None,
        "verdict_causes": [{"verdict": name, "reason": reason} for name, reason in causes],
        "statistics": statistics,
    }


def a_summary(
    cells: Sequence[Mapping[str, Any]],
    metrics: Sequence[Mapping[str, Any]] = (LATENCY,),
    *,
    kind: str = "command",
    hardware: Mapping[str, Any] | None = None,
    python: str = "3.11.2",
    lock: str | None = None,
    specc: str = "0.1.0",
) -> dict[str, Any]:
    """Return what a comparison reads of a summary."""
    bundles = {
        "bundle_id": "study-0123456789ab",
        "specc_version": specc,
        "shapes": [],
        "environments": {"default": {"lock_sha256": lock}},
    }
    machine = {
        "hardware": hardware or {"cpu": {"model": "EPYC 7763", "allowed_count": 8}, "gpus": []},
        "python": python,
        "environment": {"packages": {}},
        "network": "isolated",
        "launches": ["r1/1-cpu-0000/launch-001"],
    }
    run = {
        "bundle_id": "study-0123456789ab",
        "run_id": "r1",
        "hosts": ["node-1"],
        # no two summaries are of one run
        "started_epoch_ns": next(_STARTS),
    }
    return {
        "schema_version": 1,
        "kind": kind,
        "name": "study",
        "axes": {axis: [] for cell in cells for axis in cell["axes"]},
        "metrics": [dict(one) for one in metrics],
        "cells": list(cells),
        "bundles": [bundles],
        "machines": [machine],
        "runs": [run],
    }


def a_side(
    points: Sequence[Runs], metrics: Sequence[Mapping[str, Any]] = (LATENCY,), **about: Any
) -> Side:
    """Return a side with one cell for each entry: {"size": 0}, {"size": 1}, …."""
    cells = [
        a_cell(f"c{k:04d}", {"size": k}, runs, metrics) for k, runs in enumerate(points, start=1)
    ]
    return side_of(a_summary(cells, metrics, **about))


def side_of(summary: Mapping[str, Any]) -> Side:
    return Side(shown="a", summary=summary, bundle_id="study-0123456789ab", run_id="r1")


def latencies(*centres: float, n: int = 5, spread: float = 0.01) -> list[Runs]:
    """Return points with these latencies."""
    return [{"latency_ms": steady(centre, n, spread=spread)} for centre in centres]
