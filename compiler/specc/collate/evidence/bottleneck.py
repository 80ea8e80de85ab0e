"""Attribute the bottleneck of each load curve, and of the points of a study without load. Pure.

Gathers what `specc.analysis.bottleneck` judges: samples and Slurm's words over the time in which
each task was timed, and metrics of the study that stand for what no sensor sees.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace

from specc.analysis.bottleneck import attribute_curve, attribute_points
from specc.analysis.bottleneck_table import STATISTICS
from specc.analysis.bottleneck_words import Attribution, Level
from specc.collate.evidence.hardware import Samples
from specc.collate.evidence.resource_use import SAMPLED, Use, of_cell, use_of
from specc.collate.evidence.stretches import launch_name
from specc.collate.values import Study, TaskResult
from specc.kinds.base import Window
from specc.kinds.sentences import point
from specc.language.defaults import fill_defaults
from specc.model import Json
from specc.resources import schema

Cell = Mapping[str, Json]
_TOLD = frozenset({"CLIENT_LIMITED", "CONTAMINATED"})
_BY_METRIC = "no metric gives it; analysis.bottleneck.metrics can name one"


def bottlenecks(
    summary: Mapping[str, Json],
    study: Study,
    members: Mapping[str, Sequence[int]],
    windows: Iterable[Window],
    samples: Mapping[tuple[str, str], Samples],
    *,
    slurm: Sequence[Mapping[str, Json]],
) -> dict[str, Json]:
    """Return `load`, each curve with its `bottleneck`, and `bottleneck` of all other points.

    summary: with `cells` and `load`.   members: of `cell_members`.
    windows: of the kind's room.   slurm: of `slurm_rows`.
    """
    settings = _settings(study)
    limits, metrics = settings["thresholds"], settings["metrics"]
    uses = _with_slurm(_uses(study, members, windows, samples), study.tasks, members, slurm)
    cells = {cell["cell"]: cell for cell in summary["cells"]}
    present = {metric for cell in cells.values() for metric in cell["metrics"]}
    told = {
        one.name: metrics.get(one.name, one.name)
        for one in STATISTICS
        if one.name in metrics or one.name in present
    }
    levels = {
        name: _level(cell, uses[name], told, metrics)
        for name, cell in cells.items()
        if cell["repetitions"].get("completed") and name in uses
    }
    curves = [
        {**curve, "bottleneck": _of_curve(curve, levels, limits)} for curve in summary["load"]
    ]
    in_curves = {one["cell"] for curve in curves for one in curve["points"]}
    others = {name: level for name, level in levels.items() if name not in in_curves}
    return {"load": curves, "bottleneck": _of_points(others, cells, limits)}


def _settings(study: Study) -> dict[str, Json]:
    """Return the spec's block, or its defaults: old bundles and most specs have none."""
    block = schema("spec")["properties"]["analysis"]["properties"]["bottleneck"]
    analysis = study.sources[0].manifest["spec"].get("analysis") or {}
    own = json.loads(json.dumps(analysis.get("bottleneck") or {}))
    filled = fill_defaults(block, own)
    return dict(filled) if isinstance(filled, dict) else {}


def _uses(
    study: Study,
    members: Mapping[str, Sequence[int]],
    windows: Iterable[Window],
    samples: Mapping[tuple[str, str], Samples],
) -> dict[str, Use]:
    """Return what the completed tasks of each cell used; what ended for memory is counted."""
    timed: dict[int, list[Window]] = defaultdict(list)
    for window in windows:
        timed[window.task].append(window)
    launches = {launch_name(one): one for one in study.launches}
    found = {}
    for cell, places in members.items():
        each = []
        ended = 0
        for place in places:
            task = study.tasks[place]
            if task.state == "completed":
                key = (task.run_path or "", task.launch or "")
                known = samples.get(key)
                each.append(use_of(task, timed.get(place, ()), known, launches.get(key) or {}))
            elif task.failure is not None:
                ended += task.failure.get("category") == "oom_host"
        found[cell] = _with_kills(of_cell(each), ended) if each else of_cell(())
    return found


def _with_kills(use: Use, ended: int) -> Use:
    """Return a use with the tasks counted that ended for want of memory."""
    kills = use.values.get("oom_kills", 0.0) + ended
    return replace(use, values={**use.values, "oom_kills": kills})


def _with_slurm(
    uses: Mapping[str, Use],
    tasks: Sequence[TaskResult],
    members: Mapping[str, Sequence[int]],
    slurm: Sequence[Mapping[str, Json]],
) -> dict[str, tuple[Use, frozenset[str]]]:
    """Fill gaps from Slurm's words where a whole job measured one cell alone."""
    if not slurm:
        return {cell: (use, frozenset()) for cell, use in uses.items()}
    owners: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for cell, places in members.items():
        for task in (tasks[place] for place in places):
            if task.launch is not None:
                owners[task.bundle_id, task.run_id, task.launch.split("/")[0]].add(cell)
    told: dict[str, list[Use]] = defaultdict(list)
    for row in slurm:
        cells = owners.get((row["bundle_id"], row["run_id"], row["shard_id"]), set())
        if len(cells) == 1:
            told[next(iter(cells))].append(Use(values=_said(row)))
    found = {}
    for cell, use in uses.items():
        said = of_cell(told[cell]).values
        new = {name: value for name, value in said.items() if name not in use.values}
        missing = {name: text for name, text in use.missing.items() if name not in new}
        filled = replace(use, values={**use.values, **new}, missing=missing)
        found[cell] = (filled, frozenset(new))
    return found


