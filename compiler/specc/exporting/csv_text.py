"""Write a table as CSV that any program reads: six decimals, no powers of ten, no index.

Pure. A number that six decimals would turn into zero is refused: zero is a claim.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from decimal import Decimal

import polars as pl

from specc.model import Json
from specc.problems import SpeccError


class TooSmallForCsv(SpeccError):
    """A value that is not 0 and would be written as 0.000000."""

    def __init__(self, column: str, row: int, value: float) -> None:
        super().__init__(
            f"column {column}, row {row}: {value!r} is not 0, and six decimals would make it"
            f" {value:.6f}",
            hint="take the Parquet file, which has the value as it is, or give the metric a"
            " smaller unit",
        )
        self.column = column
        self.row = row
        """Counted from 1, the line of headings left out."""


def six_decimals(table: pl.DataFrame) -> str:
    """Return a table with numbers as %.6f. Raises TooSmallForCsv."""
    return _text(table, [_six(name) for name in table.columns])


def every_digit(table: pl.DataFrame) -> str:
    """Return a table with all digits of its numbers, still without powers of ten."""
    return _text(table, [_all for _ in table.columns])


def _text(table: pl.DataFrame, forms: Sequence[Callable[[float, int], str]]) -> str:
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(table.columns)
    for row, values in enumerate(table.iter_rows(), start=1):
        writer.writerow(
            [_field(value, form, row) for value, form in zip(values, forms, strict=True)]
        )
    return written.getvalue()


def _field(value: Json, form: Callable[[float, int], str], row: int) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return form(value, row) if math.isfinite(value) else ""
    return str(value)


def _six(column: str) -> Callable[[float, int], str]:
    def form(value: float, row: int) -> str:
        text = f"{value:.6f}"
        if value != 0 and not text.strip("-0."):
            raise TooSmallForCsv(column, row, value)
        return text

    return form


def _all(value: float, row: int) -> str:
    del row
    text = format(Decimal(repr(value)), "f")
    return text if "." in text else f"{text}.0"
