"""The comparison with a baseline, as tables: the primary effect, each point, what differs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from specc.kinds.sentences import number, point, quantity
from specc.model import Json
from specc.reporting.tabulate import DASH, column, entry, table

_GOOD = ("PASS", "NO_CHANGE", "BETTER", "FASTER", "EQUAL", "IMPROVED")


def section(summary: Mapping[str, Json]) -> dict[str, Any] | None:
    """Return the comparison ready to print; None when no baseline was given."""
    found = summary.get("comparison")
    if not found:
        return None
    return {
        "baseline": _named(found["baseline"]),
        "current": _named(found["current"]),
        "comparable": found["comparable"],
        "gate": found.get("gate"),
        "gate_kind": "good" if found.get("gate") == "PASS" else "warn",
        "across": list(found.get("across") or ()),
        "primary": found.get("primary"),
        "why_not": _differences(found.get("why_not") or ()),
        "rows": _rows(found.get("rows") or ()),
        "settings": _settings(found),
    }


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
    return table([column(name) for name in ("what differs", "baseline", "current")], rows)


def _rows(found: Any) -> dict[str, Any]:
    rows = [
        [
            entry(point(one["axes"])),
            entry(f"{one['metric']} {one.get('statistic') or ''}".strip()),
            _value(one["baseline"], one["unit"]),
            _value(one["current"], one["unit"]),
            _change(one),
            entry(one["verdict"], kind="good" if one["verdict"] in _GOOD else "warn"),
            entry(one.get("note") or ""),
        ]
        for one in found
    ]
    names = ("point", "metric", "baseline", "current", "change [%]", "verdict", "note")
    numeric = ("baseline", "current", "change [%]")
    return table([column(name, numeric=name in numeric) for name in names], rows)


def _value(value: Json, unit: str) -> dict[str, Json]:
    if isinstance(value, Mapping):
        value = value.get("value")
    if value is None:
        return entry(DASH, sort="", kind="missing")
    return entry(quantity(value, unit), sort=value)


def _change(one: Mapping[str, Json]) -> dict[str, Json]:
    if one.get("delta_pct") is None:
        return entry(DASH, sort="", kind="missing")
    low, high = one.get("low_pct"), one.get("high_pct")
    note = "" if low is None or high is None else f"{low:+.3g} … {high:+.3g}"
    text = f"{one['delta_pct']:+.3g}"
    return entry(text, sort=one["delta_pct"], note=note, kind="interval" if note else "")