def _said(row: Mapping[str, Json]) -> dict[str, float]:
    """Return the statistics that Slurm's words about one start of one job give."""
    found = {}
    cpus, elapsed_s, used_s = row.get("cpus"), row.get("elapsed_s"), row.get("cpu_used_s")
    if cpus and elapsed_s and used_s is not None:
        found["own_cpu_pct"] = 100 * used_s / (cpus * elapsed_s)
    peak, asked = row.get("max_rss_bytes"), row.get("asked_memory_bytes")
    if asked and peak is not None:
        found["host_memory_pct"] = 100 * peak / asked
    return found


def _level(
    cell: Cell,
    used: tuple[Use, frozenset[str]],
    told: Mapping[str, str],
    named: Mapping[str, str],
) -> Level:
    """Return what is known of a cell: metrics first, then samples, then Slurm.

    told: statistic -> the metric that stands for it.   named: those that the spec names.
    """
    use, by_slurm = used
    values, missing = use.values, use.missing
    if told:
        values, missing = dict(values), dict(missing)
        for name, by in told.items():
            metric = cell["metrics"].get(by)
            if metric is not None and metric["value"] is not None:
                values[name] = metric["value"]
                missing.pop(name, None)
            elif name in named:
                missing[name] = f"the metric {by} has no value here"
    causes = _causes(cell)
    return Level(
        name=point(cell["axes"]),
        values=values,
        missing=missing,
        absent=use.absent,
        client_limited=causes.get("CLIENT_LIMITED") or None,
        disturbed=causes.get("CONTAMINATED") or None,
        by_slurm=by_slurm & values.keys(),
    )


def _causes(cell: Cell) -> dict[str, str]:
    """Return the reasons of the verdicts that bear on a bottleneck, of a point and its metrics."""
    found: dict[str, dict[str, None]] = {}
    for judged in (cell, *cell["metrics"].values()):
        for cause in judged.get("verdict_causes") or ():
            if cause["verdict"] in _TOLD:
                found.setdefault(cause["verdict"], {})[str(cause["reason"])] = None
    return {verdict: "; ".join(reasons) for verdict, reasons in found.items()}


def _of_curve(
    curve: Mapping[str, Json], known: Mapping[str, Level], limits: Mapping[str, float]
) -> dict[str, Json]:
    units = curve.get("units") or {}
    levels = []
    for one in curve["points"]:
        if one["cell"] not in known or one["throughput"]["value"] is None:
            continue
        level = known[one["cell"]]
        values, missing = dict(level.values), dict(level.missing)
        if one["errors"] is not None:
            values.setdefault("errors_pct", one["errors"])
        for statistic in STATISTICS:
            name = statistic.name
            if (
                name not in values
                and name not in SAMPLED
                and statistic.resource not in level.absent
            ):
                missing.setdefault(name, _BY_METRIC)
        levels.append(
            replace(
                level,
                name=f"{str(curve['axis']).replace('_', ' ')} {one['level']:g}",
                level=float(one["level"]),
                values=values,
                missing=missing,
                throughput=one["throughput"]["value"],
                tail=one["tail"]["value"],
                units=(units.get("throughput") or "", units.get("tail") or ""),
            )
        )
    knee = curve["knee"]
    interval = None
    if knee["verdict"] == "FOUND":
        ends = [knee["value"] if knee[end] is None else knee[end] for end in ("low", "high")]
        interval = (float(ends[0]), float(ends[1]))
    return _plain(attribute_curve(levels, interval, limits, why_no_knee=str(knee["text"])))


def _of_points(
    levels: Mapping[str, Level], cells: Mapping[str, Cell], limits: Mapping[str, float]
) -> list[dict[str, Json]]:
    names = list(levels)
    found = []
    for one, places in attribute_points(list(levels.values()), limits):
        members = [names[place] for place in places]
        # what is said of every point needs no axes to tell them by
        axes = _in_common(members, cells) if len(members) < len(cells) else {}
        found.append({"cells": members, "axes": axes, **_plain(one)})
    return found


def _in_common(members: Sequence[str], cells: Mapping[str, Cell]) -> dict[str, Json]:
    """Return what tells some points from all others: {"device": "cpu", "batch_size": "8, 16"}."""
    told = {}
    for axis in cells[members[0]]["axes"]:
        texts = {name: json.dumps(cell["axes"].get(axis)) for name, cell in cells.items()}
        here = dict.fromkeys(texts[name] for name in members)
        if here.keys() != set(texts.values()):
            values = [json.loads(value) for value in here]
            told[axis] = values[0] if len(values) == 1 else ", ".join(map(str, values))
    return told


def _plain(one: Attribution) -> dict[str, Json]:
    """Return an attribution as the summary has it."""
    fields = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(one).items()}
    return {"class": fields.pop("kind"), **fields}
