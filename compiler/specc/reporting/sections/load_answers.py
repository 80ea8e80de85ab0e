"""What the load curves of a summary answer: objective, largest load, knee, peak, tail. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from specc.kinds.base import Decision
from specc.kinds.deciding import missing
from specc.kinds.sentences import number, point, quantity
from specc.matrix.conditions import describe_condition
from specc.model import Json

MOST_CURVES = 3
"""Curves that the first page tells one by one."""
_LABELS = {
    "slo": "Service level objective",
    "max_sustainable_concurrency": "Largest load within it",
    "knee": "Where it saturates",
    "peak_throughput": "Peak throughput",
    "tail_latency_at_peak": "Tail latency at that peak",
}
_SOUND = ("VALID", "TOO_FEW", "NO_DATA")
"""Verdicts of a point that hold nothing against its number; too few runs widen its interval."""
_SIGNS = {"le": "≤", "lt": "<", "ge": "≥", "gt": ">"}
_NO_LOAD = "does not apply: the spec declares no load axis (analysis.load)"
_NO_OBJECTIVE = "not asked: no SLO in the spec"
_UNKNOWN_CURVE = "no curve has an answer; see Saturation"


def decisions(summary: Mapping[str, Json]) -> list[Decision]:
    """Return the answers about load: objective, largest load, knee, peak and tail there."""
    curves = summary.get("load") or []
    if not curves:
        asked = ((summary.get("design") or {}).get("analysis") or {}).get("slo")
        return [
            missing(key, label, _NO_LOAD if key != "slo" or asked else _NO_OBJECTIVE)
            for key, label in _LABELS.items()
        ]
    if len(curves) > MOST_CURVES:
        return _folded(curves, summary)
    return [one for curve in curves for one in _of_curve(curve, summary, several=len(curves) > 1)]


def curve_name(curve: Mapping[str, Json], summary: Mapping[str, Json]) -> str:
    """Return what tells a curve from the others: "model small, run r2"; empty for the only one."""
    curves = summary.get("load") or []
    words = [point(curve["axes"])] if curve["axes"] else []
    for key, word in (("bundle_id", ""), ("run_id", "run "), ("condition_id", "condition ")):
        if len({one.get(key) for one in curves}) > 1:
            words.append(f"{word}{str(curve.get(key))[: None if key != 'condition_id' else 8]}")
    return ", ".join(words)


def _of_curve(
    curve: Mapping[str, Json], summary: Mapping[str, Json], *, several: bool
) -> list[Decision]:
    where = f" ({curve_name(curve, summary)})" if several else ""
    return [
        *_objectives(curve, summary, where),
        _knee(curve, where),
        _peak(curve, summary, where),
        _tail(curve, summary, where),
    ]


def _objectives(
    curve: Mapping[str, Json], summary: Mapping[str, Json], where: str
) -> list[Decision]:
    keys = ("slo", "max_sustainable_concurrency")
    if not curve["slo"]:
        return [missing(key, _LABELS[key] + where, _NO_OBJECTIVE) for key in keys]
    found = []
    for one in curve["slo"]:
        named = f": {objective(one, summary)}"
        found.append(
            Decision(
                key="slo",
                label=_LABELS["slo"] + named + where,
                text=_outcome(one, curve),
                verdict=one["verdict"],
                why=one["text"],
                doubted=_doubted(curve),
            )
        )
        if one["answer"] is None:
            found.append(missing(keys[1], _LABELS[keys[1]] + named + where, one["text"]))
            continue
        found.append(
            Decision(
                key=keys[1],
                label=_LABELS[keys[1]] + where,
                text=f"{axis_name(curve)} {number(one['answer'])}",
                verdict=one["verdict"],
                why=f"The largest measured load whose upper bound keeps {objective(one, summary)}.",
                value=one["answer"],
                doubted=_doubted(curve),
            )
        )
    return found


def _outcome(one: Mapping[str, Json], curve: Mapping[str, Json]) -> str:
    """Return what became of an objective: "met up to concurrency 16"."""
    if one["verdict"] != "MET" or one["answer"] is None:
        return _VERDICT_WORDS[one["verdict"]]
    end = ", the largest load tried" if one.get("at_least") else ""
    return f"met up to {axis_name(curve)} {number(one['answer'])}{end}"


_VERDICT_WORDS = {
    "MET": "met at some load",
    "NOT_MET": "met at no measured load",
    "UNDECIDED": "these runs can't tell",
}


def objective(one: Mapping[str, Json], summary: Mapping[str, Json]) -> str:
    """Return a limit in words: "p99 of Latency ≤ 100 ms", with the points that it is meant for."""
    metric = metric_of(summary, one["metric"])
    limit = quantity(one["limit"], metric["unit"])
    statistic = f"{one['statistic']} of " if one.get("statistic") else ""
    where = f" for {describe_condition(one['where'])}" if one.get("where") else ""
    return f"{statistic}{metric['label']} {_SIGNS.get(one['op'], one['op'])} {limit}{where}"


def _knee(curve: Mapping[str, Json], where: str) -> Decision:
    knee = curve["knee"]
    if knee["verdict"] == "REFUSED":
        why = knee["reason"] or knee["text"]
        return missing("knee", _LABELS["knee"] + where, why)
    spread = None
    if knee["low"] is not None and knee["high"] is not None:
        spread = f"{number(knee['low'])} to {number(knee['high'])}"
    reached = knee["value"] is not None
    text = f"{axis_name(curve)} {number(knee['value'])}" if reached else "not reached"
    return Decision(
        key="knee",
        label=_LABELS["knee"] + where,
        text=text,
        interval=spread,
        verdict=knee["verdict"],
        why=knee["text"],
        value=knee["value"],
        doubted=_doubted(curve),
    )


def _peak(curve: Mapping[str, Json], summary: Mapping[str, Json], where: str) -> Decision:
    peak, label = curve.get("peak_throughput"), _LABELS["peak_throughput"] + where
    if not peak or peak["value"] is None:
        return missing("peak_throughput", label, "no point of the curve has a throughput")
    unit = metric_of(summary, curve["throughput"])["unit"]
    return Decision(
        key="peak_throughput",
        label=label,
        text=f"{quantity(peak['value'], unit)} at {axis_name(curve)} {number(peak['level'])}",
        interval=spread_of(peak, unit),
        verdict=_verdict_at(curve, peak["level"]),
        why="The largest mean of any load; the load itself is read off the same runs.",
        value=peak["value"],
        unit=unit,
        cells=_cells_at(curve, peak["level"]),
    )


def _tail(curve: Mapping[str, Json], summary: Mapping[str, Json], where: str) -> Decision:
    tail, label = curve.get("tail_at_peak"), _LABELS["tail_latency_at_peak"] + where
    if not tail or tail["value"] is None:
        why = "no latency is declared for the curve, or none was measured at its peak"
        return missing("tail_latency_at_peak", label, why)
    metric = metric_of(summary, curve["latency"])
    return Decision(
        key="tail_latency_at_peak",
        label=label,
        text=f"{curve['latency_statistic']} {quantity(tail['value'], metric['unit'])}",
        interval=spread_of(tail, metric["unit"]),
        verdict=_verdict_at(curve, tail["level"]),
        why=f"{metric['label']} at {axis_name(curve)} {number(tail['level'])}.",
        value=tail["value"],
        unit=metric["unit"],
        cells=_cells_at(curve, tail["level"]),
    )


def _folded(curves: Sequence[Mapping[str, Json]], summary: Mapping[str, Json]) -> list[Decision]:
    """Return each answer over many curves: from the least to the most."""
    each = [_of_curve(curve, summary, several=False) for curve in curves]
    found = []
    for key, label in _LABELS.items():
        of_key = [one for many in each for one in many if one.key == key]
        values = sorted(one.value for one in of_key if one.value is not None)
        met = sum(one.verdict == "MET" for one in of_key)
        why = "One answer for each curve stands under Saturation."
        if key == "slo" and any(one.text for one in of_key):
            text = f"met by {met} of {len(of_key)} curves"
            verdict = "MET" if met == len(of_key) else "NOT_MET"
            found.append(Decision(key=key, label=label, text=text, verdict=verdict, why=why))
        elif values:
            unit = next((one.unit for one in of_key if one.unit), "") or ""
            low, high = quantity(values[0], unit), quantity(values[-1], unit)
            span = low if low == high else f"{low} to {high}"
            text = f"{span} over {len(values)} of {len(curves)} curves"
            found.append(Decision(key=key, label=label, text=text, why=why))
        else:
            reasons = dict.fromkeys(one.why for one in of_key if one.text is None)
            found.append(missing(key, label, next(iter(reasons), _UNKNOWN_CURVE)))
    return found


def spread_of(value: Mapping[str, Json], unit: str) -> str | None:
    """Return the interval of a value of a curve; None when it has none."""
    if value.get("low") is None or value.get("high") is None:
        return None
    return f"{number(value['low'])} to {quantity(value['high'], unit)}"


def _doubted(curve: Mapping[str, Json]) -> bool:
    """Tell whether something is held against a level that the curve's answers rest on."""
    return any(one["verdict"] not in _SOUND for one in curve["points"] if one["unfit"] is None)


def axis_name(curve: Mapping[str, Json]) -> str:
    """Return the axis of the load as a text spells it."""
    return str(curve["axis"]).replace("_", " ")


def metric_of(summary: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    """Return a declared metric; of an unknown one its name, without a unit."""
    unknown = {"label": name, "unit": ""}
    return next((one for one in summary["metrics"] if one["name"] == name), unknown)


def _verdict_at(curve: Mapping[str, Json], level: float) -> str | None:
    return next((one["verdict"] for one in curve["points"] if one["level"] == level), None)


def _cells_at(curve: Mapping[str, Json], level: float) -> tuple[str, ...]:
    return tuple(one["cell"] for one in curve["points"] if one["level"] == level)
