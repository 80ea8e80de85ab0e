"""Arrange the summary as tables of texts: what stands in a cell, how it sorts, why it is a dash.

Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from specc.kinds.sentences import DIMENSIONLESS, is_number, number, point, quantity, visible
from specc.model import Json
from specc.reporting.notes import CURED, cured_text, with_notes

_CODE = re.compile("`([^`]+)`")

DASH = "–"
MOST_ROWS = 1000
"""Rows shown in a document; the tables folder has all of them."""

Table = dict[str, Any]


def entry(text: str, *, sort: Json = None, note: str = "", kind: str = "") -> dict[str, Json]:
    return {
        "text": text,
        "sort": text if sort is None else sort,
        "note": note,
        "kind": kind,
        "mark": 0,
    }


def table(columns: Sequence[Json], rows: Sequence[Json], *, of: int | None = None) -> Table:
    """Return a table as templates take it; `file` says where the rows beyond the most are.

    of: how many rows there are, where those beyond the most were not made.
    """
    return {
        "title": "",
        "file": "tables/",
        "columns": list(columns),
        "rows": list(rows[:MOST_ROWS]),
        "more": max(0, (len(rows) if of is None else of) - MOST_ROWS),
        "folded": [],
        "notes": [],
    }


def titled(made: Table, title: str, file: str = "tables/") -> Table:
    """Return a table with its caption and the file that has all of its rows."""
    return {**made, "title": title, "file": file}


def column(name: str, *, note: str = "", numeric: bool = False) -> dict[str, Json]:
    return {"name": name, "note": note, "numeric": numeric}


def _axis_entry(value: Json) -> dict[str, Json]:
    text = visible(value) if isinstance(value, str) else json.dumps(value)
    return entry(text, sort=value if is_number(value) else text)


def axis_columns(summary: Mapping[str, Json]) -> list[Json]:
    """Return one column for each axis of the study."""
    return [
        column(name.replace("_", " "), numeric=all(map(is_number, values)))
        for name, values in summary["axes"].items()
    ]


def points(summary: Mapping[str, Json], cell: Mapping[str, Json]) -> list[Json]:
    """Return the entries of a cell in these columns."""
    return [_axis_entry(cell["axes"].get(name, DASH)) for name in summary["axes"]]


def results(summary: Mapping[str, Json]) -> Table:
    """Return one row for each cell: axes, every metric with its interval, verdict, trace."""
    shown = summary["metrics"]
    columns = [
        *axis_columns(summary),
        column("verdict"),
        column("n", note="completed repetitions", numeric=True),
        *(column(head(m), note=m["definition"], numeric=True) for m in shown),
        column("trace", note="cell, run, condition"),
    ]
    rows = []
    for cell in summary["cells"][:MOST_ROWS]:
        verdict = entry(
            cell["verdict"],
            note=cell["verdict_reason"] or "",
            kind="good" if cell["verdict"] == "VALID" else "warn",
        )
        trace = f"{cell['cell']} {cell['run_id'] or DASH} {(cell['condition_id'] or DASH)[:8]}"
        done = cell["repetitions"]["completed"]
        values = [_value(cell["metrics"].get(m["name"])) for m in shown]
        cures = cell.get("cured") or ()
        count = entry(
            f"{done}/{cell['repetitions']['expected']}",
            sort=done,
            note=cured_text(cures),
            kind=CURED if cures else "",
        )
        rows.append([*points(summary, cell), verdict, count, *values, entry(trace, kind="trace")])
    return with_notes(table(columns, rows, of=len(summary["cells"])))


def head(metric: Mapping[str, Json]) -> str:
    """Return how a column of a metric is headed: "Latency [ms]"."""
    unit = metric["unit"]
    named = unit not in ("", "B", DIMENSIONLESS)
    return f"{metric['label']} [{unit}]" if named else str(metric["label"])


def _value(metric: Mapping[str, Json] | None) -> dict[str, Json]:
    if metric is None or metric["value"] is None:
        reason = (metric or {}).get("reason") or "not measured"
        return entry(DASH, sort="", note=reason, kind="missing")
    unit = metric["unit"] if metric["unit"] == "B" else ""
    text = quantity(metric["value"], unit)
    gaps = metric["reason"] or ""
    if metric["low"] is None:
        note = "; ".join(filter(None, (metric["interval_reason"], gaps)))
        return entry(text, sort=metric["value"], note=note, kind="interval" if gaps else "")
    low, high = (quantity(metric[key], unit) for key in ("low", "high"))
    spread = "no visible spread" if low == high else f"{low} … {high}"
    note = "; ".join(filter(None, (spread, gaps)))
    return entry(text, sort=metric["value"], note=note, kind="interval")


def distributions(summary: Mapping[str, Json]) -> Table:
    """Return one row for each metric of each cell that has single samples behind it."""
    levels = ("p50", "p90", "p95", "p99", "p99.9")
    names = ("avg", "min", *levels, "max")
    columns = [
        *axis_columns(summary),
        column("metric"),
        *(column(name, numeric=True) for name in names),
        column("samples", numeric=True),
        column("independent", note="effective samples after autocorrelation", numeric=True),
        column("outliers", note="flagged, never dropped", numeric=True),
    ]
    labels = {m["name"]: head(m) for m in summary["metrics"]}
    rows = []
    for cell in summary["cells"]:
        for name, metric in cell["metrics"].items():
            if (found := metric["distribution"]) is None:
                continue
            numbers = [
                entry(DASH, sort="", note=found["refused"].get(key, ""), kind="missing")
                if found.get(key) is None
                else entry(number(found[key]), sort=found[key])
                for key in names
            ]
            counts = [
                entry(number(found[key]), sort=found[key])
                for key in ("samples", "effective_samples", "outliers")
            ]
            rows.append([*points(summary, cell), entry(labels[name]), *numbers, *counts])
    return with_notes(table(columns, rows))


def details(summary: Mapping[str, Json]) -> Table:
    """Return what a kind says of its cells beside the metrics; only single values."""
    names = list(
        dict.fromkeys(
            name
            for cell in summary["cells"]
            for name, value in cell["details"].items()
            if not isinstance(value, dict | list) and name not in summary["axes"]
        )
    )
    columns = [*axis_columns(summary), *(column(n.replace("_", " ")) for n in names)]
    rows = [
        [*points(summary, cell), *(_detail(cell["details"].get(name)) for name in names)]
        for cell in summary["cells"]
        if cell["details"]
    ]
    return table(columns, rows if names else [])


def _detail(value: Json) -> dict[str, Json]:
    if value is None:
        return entry(DASH, sort="", kind="missing")
    if is_number(value):
        return entry(number(value), sort=value)
    text = value if isinstance(value, str) else json.dumps(value)
    long = len(text) > 20
    return entry(f"{text[:12]}…" if long else text, note=text if long else "")


def not_measured(summary: Mapping[str, Json]) -> Table:
    """Return the points without a result, one row for each point, state and reason.

    Axes whose values are repetitions of a point stand in the ids of its tasks alone.
    """
    replicates = set(summary.get("replicates") or ())
    found: dict[str, list[Json]] = {}
    for state, tasks in (summary["completeness"].get("tasks") or {}).items():
        for task in tasks:
            axes = {name: one for name, one in task["axes"].items() if name not in replicates}
            key = json.dumps([state, axes, task["reason"], task["run_id"]])
            found.setdefault(key, []).append({**task, "axes": axes, "state": state})
    rows = []
    for tasks in found.values():
        first = tasks[0]
        ids = ", ".join(t["task_id"] for t in tasks[:3]) + (" …" if len(tasks) > 3 else "")
        rows.append(
            [
                entry(point(first["axes"])),
                entry(first["state"].replace("_", " ")),
                entry(first["run_id"] or DASH),
                entry(str(len(tasks)), sort=len(tasks)),
                entry(first["reason"] or DASH),
                entry(ids, kind="trace"),
            ]
        )
    names = ("point", "state", "run", "tasks", "reason", "task ids")
    return table([column(name, numeric=name == "tasks") for name in names], rows)


def inputs(summary: Mapping[str, Json]) -> Table:
    """Return every input with licence, source and hash."""
    rows = [
        [
            entry(one["name"]),
            entry(one["at"]),
            entry(quantity(one["bytes"], "B"), sort=one["bytes"] or 0),
            entry(one["licence"] or "not stated", kind="" if one["licence"] else "warn"),
            entry(_source(one["source"])),
            entry(
                one["pin"] or "unpinned",
                kind="trace" if one["pin"] else "warn",
                note="" if one["pin"] else ", ".join(one["seen"]),
            ),
        ]
        for one in summary["inputs"]
    ]
    names = ("input", "at", "size", "licence", "source", "hash")
    return table([column(n, numeric=n == "size") for n in names], rows)


def _source(source: Json) -> str:
    if not source:
        return DASH
    if isinstance(source, dict):
        return ", ".join(f"{k} {v}" for k, v in source.items())
    return str(source)


def markdown_cell(text: Json) -> str:
    """Return a text that cannot break out of a Markdown table's cell, nor start an element."""
    return markdown_text(str(text).replace("\\", "\\\\").replace("|", "\\|").replace("\n", " "))


def html_code(text: Json) -> str:
    """Return a text as HTML, escaped once, with what stands between backticks as code."""
    from markupsafe import Markup, escape

    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))


def without_ticks(text: Json) -> str:
    """Return a text for paper and slides, which show no code inside a sentence."""
    return _CODE.sub(r"\1", str(text))


def markdown_text(text: Json) -> str:
    """Return a text in which no HTML element starts or ends."""
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
