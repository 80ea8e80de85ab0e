"""Saturation: the load curves of a summary as tables and sentences. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from specc.kinds.sentences import number
from specc.model import Json
from specc.reporting.sections.load_answers import (
    axis_name,
    curve_name,
    metric_of,
    objective,
    spread_of,
)
from specc.reporting.tabulate import DASH, Table, column, entry, table


def sections(summary: Mapping[str, Json]) -> list[dict[str, Json]]:
    """Return one entry for each curve: title, its points as a table, and what follows from them."""
    return [
        {
            "curve": curve["curve"],
            "title": curve_name(curve, summary) or "What the curve says",
            "axis": axis_name(curve),
            "loop": curve["loop"],
            "table": _points(curve, summary),
            "slo": [
                {
                    "objective": objective(one, summary),
                    "verdict": one["verdict"],
                    "text": one["text"],
                }
                for one in curve["slo"]
            ],
            "knee": {
                "verdict": curve["knee"]["verdict"],
                "text": curve["knee"]["text"],
                "reason": _unsaid(curve["knee"]),
            },
            "recommended": (curve.get("recommended") or {}).get("text"),
        }
        for curve in summary.get("load") or []
    ]


def _unsaid(knee: Mapping[str, Json]) -> str | None:
    """Return the reason of a verdict where its text doesn't tell it."""
    reason = knee["reason"]
    return None if reason is None or reason in knee["text"] else str(reason)


def _points(curve: Mapping[str, Json], summary: Mapping[str, Json]) -> Table:
    throughput = metric_of(summary, curve["throughput"])
    latency = metric_of(summary, curve["latency"]) if curve.get("latency") else None
    errors = any(one.get("errors") is not None for one in curve["points"])
    columns = [
        column(axis_name(curve), numeric=True),
        column(_head(throughput), numeric=True),
        *(
            [column(f"{curve['latency_statistic']} {_head(latency)}", numeric=True)]
            if latency
            else []
        ),
        *([column("errors [%]", numeric=True)] if errors else []),
        column("Little's law", note="requests in flight over throughput times latency: near 1"),
        column("verdict"),
        column("cell"),
    ]
    rows = []
    for one in curve["points"]:
        row = [
            entry(number(one["level"]), sort=one["level"]),
            _with_spread(one["throughput"]),
        ]
        if latency:
            row.append(_with_spread(one["tail"]))
        if errors:
            row.append(_plain(one.get("errors")))
        row += [
            _little(one.get("little")),
            entry(one["verdict"], kind="good" if one["verdict"] == "VALID" else "warn"),
            entry(one["cell"], kind="trace"),
        ]
        rows.append(row)
    return table(columns, rows)


def _with_spread(value: Mapping[str, Json] | None) -> dict[str, Json]:
    if not value or value["value"] is None:
        return entry(
            DASH, sort="", note=(value or {}).get("reason") or "not measured", kind="missing"
        )
    note = spread_of(value, "") or ""
    return entry(number(value["value"]), sort=value["value"], note=note, kind="interval")


def _plain(value: float | None) -> dict[str, Json]:
    return (
        entry(DASH, sort="", kind="missing") if value is None else entry(number(value), sort=value)
    )


def _little(found: Mapping[str, Json] | None) -> dict[str, Json]:
    if not found or found.get("ratio") is None:
        return entry(DASH, sort="", note=(found or {}).get("reason") or "", kind="missing")
    kind = "good" if found["ok"] else "warn"
    return entry(number(found["ratio"]), sort=found["ratio"], note=found["reason"] or "", kind=kind)


def _head(metric: Mapping[str, Json]) -> str:
    return f"{metric['label']} [{metric['unit']}]" if metric["unit"] else str(metric["label"])
