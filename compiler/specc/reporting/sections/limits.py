"""Gates of the spec and series of runs, as tables. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from specc.comparing.limits import judged_by_point
from specc.kinds.sentences import interval, place, point, quantity
from specc.matrix.conditions import describe_condition
from specc.model import Json
from specc.reporting.notes import with_notes
from specc.reporting.tabulate import DASH, Table, column, entry, table, titled

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
        for one in judged_by_point(summary)
    ]
    names = ("limit", "asked as", "verdict", "points", "why")
    return table([column(name, numeric=name == "points") for name in names], rows)


def gate_points(summary: Mapping[str, Json]) -> Table:
    """Return one row for each point that a gate was held against."""
    cells = {cell["cell"]: cell for cell in summary["cells"]}
    rows = []
    for one in judged_by_point(summary):
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


def series_table(summary: Mapping[str, Json]) -> Table:
    """Return one row for each point that was measured by several runs: from first to last."""
    rows = [
        [
            entry(point(one["axes"])),
            entry(_label(summary, one["metric"])),
            entry(str(len(one["runs"])), sort=len(one["runs"])),
            *(_value(run, _unit(summary, one["metric"])) for run in _ends(one["runs"])),
            entry("yes" if _moved(one) else "not shown", kind="warn" if _moved(one) else ""),
            entry(one["text"])
            if _moved(one)
            else entry(DASH, sort="", note=one["text"], kind="missing"),
        ]
        for one in summary.get("series") or ()
    ]
    names = ("point", "metric", "runs", "first run", "last run", "changed", "what is said")
    numeric = ("runs", "first run", "last run")
    return with_notes(table([column(name, numeric=name in numeric) for name in names], rows))


def series(summary: Mapping[str, Json]) -> list[dict[str, Any]]:
    """Return each series that changed, with the value of each run."""
    return [
        {
            "title": f"{_label(summary, one['metric'])} at {point(one['axes'])}",
            "text": one["text"],
            "table": titled(_runs(one, _unit(summary, one["metric"])), "Run by run"),
        }
        for one in summary.get("series") or ()
        if _moved(one)
    ]


def _moved(one: Mapping[str, Json]) -> bool:
    return bool(one.get("change_point") or one.get("trend"))


def _ends(runs: Sequence[Mapping[str, Json]]) -> tuple[Mapping[str, Json], Mapping[str, Json]]:
    return runs[0], runs[-1]


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
    known = one.get("low") is not None and one.get("high") is not None
    note = interval({**one, "unit": unit}) if known else ""
    text = quantity(one["value"], unit)
    return entry(text, sort=one["value"], note=note, kind="interval" if note else "")


def _verdict(verdict: str) -> dict[str, Json]:
    return entry(verdict, kind="good" if verdict == "PASS" else "warn")


def _label(summary: Mapping[str, Json], name: str) -> str:
    return next((m["label"] for m in summary["metrics"] if m["name"] == name), name)


def _unit(summary: Mapping[str, Json], name: str) -> str:
    return next((m["unit"] for m in summary["metrics"] if m["name"] == name), "")
