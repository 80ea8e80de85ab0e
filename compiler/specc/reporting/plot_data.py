"""The numbers behind a plot as a table: its text alternative, for eyes and for screen readers.

Pure: reads the rows that a drawing carries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from specc.kinds.sentences import is_number, number
from specc.model import Json
from specc.reporting.drawings import Drawing
from specc.reporting.tabulate import DASH, Table, column, entry, table

_WORDS = {
    "series": "line",
    "bin": "from, to",
    "spread": "95 % interval",
    "band": "5th to 95th percentile",
    "n": "repetitions",
}
_SAID = ("x", "series", "bin", "shown", "spread", "range", "band", "n", "points", "verdict")
"""Columns of the plots of a kind: their values are written as the page writes numbers."""


def data_table(drawing: Drawing) -> Table:
    """Return the rows that a plot draws; a column that says the same everywhere is left out."""
    rows = _rows(drawing.document)
    found = list(dict.fromkeys(key for row in rows for key in row))
    keys = [key for key in _SAID if key in found] if "shown" in found else found
    keys = [key for key in keys if any(row.get(key) not in (None, "") for row in rows)]
    figure = drawing.figure
    names = {
        **_WORDS,
        "x": (figure.x or "point").replace("_", " "),
        "shown": figure.subject,
    }
    columns = [
        column(
            names.get(key, key.replace("_", " ")),
            numeric=all(is_number(row.get(key)) for row in rows if row.get(key) is not None),
        )
        for key in keys
    ]
    made = table(columns, [[_entry(row.get(key)) for key in keys] for row in rows])
    return {**made, "title": f"Data of the plot: {figure.subject}", "file": "tables/cells.csv"}


def note(drawing: Drawing) -> str:
    """Return the second line of a plot's title, where its caption does not say the same."""
    title: Any = drawing.document.get("title") or {}
    lines = title.get("subtitle") or () if isinstance(title, dict) else ()
    text = lines if isinstance(lines, str) else " ".join(lines)
    return "" if text in drawing.caption else text


def _entry(value: Json) -> dict[str, Json]:
    if value is None or value == "":
        return entry(DASH, sort="", kind="missing")
    if is_number(value):
        return entry(number(value), sort=value)
    return entry(str(value))


def _rows(document: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    """Return the first rows found in a document: its own, or those of the first layer with any."""
    return next((rows for rows in _datasets(document) if rows), [])


def _datasets(document: Mapping[str, Json]) -> Iterator[list[Mapping[str, Json]]]:
    data: Any = document.get("data") or {}
    if isinstance(data.get("values"), list):
        yield [row for row in data["values"] if isinstance(row, dict)]
    for rows in (document.get("datasets") or {}).values():
        yield [row for row in rows if isinstance(row, dict)]
    for part in ("layer", "hconcat", "vconcat", "concat"):
        for inner in document.get(part) or ():
            yield from _datasets(inner)
