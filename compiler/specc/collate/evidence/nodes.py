"""Hold the repetitions against the machines and the order they were measured in.

Pure. Only metrics of which more or less is better, on a log scale, and within one condition: jobs
of other shapes and environments are no repetitions of each other.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from specc.analysis.factors import LEVEL, NodeEffect, node_effects, order_effect
from specc.analysis.signs import change as signed
from specc.collate.values import Study
from specc.model import Json
from specc_runtime.contract.tasks import TaskRow

ALPHA = 0.01
"""Chance at which an effect is called one although there is none; there are several metrics."""
LEAST_PCT = 5.0
"""A change over the job that is smaller is not flagged, however sure."""
MOST_METRICS = 6


@dataclass(frozen=True, slots=True)
class _Where:
    """Where one repetition of one point was measured."""

    cell: str
    condition: str
    point: str
    """The same in another run: the point is measured once more."""
    job: str
    host: str
    place: float | None
    """In its job, 0..1; None where it is alone in it."""


_Run = tuple[_Where, float]


def hosts_of(study: Study) -> dict[int, str]:
    """Return place of the task -> its node; nothing where a job had several, or none is told."""
    found = {
        (one["bundle_id"], one["run_id"], f"{one['shard_id']}/{one['launch']}"): one["host"]
        for one in study.launches
        if (one.get("slurm") or {}).get("SLURM_JOB_NUM_NODES", "1") == "1"
    }
    keys = ((t.bundle_id, t.run_id, t.launch or "") for t in study.tasks)
    return {place: found[key] for place, key in enumerate(keys) if key in found}


def factors(
    study: Study,
    cells: Sequence[Mapping[str, Json]],
    members: Mapping[str, Sequence[int]],
    hosts: Mapping[int, str],
) -> dict[str, list[Json]]:
    """Return `nodes` and `order_effects` of the summary.

    members: cell -> places of its tasks.   hosts: of `hosts_of`.
    `nodes` is empty where all was measured on one node.
    """
    nodes: list[Json] = []
    orders: list[Json] = []
    metrics = _metrics(cells)
    where = _where(study, members, hosts) if metrics else {}
    for metric in metrics:
        groups: dict[str, list[_Run]] = defaultdict(list)
        for run in _runs(metric, cells, where):
            groups[run[0].condition].append(run)
        for condition, runs in groups.items():
            about = {"metric": metric, "condition_id": condition or None}
            nodes += [{**about, **entry} for entry in _nodes(runs)]
            orders += [{**about, **entry} for entry in _orders(runs)]
    return {"nodes": nodes, "order_effects": orders}


def _metrics(cells: Iterable[Mapping[str, Json]]) -> list[str]:
    """Return which metrics are looked at: the first few that points were measured by."""
    found = dict.fromkeys(
        name
        for cell in cells
        for name, value in cell["metrics"].items()
        # the memory of a program is its own, wherever it runs
        if value["better"] != "none" and value["unit"] != "B" and value["n"] > 1
    )
    return list(found)[:MOST_METRICS]


def _places(study: Study) -> dict[tuple[str, str], float]:
    """Return (bundle, task) -> its planned place in its job, 0..1; none where it is alone in it."""
    found: dict[tuple[str, str], float] = {}
    for source in study.sources:
        shards: dict[str, list[TaskRow]] = defaultdict(list)
        for task in source.tasks:
            if task.shard is not None and task.position is not None:
                shards[task.shard].append(task)
        for rows in shards.values():
            last = max(row.position or 0 for row in rows)
            for row in rows if last else ():
                found[source.bundle_id, row.task_id] = (row.position or 0) / last
    return found


def _where(
    study: Study, members: Mapping[str, Sequence[int]], hosts: Mapping[int, str]
) -> dict[tuple[str, int], _Where]:
    """Return (cell, repetition) -> where it was measured, for those whose node is known."""
    planned = _places(study)
    found = {}
    for cell, places in members.items():
        for place in places:
            task = study.tasks[place]
            if place in hosts:
                found[cell, task.repetition] = _Where(
                    cell=cell,
                    condition=task.condition_id or "",
                    point=f"{task.lineage} {sorted(task.point.items())!r}",
                    job=f"{task.bundle_id} {task.run_id} {task.launch}",
                    host=hosts[place],
                    place=planned.get((task.bundle_id, task.task_id)),
                )
    return found


def _runs(
    metric: str,
    cells: Iterable[Mapping[str, Json]],
    where: Mapping[tuple[str, int], _Where],
) -> Iterator[_Run]:
    """Yield where and the log of the value of each repetition whose value is above 0."""
    for cell in cells:
        value = cell["metrics"][metric]
        for repetition, number in zip(value["run_repetitions"], value["run_values"], strict=True):
            place = where.get((cell["cell"], repetition))
            if place is not None and number > 0:
                yield place, math.log(number)


def _nodes(runs: Sequence[_Run]) -> Iterator[dict[str, Json]]:
    if len({one.host for one, _ in runs}) < 2:
        return
    found = node_effects(
        np.array([value for _, value in runs]),
        [one.point for one, _ in runs],
        [one.job for one, _ in runs],
        {one.job: one.host for one, _ in runs},
    )
    significant = found.p is not None and found.p <= ALPHA
    for one in found.effects:
        yield {
            "host": one.node,
            "effect_pct": _pct(one.effect),
            "low_pct": _pct(one.low),
            "high_pct": _pct(one.high),
            "level": LEVEL,
            "jobs": one.jobs,
            "cells": sorted({each.cell for each, _ in runs if each.host == one.node}),
            "p": found.p,
            "share_pct": None if found.share is None else 100 * found.share,
            "significant": significant,
            "reason": one.reason,
            "text": _told(one, len(found.effects)) if significant else None,
        }


def _told(one: NodeEffect, nodes: int) -> str:
    low, high, effect = (_by(each) for each in (one.low, one.high, one.effect))
    return f"{one.node}: {effect} from the mean of {nodes} nodes ({low} to {high})"


def _by(log_ratio: float | None) -> str:
    return signed((_pct(log_ratio) or 0.0) / 100)


def _orders(runs: Sequence[_Run]) -> Iterator[dict[str, Json]]:
    placed = [(one, one.place, value) for one, value in runs if one.place is not None]
    if len(placed) < 3:
        return
    found = order_effect(
        np.array([value for *_, value in placed]),
        [one.point for one, *_ in placed],
        [one.job for one, *_ in placed],
        np.array([place for _, place, _ in placed]),
    )
    change = _pct(found.change)
    sure = found.p is not None and found.p <= ALPHA
    flagged = sure and change is not None and abs(change) > LEAST_PCT
    yield {
        "change_pct": change,
        "low_pct": _pct(found.low),
        "high_pct": _pct(found.high),
        "level": LEVEL,
        "p": found.p,
        "significant": flagged,
        "reason": found.reason,
        "text": f"values change by {_by(found.change)} from the first to the last place of a job"
        if flagged
        else None,
    }


def _pct(log_ratio: float | None) -> float | None:
    """Return a difference of logs as a change in per cent; None beyond what a float holds."""
    if log_ratio is None or log_ratio > 300:
        return None
    return 100 * math.expm1(log_ratio)
