"""Describe a data set beside it: its columns and types, where it is from, what is missing.

Pure. `export_date` is the only field that a clock writes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime

import polars as pl

from specc.model import Json

_REASONS = 10
_NAMES: Mapping[type[pl.DataType], str] = {
    pl.Int64: "int",
    pl.Float64: "float",
    pl.Boolean: "bool",
    pl.String: "text",
}


def describe_table(
    table: pl.DataFrame,
    summary: Mapping[str, Json],
    *,
    exported: str,
    csv: bytes | None,
    refused: str | None,
    missing: Mapping[str, Mapping[int, str]],
    unfinished: Mapping[int, str],
) -> dict[str, Json]:
    """Return `<name>_metadata.json`.

    csv: the bytes of the CSV; None with the reason in `refused` when there is none.
    missing: column -> row -> why it has no value, where the kind says so.
    unfinished: row -> why its task has no result.
    """
    units = {metric["name"]: metric["unit"] for metric in summary["metrics"]}
    definitions = {metric["name"]: metric["definition"] for metric in summary["metrics"]}
    return {
        "total_runs": table.height,
        "export_date": exported,
        "columns": table.columns,
        "column_types": {name: _type(table.schema[name]) for name in table.columns},
        "units": {name: units[name] for name in table.columns if units.get(name)},
        "definitions": {name: definitions[name] for name in table.columns if name in definitions},
        "bundle_ids": [bundle["bundle_id"] for bundle in summary["bundles"]],
        "csv_sha256": None if csv is None else hashlib.sha256(csv).hexdigest(),
        "csv_reason": refused,
        "missing": {
            name: _lacking(table, name, summary, missing.get(name, {}), unfinished)
            for name in table.columns
            if table[name].null_count()
        },
    }


def _lacking(
    table: pl.DataFrame,
    name: str,
    summary: Mapping[str, Json],
    own: Mapping[int, str],
    unfinished: Mapping[int, str],
) -> dict[str, Json]:
    """Return how many rows lack a value and why, each reason once; and which of completed runs.

    runs: reason -> ids of the first column; only where the kind tells the reason of each run.
    """
    rows = table[name].is_null().arg_true().to_list()
    runs: dict[str, list[Json]] = {}
    untold = False
    for row in rows:
        if row in unfinished:
            continue
        if row in own:
            runs.setdefault(own[row], []).append(table[row, 0])
        else:
            untold = True
    reasons = {unfinished[row] for row in rows if row in unfinished} | {*runs}
    if untold:
        reasons |= _of_cells(name, summary)
    told: dict[str, Json] = {"rows": len(rows), "reasons": sorted(reasons)[:_REASONS]}
    return {**told, "runs": runs} if runs else told


def _of_cells(metric: str, summary: Mapping[str, Json]) -> set[str]:
    """Return why a metric has no value somewhere; nothing for other columns."""
    values = (cell["metrics"].get(metric) for cell in summary["cells"])
    return {value["reason"] for value in values if value and value["reason"]}


def _type(dtype: pl.DataType) -> str:
    return _NAMES.get(dtype.base_type(), str(dtype))


def export_date(now_s: float) -> str:
    """Return a moment as ISO 8601 in UTC, whole seconds."""
    return datetime.fromtimestamp(int(now_s), UTC).isoformat()
