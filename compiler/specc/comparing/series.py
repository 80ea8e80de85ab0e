"""Follow each point of a study through its runs: where its level changed, whether it creeps. Pure.

A study that holds at least three runs of a point has a series for it: runs r1, r2, … of a bundle,
and of bundles that do the same work, in the order in which they were started.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence

from specc.analysis.series.change_point import FEWEST, ChangePoint, change_point
from specc.analysis.series.trend import Trend, trend
from specc.kinds.sentences import number
from specc.model import Json

FEWEST_SHOWN = 3
ALPHA = 0.05
"""Chance that a study whose points never changed shows any change or trend."""
Cell = Mapping[str, Json]


def series(summary: Mapping[str, Json]) -> list[dict[str, Json]]:
    """Return summary["series"]: one entry for each directed metric of each point with three runs.

    What is tested shares one error rate: all points of at least ten runs, for both questions.
    """
    grown = [cells for cells in _grouped(summary) if len(cells) >= FEWEST_SHOWN]
    found = [
        (metric, cells, values)
        for metric in summary["metrics"]
        if metric["better"] != "none"
        for cells in grown
        if len(values := _with_value(cells, metric["name"])) >= FEWEST_SHOWN
    ]
    tests = 2 * sum(len(values) >= FEWEST for _, _, values in found)
    return [_entry(metric, cells, values, ALPHA / max(1, tests)) for metric, cells, values in found]


def _grouped(summary: Mapping[str, Json]) -> list[list[Cell]]:
    """Return the cells of each point in the order of their runs; other conditions are apart."""
    started: dict[str, int] = {}
    for run in summary["runs"]:
        if run["started_epoch_ns"] is not None:
            known = started.get(run["bundle_id"], run["started_epoch_ns"])
            started[run["bundle_id"]] = min(known, run["started_epoch_ns"])
    groups: dict[tuple[str, str | None], list[Cell]] = {}
    for cell in summary["cells"]:
        if cell["tasks"]:
            groups.setdefault((min(cell["tasks"]), cell["condition_id"]), []).append(cell)
    for cells in groups.values():
        cells.sort(key=lambda one: (started.get(one["bundle_id"], 0), _natural(one["run_id"])))
    return list(groups.values())


def _natural(run_id: str | None) -> list[tuple[int, str]]:
    """Sort r2 before r10."""
    parts = re.findall(r"\d+|\D+", run_id or "")
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _with_value(cells: Sequence[Cell], metric: str) -> list[Cell]:
    return [c for c in cells if (c["metrics"].get(metric) or {}).get("value") is not None]


def _entry(
    metric: Mapping[str, Json], cells: Sequence[Cell], used: Sequence[Cell], alpha: float
) -> dict[str, Json]:
    name = metric["name"]
    values = [cell["metrics"][name]["value"] for cell in used]
    ratio = min(values) > 0
    inside = [math.log(value) for value in values] if ratio else values
    step = creep = None
    if len(used) >= FEWEST:
        step, creep = change_point(inside, alpha=alpha), trend(inside, alpha=alpha)
    entry: dict[str, Json] = {
        "metric": name,
        "label": metric["label"],
        "unit": metric["unit"],
        "better": metric["better"],
        "axes": used[0]["axes"],
        "condition_id": used[0]["condition_id"],
        "runs": list(_runs(cells, name)),
        "change_point": _change(step, used, ratio, metric["better"]),
        "trend": _trend(creep, ratio, metric["better"]),
    }
    return {**entry, "text": _text(entry, len(used))}


def _runs(cells: Sequence[Cell], metric: str) -> Iterator[dict[str, Json]]:
    for cell in cells:
        found = cell["metrics"].get(metric) or {}
        kept = {key: found.get(key) for key in ("value", "low", "high", "verdict", "reason")}
        where = {key: cell[key] for key in ("run_id", "bundle_id", "cell")}
        yield {**where, **kept}


def _change(
    found: ChangePoint | None, used: Sequence[Cell], ratio: bool, better: str
) -> dict[str, Json] | None:
    if found is None:
        return None
    at, gap = used[found.place], found.after - found.before
    levels = [math.exp(v) if ratio else v for v in (found.before, found.after)]
    return {
        "run_id": at["run_id"],
        "bundle_id": at["bundle_id"],
        "cell": at["cell"],
        "before": levels[0],
        "after": levels[1],
        "change_pct": 100 * math.expm1(gap) if ratio else None,
        "worse": _worse(gap, better),
        "p": found.p,
    }


def _trend(found: Trend | None, ratio: bool, better: str) -> dict[str, Json] | None:
    if found is None:
        return None
    return {
        "tau": found.tau,
        "slope": None if ratio else found.slope,
        "slope_pct": 100 * math.expm1(found.slope) if ratio else None,
        "worse": _worse(found.slope, better),
        "p": found.p,
    }


def _worse(gap: float, better: str) -> bool:
    return gap < 0 if better == "higher" else gap > 0


def _text(entry: Mapping[str, Json], points: int) -> str:
    if points < FEWEST:
        return (
            f"{points} runs: a change or a trend needs at least {FEWEST}; "
            "two of them can be compared with specc compare"
        )
    change, creep = entry["change_point"], entry["trend"]
    parts = []
    if change is not None:
        word = "worse" if change["worse"] else "better"
        by = ""
        if change["change_pct"] is not None:
            by = f" by {number(abs(round(change['change_pct'], 2)))} %"
        bundles = {run["bundle_id"] for run in entry["runs"]}
        of = f" of {change['bundle_id']}" if len(bundles) > 1 else ""
        parts.append(f"from run {change['run_id']}{of} on it is {word}{by}")
    if creep is not None:
        word = "worse" if creep["worse"] else "better"
        each = ""
        if creep["slope_pct"] is not None:
            each = f" by {number(abs(round(creep['slope_pct'], 3)))} %"
        parts.append(f"it gets {word}{each} from run to run")
    return "; ".join(parts) if parts else f"no change of level and no trend over {points} runs"
