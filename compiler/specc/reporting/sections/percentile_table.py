"""Percentiles with intervals over repetitions, one row for each metric of each point. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from specc.kinds.sentences import number
from specc.model import Json
from specc.reporting.notes import with_notes
from specc.reporting.tabulate import DASH, Table, axis_columns, column, entry, head, points, table


def percentiles(summary: Mapping[str, Json]) -> Table:
    """Return the centre of the repetitions' own percentiles and its interval.

    Points of one repetition have no interval, so the table has them only beside others.
    """
    found = [
        (cell, name, metric["statistics"])
        for cell in summary["cells"]
        for name, metric in cell["metrics"].items()
        if metric.get("statistics")
    ]
    if not any(one["n"] > 1 for _, _, each in found for one in each.values()):
        found = []
    names = list(dict.fromkeys(name for _, _, each in found for name in each))
    labels = {metric["name"]: head(metric) for metric in summary["metrics"]}
    columns = [
        *axis_columns(summary),
        column("metric"),
        *(column(name, numeric=True) for name in names),
    ]
    rows = [
        [
            *points(summary, cell),
            entry(labels.get(metric, metric)),
            *(_value(each.get(name)) for name in names),
        ]
        for cell, metric, each in found
    ]
    return with_notes(table(columns, rows))


def _value(one: Mapping[str, Json] | None) -> dict[str, Json]:
    if one is None or one["value"] is None:
        reason = (one or {}).get("reason") or "not measured"
        return entry(DASH, sort="", note=reason, kind="missing")
    gaps = one.get("reason") or ""
    if one["low"] is None or one["high"] is None:
        note = "; ".join(filter(None, ("one run, no interval" if one["n"] == 1 else "", gaps)))
        return entry(number(one["value"]), sort=one["value"], note=note)
    low, high = (number(one[side]) for side in ("low", "high"))
    spread = "no visible spread" if low == high else f"{low} … {high}"
    return entry(number(one["value"]), sort=one["value"], note=spread, kind="interval")
