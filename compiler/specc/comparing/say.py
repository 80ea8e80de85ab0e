"""Say in a sentence what a comparison came to. Pure.

Changes are said with their sign: +3.2 % of a latency is worse, of a throughput better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from specc.analysis.signs import MINUS
from specc.kinds.sentences import number, point, quantity
from specc.matrix.conditions import describe_condition
from specc.model import Json


def effect(row: Mapping[str, Json], pct: str = "effect_pct", plain: str = "effect_abs") -> str:
    """Return a change with its interval: "+3.2 % (+1.1 % to +5.4 %)"; "–" without one."""
    unit = "points" if row["unit"] == "%" else row["unit"]
    if row[pct] is not None:
        return _with_interval(*(_percent(row[key]) for key in (pct, "low_pct", "high_pct")))
    if row.get("low_abs") is not None:
        told = (_signed(row[key], unit) for key in (plain, "low_abs", "high_abs"))
        return _with_interval(*told)
    return "–"


def finding(head: Mapping[str, Json]) -> str:
    """Return what changed by how much: "rate, geometric mean over 2 cells: +0.1 % (…)"."""
    p = head["statistic"]
    subject = head["label"] if p == "value" else f"{head['label']}, {p}"
    mean = "geometric mean" if head["scale"] == "ratio" else "mean"
    over = f", {mean} over {head['cells']} cells" if head["cells"] > 1 else ""
    if head["effect_pct"] is None and head["effect_abs"] is None:
        return f"{subject}: nothing to compare"
    return f"{subject}{over}: {effect(head)}"


def headline(head: Mapping[str, Json]) -> str:
    """Return the sentence of a gated metric: what changed, how surely, and what is missing."""
    parts = [str(head["finding"])]
    if head["verdict"] == "PASS":
        parts.append(f"surely no more than {_limit(head, 'tolerate')} worse")
    elif head["verdict"] == "FAIL":
        limit = f"more than {_limit(head, 'alarm')} " if head["alarm"] else ""
        parts.append(f"{limit}worse, beyond chance")
    elif head["needs_more_repetitions"] is not None:
        more = head["needs_more_repetitions"]
        parts.append(f"needs {more} more repetition{'s' * (more != 1)} on each side to be decided")
    if head["verdict"] != "FAIL" and (smallest := _smallest(head)):
        parts.append(f"a worsening below {smallest} may well go unseen")
    if head["worst_cell"] is not None:
        parts.append(_failed_cells(head))
    if head["note"]:
        parts.append(head["note"])
    return "; ".join(parts)


def title(head: Mapping[str, Json]) -> str:
    """Return the finding with its verdict, for a plot: cells that FAIL come before the mean."""
    if head["worst_cell"] is not None and head["verdict"] != "FAIL":
        return f"FAIL: {_failed_cells(head)}; {head['finding']}"
    return f"{head['verdict']}: {head['finding']}"


def _failed_cells(head: Mapping[str, Json]) -> str:
    worst, count = head["worst_cell"], head["failed_cells"]
    unit = "points" if head["unit"] == "%" else head["unit"]
    change = _percent(worst["pct"]) if worst["pct"] is not None else _signed(worst["abs"], unit)
    cells = "cell by itself became" if count == 1 else "cells by themselves became"
    return f"{count} {cells} worse, most of all {point(worst['axes'])}: {change}"


def gate(verdict: str, heads: Sequence[Mapping[str, Json]]) -> str:
    """Return the one line of the whole gate."""
    if not heads:
        return "INCONCLUSIVE: no metric that is better when lower or higher has a value"
    return f"{verdict}: {heads[0]['text']}"


def amount(value: float | None, unit: str) -> str:
    """Return a value with its unit, for tables."""
    return quantity(value, unit)


def _with_interval(centre: str, low: str, high: str) -> str:
    return f"{centre} ({low} to {high})"


def _percent(value: float | None) -> str:
    return "–" if value is None else _signed(value, "%")


def _signed(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    sign = "+" if value > 0 else MINUS if value < 0 else "±"
    shown = number(_short(abs(value)))
    return f"{sign}{shown} {unit}".rstrip()


def _short(value: float) -> float:
    """Cut what nobody reads: two digits behind the point of a percentage are enough."""
    return round(value, 2) if value >= 0.1 else float(f"{value:.2g}")


def _limit(head: Mapping[str, Json], key: str) -> str:
    return f"{number(head[key])} {'points' if head['unit'] == '%' else '%'}"


def _smallest(head: Mapping[str, Json]) -> str | None:
    if head["smallest_detectable_pct"] is not None:
        return f"{number(_short(head['smallest_detectable_pct']))} %"
    if head["smallest_detectable_abs"] is not None:
        unit = "points" if head["unit"] == "%" else head["unit"]
        return f"{number(_short(head['smallest_detectable_abs']))} {unit}".rstrip()
    return None


SIGNS = {"le": "≤", "lt": "<", "ge": "≥", "gt": ">"}


def limit(gate: Mapping[str, Json]) -> str:
    """Return a limit of the spec: "latency_ms p99 ≤ 200 ms for device = cuda"."""
    statistic = f" {gate['statistic']}" if gate.get("statistic") else ""
    where = f" for {describe_condition(gate['where'])}" if gate.get("where") else ""
    relative = f" of the {gate['relative_to']}" if gate.get("relative_to") else ""
    value = f"{gate['limit']:g} x that" if relative else quantity(gate["limit"], gate["unit"])
    return f"{gate['metric']}{statistic} {SIGNS[gate['op']]} {value}{relative}{where}"


def judged_limit(gate: Mapping[str, Json]) -> str:
    """Return a limit with what became of it: "… ≤ 200 ms: 2 of 3 cells keep it, 1 breaks it"."""
    cells = gate["cells"]
    if not cells:
        return f"{limit(gate)}: {gate['reason'] or 'no cell that was run is meant'}"
    words = {"PASS": "surely keep it", "FAIL": "surely break it", "INCONCLUSIVE": "undecided"}
    counts = [(sum(cell["verdict"] == v for cell in cells), text) for v, text in words.items()]
    told = ", ".join(f"{n} {text}" for n, text in counts if n)
    reasons = dict.fromkeys(c["reason"] for c in cells if c["reason"] and c["verdict"] != "PASS")
    why = f" ({next(iter(reasons))})" if reasons else ""
    return f"{limit(gate)}: of {len(cells)} {'cell' if len(cells) == 1 else 'cells'} {told}{why}"
