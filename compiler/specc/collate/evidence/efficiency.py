"""Find how much work each GPU, core and joule did, and where most. Pure.

Work is the throughput of `analysis.load`, else the first metric of work per second. Power is that
of the task's own GPUs, as sampled while it was timed; kinds with better energy counters say so
themselves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from math import isfinite

from specc.analysis.efficiency import Efficiency, best, per_joule, per_unit
from specc.collate.evidence.hardware import Samples
from specc.collate.evidence.stretches import gpus_of, launch_name, within
from specc.collate.values import Study, TaskResult
from specc.kinds.base import Window
from specc.kinds.sentences import interval, point, quantity
from specc.model import Json

SCOPE, SOURCE = "device", "nvml"


def efficiency(
    summary: Mapping[str, Json],
    study: Study,
    members: Mapping[str, Sequence[int]],
    windows: Iterable[Window],
    samples: Mapping[tuple[str, str], Samples],
) -> dict[str, Json]:
    """Return `efficiency`: the best point by GPU or core and by joule, or reasons.

    summary: with `cells`, `metrics`.   members: of `cell_members`.   windows: of the kind's room.
    """
    metric = _work(summary, study)
    if metric is None:
        reason = "no metric of work per second is declared"
        return {"efficiency": {"resource": {"reason": reason}, "energy": {"reason": reason}}}
    watts = _watts(study, windows, samples)
    shapes = _shapes(study)
    by_resource: dict[str, dict[str, Efficiency]] = {"GPU": {}, "core": {}}
    by_joule: dict[str, Efficiency] = {}
    for cell in summary["cells"]:
        rates = cell["metrics"].get(metric["name"], {}).get("run_values") or []
        done = [n for n in members[cell["cell"]] if study.tasks[n].state == "completed"]
        if not rates or not done:
            continue
        asked = shapes.get(_place(study.tasks[done[0]]), {})
        of = "GPU" if asked.get("gpus") else "core"
        count = asked.get("gpus") or asked.get("cpus")
        found = per_unit(rates, count, unit=metric["unit"], of=of)
        by_resource[of][cell["cell"]] = found
        # which run a value belongs to is known only where each has one
        if len(rates) == len(done):
            powers = [watts.get(place) for place in done]
            by_joule[cell["cell"]] = per_joule(
                rates, powers, unit=metric["unit"], scope=SCOPE, source=SOURCE
            )
    axes = {cell["cell"]: cell["axes"] for cell in summary["cells"]}
    of = "GPU" if by_resource["GPU"] else "core"
    return {
        "efficiency": {
            "resource": _answer(by_resource[of], axes, "no point has a value of it"),
            "energy": _answer(by_joule, axes, "no power of a GPU was sampled"),
        }
    }


def _work(summary: Mapping[str, Json], study: Study) -> Mapping[str, Json] | None:
    analysis = study.sources[0].manifest["spec"].get("analysis") or {}
    named = (analysis.get("load") or {}).get("throughput")
    for metric in summary["metrics"]:
        if metric["name"] == named:
            return dict(metric)
    for metric in summary["metrics"]:
        if named is None and metric["better"] == "higher" and metric["unit"].endswith("/s"):
            return dict(metric)
    return None


def _place(task: TaskResult) -> tuple[str, str]:
    """Return bundle and shape of a task's shard: "1-cpu-0000" is of shape "1-cpu"."""
    return task.bundle_id, (task.launch or "").split("/")[0].rpartition("-")[0]


def _shapes(study: Study) -> dict[tuple[str, str], Mapping[str, Json]]:
    """Return what one task of a shape asks for, over all of its nodes."""
    found: dict[tuple[str, str], Mapping[str, Json]] = {}
    for source in study.sources:
        for shape in source.manifest["shapes"]:
            asked, nodes = shape["task"], shape["task"].get("nodes") or 1
            counts = {name: (asked.get(name) or 0) * nodes for name in ("gpus", "cpus")}
            found[source.bundle_id, str(shape["name"])] = counts
    return found


def _watts(
    study: Study, windows: Iterable[Window], samples: Mapping[tuple[str, str], Samples]
) -> dict[int, float]:
    """Return the mean power of each task's GPUs together; none where a neighbour drew it too."""
    launches = {launch_name(one): one for one in study.launches}
    drawn: dict[int, list[float]] = defaultdict(list)
    for window in windows:
        task = study.tasks[window.task]
        key = (task.run_path or "", task.launch or "")
        if key not in samples or window.attempt != task.attempt or task.beside:
            continue
        uuids = gpus_of(task.gpu, (launches.get(key) or {}).get("hardware") or {})
        for row in within(window, samples[key]).gpu_rows(uuids):
            powers = [one.get("power_w") for one in row]
            if len(row) == len(uuids) and None not in powers:
                drawn[window.task].append(sum(power or 0.0 for power in powers))
    means = {place: sum(values) / len(values) for place, values in drawn.items()}
    return {place: watts for place, watts in means.items() if isfinite(watts)}


def _answer(
    found: Mapping[str, Efficiency], axes: Mapping[str, Mapping[str, Json]], nothing: str
) -> dict[str, Json]:
    """Return the best point as the first page takes it: text, interval, why; or the reason."""
    cell = best(found)
    if cell is None:
        reasons = list(dict.fromkeys(one.reason for one in found.values() if one.reason))
        return {"reason": reasons[0] if reasons else nothing}
    one = found[cell]
    scope = "" if one.scope is None else f" of the {one.scope} ({one.source})"
    bounded = one.low is not None and one.high is not None
    return {
        "value": one.value,
        "low": one.low,
        "high": one.high,
        "unit": one.unit,
        "scope": one.scope,
        "source": one.source,
        "cells": [cell],
        "text": f"{quantity(one.value, one.unit)}{scope} at {point(axes[cell])}",
        "interval": interval(asdict(one)) if bounded else None,
        "why": _why(found, one),
        "reason": one.reason,
    }


def _why(found: Mapping[str, Efficiency], one: Efficiency) -> str:
    known: Sequence[Efficiency] = [each for each in found.values() if each.value is not None]
    text = "the only point" if len(known) == 1 else f"the largest value of {len(known)} points"
    return text if one.reason is None else f"{text}; {one.reason}"
