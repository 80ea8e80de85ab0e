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
) -> dict[str, Json]:
    """Return `<name>_metadata.json`.

    csv: the bytes of the CSV; None with the reason in `refused` when there is none.
    """
    units = {metric["name"]: metric["unit"] for metric in summary["metrics"]}
    definitions = {metric["name"]: metric["definition"] for metric in summary["metrics"]}
    counts = {name: table[name].null_count() for name in table.columns}
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
            name: {"rows": count, "reasons": _reasons(name, summary)}
            for name, count in counts.items()
            if count
        },
    }


def _reasons(metric: str, summary: Mapping[str, Json]) -> list[str]:
    """Return why a metric has no value somewhere, each reason once; none for other columns."""
    values = (cell["metrics"].get(metric) for cell in summary["cells"])
    return sorted({value["reason"] for value in values if value and value["reason"]})[:_REASONS]


def _type(dtype: pl.DataType) -> str:
    return _NAMES.get(dtype.base_type(), str(dtype))


def export_date(now_s: float) -> str:
    """Return a moment as ISO 8601 in UTC, whole seconds."""
    return datetime.fromtimestamp(int(now_s), UTC).isoformat()
