"""Build summary.json: the one document that every report, plot and gate is made from.

Pure, and without a clock: the same bundles and results give the same summary.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace

import polars as pl

from specc.analysis.percentiles import METHOD
from specc.collate import facts
from specc.collate.author_order import declared_settings, load_first, ordered_like
from specc.collate.cells import make_cells
from specc.collate.design import design_facts
from specc.collate.evidence.nodes import factors, hosts_of
from specc.collate.finding.complete import completeness
from specc.collate.interruptions import interruptions
from specc.collate.judging import VERDICTS, verdict_groups
from specc.collate.records.computed import Computed
from specc.collate.values import Study
from specc.kinds.base import Measurement, Metric
from specc.matrix.conditions import describe_condition, exclude_rule
from specc.model import Json

SCHEMA_VERSION = 1


def summarise(
    study: Study,
    room: Computed,
    frames: Mapping[str, pl.LazyFrame],
    held: Mapping[int, tuple[tuple[str, str], ...]],
    members: Mapping[str, Sequence[int]],
) -> dict[str, Json]:
    """Return the summary of a study as plain JSON values.

    frames: of the kind's `frames`.   held: what speaks against the times of a task, by its place.
    members: of `cell_members`.
    """
    first = study.sources[0].manifest
    spec = first["spec"]
    analysis = spec.get("analysis") or {}
    metrics = load_first(room.metrics(_distinct_settings(study), frames), analysis)
    measurements = _measured(room, frames, metrics, held)
    hosts = hosts_of(study)
    cells = make_cells(study.tasks, metrics, measurements, room.sampled(members), members)
    completed = {
        cell: [place for place in places if study.tasks[place].state == "completed"]
        for cell, places in members.items()
    }
    details = room.details(cells, completed, frames, analysis)
    for cell in cells:
        # settings may hold long texts; tables/tasks.csv has them by task id
        del cell["settings"]
        cell["details"] = details.get(cell["cell"], {})
        cell["hosts"] = sorted({hosts[p] for p in completed[cell["cell"]] if p in hosts})
    runs = facts.run_facts(study.tasks, study.launches)
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": study.kind,
        "name": first["name"],
        "purpose": first.get("purpose"),
        "percentile_method": METHOD,
        "axes": _axes(task.point for task in study.tasks),
        "replicates": _axes(
            {name: task.axes[name] for name in task.replicates} for task in study.tasks
        ),
        "completeness": completeness(study.tasks),
        "metrics": [asdict(metric) for metric in metrics],
        "verdicts": dict(VERDICTS),
        "verdict_groups": verdict_groups(cells),
        **factors(study, cells, completed, hosts),
        "cells": cells,
        "across": room.across(cells, completed, frames),
        "failures": facts.failure_facts(study.tasks, study.launches),
        "interruptions": interruptions(study.tasks, study.attempts),
        "damage": [asdict(one) for one in study.damage],
        "torn": {"lines": study.torn_lines, "bytes": study.torn_bytes},
        "runs": runs,
        "bundles": facts.bundle_facts(study.sources),
        "machines": facts.machine_facts(study.launches),
        "inputs": facts.input_facts(study.sources, study.launches),
        "design": design_facts(first),
        "rationale": spec.get("rationale") or {},
        "excluded": _excluded(spec.get("matrix") or {}),
        "reproduce": facts.reproducibility(study.sources, runs),
    }


def _measured(
    room: Computed,
    frames: Mapping[str, pl.LazyFrame],
    metrics: Iterable[Metric],
    held: Mapping[int, tuple[tuple[str, str], ...]],
) -> Iterator[Measurement]:
    """Yield every measurement with all that speaks against it.

    A busy machine changes times and rates, not how much memory a program takes.
    """
    sizes = {metric.name for metric in metrics if metric.unit == "B"}
    for one in room.measurements(frames):
        against = held.get(one.task, ())
        if against and one.metric not in sizes:
            yield replace(one, warnings=(*one.warnings, *against))
        else:
            yield one


def _excluded(matrix: Mapping[str, Json]) -> list[Json]:
    """Return which points the spec takes out of the matrix, and its author's reasons."""
    rules = map(exclude_rule, matrix.get("exclude") or ())
    return [{"points": describe_condition(rule), "reason": reason} for rule, reason, _ in rules]


def _axes(points: Iterable[Mapping[str, Json]]) -> dict[str, Json]:
    """Return every axis with its values in the order in which the matrix has them."""
    # looked up by its text: a list of ten thousand values would be searched ten thousand times
    found: dict[str, dict[str, Json]] = {}
    for point in points:
        for name, value in point.items():
            found.setdefault(name, {}).setdefault(repr(value), value)
    return {name: list(values.values()) for name, values in found.items()}


def _distinct_settings(study: Study) -> list[Mapping[str, Json]]:
    """Return the settings of one task for each point in their author's order; repetitions share
    theirs.
    """
    seen: dict[str, Mapping[str, Json]] = {}
    for task in study.tasks:
        seen.setdefault(repr(sorted(task.point.items(), key=lambda item: item[0])), task.settings)
    model = declared_settings(study.sources[0].path)
    return [ordered_like(model, one) for one in seen.values()]
