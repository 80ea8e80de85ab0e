"""The comparison with a baseline, as tables: the primary effect, each point, what differs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from specc.analysis.signs import fixed
from specc.kinds.sentences import number, point, quantity
from specc.model import Json
from specc.reporting.tabulate import DASH, column, entry, table, titled


def section(summary: Mapping[str, Json]) -> dict[str, Any] | None:
    """Return the comparison ready to print; None when no baseline was given."""
    found = summary.get("comparison")
    if not found:
        return None
    rows = found.get("rows") or ()
    return {
        "baseline": _named(found["baseline"]),
        "current": _named(found["current"]),
        "comparable": found["comparable"],
        "refused": refused(found),
        "gate": found.get("gate"),
        "gate_kind": "good" if found.get("gate") == "PASS" else "warn",
        "across": list(found.get("across") or ()),
        "primary": found.get("primary"),
        "heads": [
            {"verdict": h["verdict"], "text": h["text"]} for h in found.get("primaries") or ()
        ],
        "why_not": _differences(found.get("why_not") or found.get("differences") or ()),
        "rows": titled(_rows(rows), "Each point against the baseline", "summary.json"),
        "settings": _settings(found),
    }


def refused(found: Mapping[str, Json]) -> str:
    """Return why two runs were not compared, as a sentence; empty when they were."""
    text = str(found["text"])
    return "" if found["comparable"] else f"{text[0].upper()}{text[1:]}."


def doubt(verdict: str | None) -> str:
    """Return a verdict on a number as it stands beside it; empty for VALID, or when not known."""
    return "" if verdict in (None, "VALID") else str(verdict).replace("_", " ")


def _named(side: Mapping[str, Json]) -> str:
    names = [str(side[key]) for key in ("bundle_id", "bundle", "run_id", "run") if side.get(key)]
    return ", run ".join(dict.fromkeys(names)) or DASH


def _settings(found: Mapping[str, Json]) -> str:
    parts = [
        f"{words} {number(found[key])} %"
        for key, words in (("alarm", "alarm above"), ("tolerate", "tolerated up to"))
        if found.get(key) is not None
    ]
    return "; ".join(parts)


def _differences(found: Any) -> dict[str, Any]:
    rows = [[entry(str(one[key])) for key in ("what", "baseline", "current")] for one in found]
    made = table([column(name) for name in ("what differs", "baseline", "current")], rows)
    return titled(made, "What differs beside the results", "summary.json")


def _rows(found: Any) -> dict[str, Any]:
    rows = [
        [
            entry(point(one["axes"])),
            entry(_metric(one)),
            *(
                _value(one[side], one["unit"], doubt(one.get(f"verdict_{side}")))
                for side in ("baseline", "current")
            ),
            _change(one),
            entry(_words(one["verdict"]), kind=_kind(one)),
            entry(one.get("note") or ""),
        ]
        for one in found
    ]
    names = ("point", "metric", "baseline", "current", "change", "verdict", "note")
    numeric = ("baseline", "current", "change")
    return table([column(name, numeric=name in numeric) for name in names], rows)


def _metric(one: Mapping[str, Json]) -> str:
    label = str(one.get("label") or one["metric"])
    own = one.get("statistic") in (None, "value")
    return label if own else f"{label}, {one['statistic']}"


def _words(verdict: str) -> str:
    return verdict.replace("_", " ")


def _kind(one: Mapping[str, Json]) -> str:
    if one["verdict"] == "NOT_GATED":
        return ""
    return "good" if one["verdict"] == "PASS" else "warn"


def _value(value: Json, unit: str, doubted: str) -> dict[str, Json]:
    if isinstance(value, Mapping):
        value = value.get("value")
    if value is None:
        return entry(DASH, sort="", kind="missing")
    text = quantity(value, unit)
    return entry(text, sort=value, note=doubted, kind="interval" if doubted else "")


def _change(one: Mapping[str, Json]) -> dict[str, Json]:
    """Return a change with its sign; its interval in small print."""
    if one.get("delta_pct") is None:
        told = one.get("effect_text") or DASH
        return entry(told, sort=one.get("delta_abs"), kind="missing" if told == DASH else "")
    low, high = one.get("low_pct"), one.get("high_pct")
    note = "" if low is None or high is None else f"{_percent(low)} … {_percent(high)}"
    text = f"{_percent(one['delta_pct'])} %"
    return entry(text, sort=one["delta_pct"], note=note, kind="interval" if note else "")


def _percent(value: float) -> str:
    return fixed(value, 2 if abs(value) < 10 else 1, signed=True)
