"""Gates of the spec and series of runs, as tables. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from specc.kinds.sentences import number, place, point, quantity
from specc.matrix.conditions import describe_condition
from specc.model import Json
from specc.reporting.tabulate import DASH, Table, column, entry, table

_SIGNS = {"le": "≤", "lt": "<", "ge": "≥", "gt": ">"}


def gates(summary: Mapping[str, Json]) -> Table:
    """Return one row for each gate: its limit, its verdict, and what decided it."""
    rows = [
        [
            entry(limit_text(one, summary)),
            entry("objective" if one.get("role") == "slo" else "gate"),
            _verdict(one["verdict"]),
            entry(str(len(one.get("cells") or ())), sort=len(one.get("cells") or ())),
            entry(one["text"]),
        ]
        for one in summary.get("gates") or ()
    ]
    names = ("limit", "asked as", "verdict", "points", "why")
    return table([column(name, numeric=name == "points") for name in names], rows)


def gate_points(summary: Mapping[str, Json]) -> Table:
    """Return one row for each point that a gate was held against."""
    cells = {cell["cell"]: cell for cell in summary["cells"]}
    rows = []
    for one in summary.get("gates") or ():
        unit = _unit(summary, one["metric"])
        for held in one.get("cells") or ():
            cell = cells.get(held["cell"])
            rows.append(
                [
                    entry(limit_text(one, summary)),
                    entry(place(summary, cell) if cell else held["cell"]),
                    _value(held, unit),
                    _verdict(held["verdict"]),
                    entry(held["cell"], kind="trace"),
                ]
            )
    names = ("limit", "point", "value", "verdict", "cell")
    return table([column(name, numeric=name == "value") for name in names], rows)


def series(summary: Mapping[str, Json]) -> list[dict[str, Any]]:
    """Return each series of runs: what it says and the value of each run."""
    return [
        {
            "title": f"{_label(summary, one['metric'])} at {point(one['axes'])}",
            "text": one["text"],
            "table": _runs(one, _unit(summary, one["metric"])),
        }
        for one in summary.get("series") or ()
    ]


def _runs(one: Mapping[str, Json], unit: str) -> Table:
    rows = [
        [entry(run["run_id"]), _value(run, unit), entry(run["bundle_id"], kind="trace")]
        for run in one["runs"]
    ]
    names = ("run", "value", "bundle")
    return table([column(name, numeric=name == "value") for name in names], rows)


def limit_text(one: Mapping[str, Json], summary: Mapping[str, Json]) -> str:
    """Return a limit in words: "p99 of Latency ≤ 100 ms for device = cuda"."""
    statistic = f"{one['statistic']} of " if one.get("statistic") else ""
    relative = f" x that of the {one['relative_to']}" if one.get("relative_to") else ""
    unit = "" if relative else _unit(summary, one["metric"])
    where = f" for {describe_condition(one['where'])}" if one.get("where") else ""
    limit = f"{_SIGNS.get(one['op'], one['op'])} {quantity(one['limit'], unit)}{relative}{where}"
    return f"{statistic}{_label(summary, one['metric'])} {limit}"


def _value(one: Mapping[str, Json], unit: str) -> dict[str, Json]:
    if one.get("value") is None:
        return entry(DASH, sort="", note=one.get("reason") or "", kind="missing")
    text = quantity(one["value"], unit)
    sides = (one.get("low"), one.get("high"))
    note = "" if None in sides else " … ".join(map(number, sides))
    return entry(text, sort=one["value"], note=note, kind="interval" if note else "")


def _verdict(verdict: str) -> dict[str, Json]:
    return entry(verdict, kind="good" if verdict == "PASS" else "warn")


def _label(summary: Mapping[str, Json], name: str) -> str:
    return next((m["label"] for m in summary["metrics"] if m["name"] == name), name)


def _unit(summary: Mapping[str, Json], name: str) -> str:
    return next((m["unit"] for m in summary["metrics"] if m["name"] == name), "")
