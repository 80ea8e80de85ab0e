"""Turn the tasks of a study into cells: one point of the matrix, in one run, on one condition.

A cell's number is the centre of its repetitions with an interval over them; percentiles are exact
over the pooled samples. Every number carries a verdict: whether it may be read at face value.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from specc.analysis.intervals import over_runs
from specc.analysis.percentiles import METHOD
from specc.collate.judging import judge, no_data
from specc.collate.records.samples import LARGEST, RunSamples, Sampled
from specc.collate.run_percentiles import statistics
from specc.collate.values import STATES, TaskResult
from specc.kinds.base import Measurement, Metric
from specc.model import Json

_NO_RUN: Mapping[str, Measurement] = {}


def cell_members(tasks: Sequence[TaskResult]) -> dict[str, list[int]]:
    """Group tasks by bundle lineage, run, condition and point; keys are c0001, c0002 and so on."""
    groups: dict[tuple[str, str, str | None, str], list[int]] = defaultdict(list)
    homeless = _conditions_of_repetitions(tasks)
    for place, task in enumerate(tasks):
        axes = repr(sorted(task.point.items()))  # half the price of JSON, ten thousand times
        condition = task.condition_id
        if condition is None and task.replicates:
            condition = homeless.get((task.lineage, task.run_id, axes))
        groups[(task.lineage, task.run_id, condition, axes)].append(place)
    return {f"c{number:04d}": places for number, places in enumerate(groups.values(), start=1)}


def _conditions_of_repetitions(
    tasks: Sequence[TaskResult],
) -> dict[tuple[str, str, str], str | None]:
    """Return the condition of points of which some repetitions were left out of the study.

    These have none of their own. A point that was measured on several conditions has no entry.
    """
    found: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for task in tasks:
        if task.replicates and task.condition_id is not None:
            axes = repr(sorted(task.point.items()))
            found[(task.lineage, task.run_id, axes)].add(task.condition_id)
    return {key: next(iter(each)) for key, each in found.items() if len(each) == 1}


def make_cells(
    tasks: Sequence[TaskResult],
    metrics: Sequence[Metric],
    measurements: Iterable[Measurement],
    sampled: Sampled,
    cells: Mapping[str, Sequence[int]],
) -> list[dict[str, Json]]:
    """Return the cells of the summary, in matrix order, without the kind's own details.

    cells: see `cell_members`.
    sampled: the single values behind the measurements that have several.
    """
    found: dict[int, dict[str, Measurement]] = defaultdict(dict)
    for one in measurements:
        found[one.task][one.metric] = _reckonable(sampled.settled(one))
    made = []
    for cell, places in cells.items():
        members = [tasks[place] for place in places]
        done = [place for place in places if tasks[place].state == "completed"]
        repetitions = [tasks[place].repetition for place in done]
        runs = [found.get(place, _NO_RUN) for place in done]
        values = {
            metric.name: _metric_value(
                metric, [run.get(metric.name) for run in runs], repetitions, members, sampled
            )
            for metric in metrics
        }
        present = (value for value in values.values() if value["value"] is not None)
        main = next(present, None) or _nothing(members)
        first = members[0]
        seen = [member.state for member in members]
        states: dict[str, int] = {state: seen.count(state) for state in STATES}
        made.append(
            {
                "cell": cell,
                "bundle_id": first.lineage,
                "bundles": sorted({m.bundle_id for m in members}),
                "run_id": first.run_id,
                "condition_id": next((m.condition_id for m in members if m.condition_id), None),
                "axes": dict(first.point),
                "settings": first.settings,
                "repetitions": {"expected": len(members), **states},
                "tasks": [m.task_id for m in members],
                "cured": [
                    {"task_id": m.task_id, **m.cure}
                    for m in members
                    if m.cure is not None and m.state == "completed"
                ],
                **{key: main[key] for key in ("verdict", "verdict_reason", "verdict_causes")},
                "metrics": values,
            }
        )
    return made


def _reckonable(one: Measurement) -> Measurement:
    """Return a measurement, without a value where its square leaves no finite float."""
    if abs(one.value or 0.0) < LARGEST:
        return one
    return replace(one, value=None, reason=f"a number beyond {LARGEST:g} can't be averaged")


def _metric_value(
    metric: Metric,
    runs: Sequence[Measurement | None],
    repetitions: Sequence[int],
    members: Sequence[TaskResult],
    sampled: Sampled,
) -> dict[str, Json]:
    """Return one metric of one point.

    runs: one for each completed task; None where it does not tell of the metric.
    repetitions: their numbers.   members: the tasks of all repetitions.
    """
    present = [r for r in runs if r is not None and r.value is not None]
    run_values = [r.value for r in present if r.value is not None]
    # as `present`: where nothing is missing, the same for all metrics of a point
    numbers = repetitions
    if len(present) < len(runs):
        pairs = zip(runs, repetitions, strict=True)
        numbers = [number for r, number in pairs if r is not None and r.value is not None]
    interval = over_runs(run_values)
    reason = _why_missing(runs, members) if len(present) < len(runs) or not present else None
    if present and reason is not None:
        reason = f"{len(runs) - len(present)} of {len(runs)} repetitions have no value: {reason}"
    places = [run.task for run in present]
    samples = _samples(metric.name, places, sampled)
    found = judge(present, interval, samples, reason)
    return {
        "value": interval.centre,
        "reason": reason,
        "unit": metric.unit,
        "better": metric.better,
        "low": interval.low,
        "high": interval.high,
        "level": interval.level,
        "interval_method": interval.method,
        "interval_reason": interval.reason,
        "n": interval.runs,
        "run_values": run_values,
        "run_repetitions": numbers,
        "verdict": found.verdict,
        "verdict_reason": found.reason,
        "verdict_causes": found.told,
        "distribution": _distribution(metric.name, places, sampled) if samples else None,
        "statistics": statistics(metric.name, places, sampled) if samples else None,
    }


def _samples(metric: str, places: Sequence[int], sampled: Sampled) -> list[RunSamples]:
    """Return what the values of each run look like; none where runs have single values."""
    runs = sampled.known.runs
    return [runs[place, metric] for place in places if (place, metric) in runs] if runs else []


def _nothing(members: Sequence[TaskResult]) -> dict[str, Json]:
    found = no_data(_why_no_data(members))
    return {
        "verdict": found.verdict,
        "verdict_reason": found.reason,
        "verdict_causes": found.told,
    }


def _distribution(metric: str, tasks: Sequence[int], sampled: Sampled) -> dict[str, Json] | None:
    """Return the exact percentiles of all samples of a cell; None when runs have single values."""
    found = sampled.pooled(tasks, metric)
    if found is None:
        return None
    return {
        "samples": found.n,
        "effective_samples": round(found.effective_n, 1),
        "percentile_method": METHOD,
        "avg": found.avg,
        "min": found.min,
        "max": found.max,
        **found.percentiles,
        "refused": found.refused,
        "outliers": found.outliers,
    }


def _why_missing(runs: Sequence[Measurement | None], members: Sequence[TaskResult]) -> str:
    reasons = sorted({r.reason for r in runs if r is not None and r.reason})
    if reasons:
        return "; ".join(unlike(reasons))
    if any(m.state == "completed" for m in members):
        return "the records of this point do not carry it"
    return _why_no_data(members)


def unlike(reasons: Iterable[str]) -> list[str]:
    """Return the reasons without those that differ from an earlier one in their numbers only."""
    found: dict[str, str] = {}
    for one in reasons:
        found.setdefault(re.sub("[0-9]+", "0", one), one)
    return list(found.values())


def _why_no_data(members: Sequence[TaskResult]) -> str:
    reasons = dict.fromkeys(f"{m.state}: {m.reason}" for m in members if m.reason)
    return "; ".join(reasons) or "no metric has a value"
