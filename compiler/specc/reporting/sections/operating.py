"""Where to operate a load curve, and what it gives there. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from specc.kinds.base import Decision
from specc.kinds.deciding import BEST_POINT, missing
from specc.kinds.sentences import number, quantity
from specc.model import Json
from specc.reporting.sections.load_answers import (
    MOST_CURVES,
    axis_name,
    curve_name,
    metric_of,
    spread_of,
)


def operating(summary: Mapping[str, Json]) -> list[Decision]:
    """Return where to operate each load curve, with what it gives there; empty where none is known.

    On a load curve the point with most throughput is no answer: beyond the knee requests only wait.
    """
    curves = summary.get("load") or []
    if len(curves) > MOST_CURVES or not any(one.get("recommended") for one in curves):
        return []
    return [_operate(curve, summary, several=len(curves) > 1) for curve in curves]


def _operate(curve: Mapping[str, Json], summary: Mapping[str, Json], *, several: bool) -> Decision:
    label = "Best operating point" + (f" ({curve_name(curve, summary)})" if several else "")
    found = curve.get("recommended")
    if not found:
        return missing(BEST_POINT, label, str(curve.get("recommended_reason") or "none is known"))
    low, high = number(found["low"]), number(found["high"])
    text = f"{axis_name(curve)} {low}" if low == high else f"{axis_name(curve)} {low} to {high}"
    inside = [one for one in curve["points"] if found["low"] <= one["level"] <= found["high"]]
    measured = [one for one in inside if one["throughput"]["value"] is not None]
    if not measured:
        why, most = found["text"], found["high"]
        return Decision(key=BEST_POINT, label=label, text=text, why=why, value=most)
    last = measured[-1]
    unit = metric_of(summary, curve["throughput"])["unit"]
    text += f": {quantity(last['throughput']['value'], unit)}"
    if low != high:
        text += f" at {number(last['level'])}"
    if last["tail"]["value"] is not None:
        tail = quantity(last["tail"]["value"], metric_of(summary, curve["latency"])["unit"])
        text += f", {curve['latency_statistic']} {tail}"
    return Decision(
        key=BEST_POINT,
        label=label,
        text=text,
        interval=spread_of(last["throughput"], unit),
        verdict=last["verdict"],
        why=found["text"],
        value=found["high"],
        cells=(last["cell"],),
    )
