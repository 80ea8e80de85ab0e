"""Read cells as load curves, as `analysis.load` of the spec says: objectives, knee, range.

Pure. One curve for each bundle, run, condition and combination of the other axes; the numbers are
those of the cells, the verdicts those of `specc.analysis.load`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from specc.analysis.load.knee import Knee, Level, find_knee
from specc.analysis.load.little import Audit, audit
from specc.analysis.load.recommended import recommended
from specc.collate.curves import load_objectives, load_words
from specc.collate.curves.load_points import (
    MOST_ERRORS,
    Cell,
    Load,
    doubted,
    failed_pct,
    interval,
    mean_latency,
    plain,
    rates,
    tail,
    value,
)
from specc.model import Json

FIT_POINTS = 60
"""Points of a fitted curve to draw."""


def load_curves(summary: Mapping[str, Json], analysis: Mapping[str, Json]) -> list[dict[str, Json]]:
    """Return the load curves of a summary; none without `analysis.load`.

    summary: with `cells` and `metrics`.   analysis: the spec's block of that name.
    """
    if not analysis.get("load"):
        return []
    load = Load(analysis["load"], {each["name"]: each for each in summary["metrics"]})
    objectives = analysis.get("slo") or []
    curves = _groups(summary["cells"], load.axis)
    return [
        {"curve": f"k{number:02d}", **_curve(cells, load, objectives)}
        for number, cells in enumerate(curves, start=1)
    ]


def _groups(cells: Iterable[Cell], axis: str) -> list[list[Cell]]:
    """Return the cells of each curve, by rising load; cells without the axis stand in none."""
    groups: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        if axis in cell["axes"]:
            others = {name: at for name, at in cell["axes"].items() if name != axis}
            where = [cell["bundle_id"], cell["run_id"], cell["condition_id"], others]
            groups[json.dumps(where, sort_keys=True)].append(cell)
    return [sorted(group, key=lambda cell: cell["axes"][axis]) for group in groups.values()]


def _curve(
    cells: Sequence[Cell], load: Load, objectives: Sequence[Mapping[str, Json]]
) -> dict[str, Json]:
    audits = [_audit(cell, load) for cell in cells]
    knee = find_knee([_level(*each, load) for each in zip(cells, audits, strict=True)])
    points = [_point(*each, load) for each in zip(cells, audits, strict=True)]
    slo = load_objectives.answers(cells, audits, load, objectives)
    measured = [point for point in points if point["throughput"]["value"] is not None]
    # a range and a peak ask for what may be measured in a curve, not for what failed
    sound = [point for point in measured if point["unfit"] is None]
    peak = max(sound, key=lambda point: point["throughput"]["value"], default=None)
    found, why_none = recommended(
        [(float(point["level"]), point["throughput"]["value"]) for point in sound],
        knee,
        [
            each["answer"]
            for each in slo
            if each["bounds_load"] or each["answer"] is None or each["fails_from"] is not None
        ],
        [each["met_from"] for each in slo if each["met_from"] is not None],
    )
    first, held = cells[0], _held(points)
    if why_none is not None and held and knee.verdict == "REFUSED":
        why_none = f"{why_none}: {knee.reason}"
    return {
        **{key: first[key] for key in ("bundle_id", "run_id", "condition_id")},
        "axes": {name: at for name, at in first["axes"].items() if name != load.axis},
        **{"axis": load.axis, "loop": load.loop, "throughput": load.throughput},
        **{"latency": load.latency, "latency_statistic": load.statistic},
        "units": {"throughput": load.unit(load.throughput), "tail": load.unit(load.latency)},
        "points": points,
        "slo": slo,
        "knee": _knee(knee, load, points),
        "recommended": None
        if found is None
        else {
            **{"low": plain(found.low), "high": plain(found.high), "bound": found.bound},
            "text": " ".join(
                filter(None, (load_words.range_text(found, load.axis), load_words.care(held)))
            ),
        },
        "recommended_reason": why_none,
        "peak_throughput": None if peak is None else {"level": peak["level"], **peak["throughput"]},
        "tail_at_peak": None if peak is None else {"level": peak["level"], **peak["tail"]},
    }


def _audit(cell: Cell, load: Load) -> Audit:
    in_flight = value(cell, load.in_flight)
    if load.in_flight is None and load.loop == "closed":
        in_flight = float(cell["axes"][load.axis])
    runs = rates(cell, load)
    return audit(
        in_flight,
        sum(runs) / len(runs) if runs else None,
        load.unit(load.throughput) or "",
        mean_latency(cell, load),
        load.unit(load.latency) or "",
    )


def _level(cell: Cell, little: Audit, load: Load) -> Level:
    unfit = _unfit(cell, little, load)
    runs = rates(cell, load)
    disturbed = "CONTAMINATED" in _verdicts(cell, load)
    at = float(cell["axes"][load.axis])
    return Level(load=at, throughputs=runs, unfit=unfit, disturbed=disturbed)


def _unfit(cell: Cell, little: Audit, load: Load) -> str | None:
    """Return why a cell can't stand in a curve; None when it can."""
    runs = rates(cell, load)
    if not runs:
        return "no throughput was measured"
    if min(runs) <= 0:
        return "a run had a throughput of 0"
    errors = failed_pct(cell, load)
    if errors is not None and errors > MOST_ERRORS:
        return f"{errors:.3g} % of the requests failed"
    if "CLIENT_LIMITED" in _verdicts(cell, load):
        return "the client was the limit"
    if little.ok is False:
        return f"Little's law fails: {little.reason}"
    return None


def _verdicts(cell: Cell, load: Load) -> set[str]:
    """Return what is held against a cell and its throughput."""
    causes = {each["verdict"] for each in cell.get("verdict_causes") or ()}
    metric = cell["metrics"].get(load.throughput) or {}
    return {*causes, cell["verdict"], metric.get("verdict") or "VALID"}


def _point(cell: Cell, little: Audit, load: Load) -> dict[str, Json]:
    return {
        "cell": cell["cell"],
        "level": cell["axes"][load.axis],
        "throughput": interval(cell["metrics"].get(load.throughput)),
        "tail": tail(cell, load),
        "errors": failed_pct(cell, load),
        "little": {"ratio": little.ratio, "ok": little.ok, "reason": little.reason},
        "verdict": cell["verdict"],
        "unfit": _unfit(cell, little, load),
    }


def _held(points: Sequence[Mapping[str, Json]]) -> list[tuple[float, str]]:
    """Return the levels of a curve that something is held against, and what."""
    return [
        (point["level"], point["verdict"])
        for point in points
        if point["unfit"] is None and doubted(point["verdict"])
    ]


def _knee(knee: Knee, load: Load, points: Sequence[Mapping[str, Json]]) -> dict[str, Json]:
    return {
        **{"verdict": knee.verdict, "model": knee.model, "value": knee.value},
        **{"low": knee.low, "high": knee.high, "level": 0.95, "reason": knee.reason},
        "text": load_words.knee_text(knee, load.axis, _held(points)),
        "at_or_below": knee.at_or_below,
        "misfit": knee.misfit,
        "left_out": [{"level": plain(level), "reason": reason} for level, reason in knee.left_out],
        "fit": _fit(knee, points),
    }


def _fit(knee: Knee, points: Sequence[Mapping[str, Json]]) -> list[dict[str, float]]:
    """Return the fitted curve from the first to the last level, evenly spaced by factors."""
    if knee.fitted is None or knee.last is None:
        return []
    first = float(points[0]["level"])
    factor = (knee.last / first) ** (1 / (FIT_POINTS - 1))
    loads = [first * factor**place for place in range(FIT_POINTS)]
    return [{"load": at, "throughput": knee.fitted.throughput(at)} for at in loads]
