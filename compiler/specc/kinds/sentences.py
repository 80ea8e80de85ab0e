"""Words for numbers and points that every kind's report needs. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal

from specc.analysis.signs import MINUS
from specc.kinds import claims
from specc.model import Json

Cell = Mapping[str, Json]
with_value = claims.with_value
_BIG = {6: "M", 9: "G", 12: "T"}
_PREFIXES = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_RATE = re.compile("([kMGT]?)(B/s|bit/s|Hz|FLOP/s)")
"""Units whose decimal prefix may change with the value."""
_UNSEEN = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069\\ud800-\\udfff\\ufffe\\uffff]"
)
"""Signs that turn the direction of a text, drive a terminal, end a line inside a script's
string, or can't stand in XML."""
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def is_number(value: Json) -> bool:
    """Tell whether a JSON value is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def file_name(text: str) -> str:
    """Return a name that is safe in every file system."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_") or "metric"


def number(value: float | None) -> str:
    """Return a number with three significant digits, a dash when there is none that is finite.

    From a million on in M, G and T: "5.06 M". Below zero with the minus sign of print.
    """
    if value is None or str(value) in ("nan", "inf", "-inf"):
        return "–"
    if value <= 0:
        return f"{MINUS}{number(-value)}" if value else "0"
    if 1e6 <= abs(value) < 1e15:
        power = min(int(math.log10(abs(value) * (1 + 1e-9)) // 3) * 3, 12)
        return f"{number(value / 10**power)} {_BIG[power]}"
    if value != 0 and not 1e-4 <= abs(value) < 1e6:
        return _with_power(value)
    if 0 < abs(value) < 1:
        return f"{value:.3g}"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def times(ratio: float) -> str:
    """Return a factor with three significant digits; a large one with a power, not a prefix."""
    return _with_power(ratio) if ratio >= 1e6 else number(ratio)


def _with_power(value: float) -> str:
    mantissa, _, exponent = f"{Decimal(value):.2e}".partition("e")
    return f"{float(mantissa):g} × 10{str(int(exponent)).translate(_RAISED)}"


def plot_unit(summary: Mapping[str, Json], metric: Mapping[str, Json]) -> tuple[str, float]:
    """Return the unit in which all values of a metric are drawn, and the factor to it."""
    unit, name = str(metric["unit"]), metric["name"]
    if unit == "B":
        return "MiB", 2.0**-20
    rate = _RATE.fullmatch(unit)
    if rate is None:
        return "" if unit == DIMENSIONLESS else unit, 1.0
    own = _PREFIXES[rate[1]]
    values = [abs(cell["metrics"][name]["value"]) * own for cell in with_value(summary, name)]
    best = _best_prefix(max(values, default=own))
    return f"{best}{rate[2]}", own / _PREFIXES[best]


def _best_prefix(value: float) -> str:
    return next((prefix for prefix in ("T", "G", "M", "k") if value >= _PREFIXES[prefix]), "")


DIMENSIONLESS = "1"
"""The unit of ratios and counts; behind a number it would be read as one more number."""


def quantity(value: float | None, unit: str) -> str:
    """Return a number with its unit; bytes and rates in the unit that reads best."""
    base, shared, owner = unit.partition(" per ")
    if shared and owner:
        return f"{quantity(value, base)} per {owner}"
    if value is not None and unit == "B":
        for power, name in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
            if abs(value) >= 2**power:
                return f"{number(value / 2**power)} {name}"
    if value is not None and (rate := _RATE.fullmatch(unit)) is not None:
        own = _PREFIXES[rate[1]]
        best = _best_prefix(abs(value) * own)
        return f"{number(value * own / _PREFIXES[best])} {best}{rate[2]}"
    if value is not None and unit == "bytes":
        best = _best_prefix(abs(value))
        return f"{number(value / _PREFIXES[best])} {best}B" if best else f"{number(value)} bytes"
    return number(value) if unit in ("", DIMENSIONLESS) else f"{number(value)} {unit}"


def point(axes: Mapping[str, Json]) -> str:
    """Return a point of the matrix in words: "device cuda, batch size 8"."""
    words = (f"{k.replace('_', ' ')} {visible(str(v))}" for k, v in axes.items())
    return ", ".join(words) or "the only point"


def visible(text: str) -> str:
    """Return a text with signs that nobody sees, or that turn what follows, spelled out."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def all_visible(value: Json) -> Json:
    """Return a JSON value with every text in it made visible; its keys stay as they are."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, Mapping):
        return {name: all_visible(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [all_visible(part) for part in value]
    return value


def place(summary: Mapping[str, Json], cell: Cell) -> str:
    """Return the point of a cell, with run and condition where others measured the same point."""
    text = point(cell["axes"])
    others = [each for each in summary["cells"] if each["axes"] == cell["axes"]]
    for key, word in (("run_id", "run"), ("condition_id", "condition")):
        if len({each.get(key) for each in others}) > 1:
            text += f", {word} {str(cell.get(key))[:8]}"
    return text


def spread(cell: Cell, metric: Mapping[str, Json]) -> str:
    """Return a value with its interval: "12.3 ms (11.9 to 12.8, n = 5)".

    The unit stands once where all three have the same one.
    """
    value = cell["metrics"][metric["name"]]
    centre = shown(cell, metric)
    if value["low"] is None:
        return f"{centre} (n = {value['n']})"
    low, high = (quantity(value[k], metric["unit"]) for k in ("low", "high"))
    units = {_unit_in(text, metric["unit"]) for text in (centre, low, high)}
    if len(units) == 1:
        low, high = (text.removesuffix(f" {unit}") for text in (low, high) for unit in units)
    return f"{centre} ({low} to {high}, n = {value['n']})"


def interval(value: Mapping[str, Json]) -> str:
    """Return the interval of a cell's metric, the unit once: "11.9 to 12.8 ms"; none: "none"."""
    if value["low"] is None:
        return "none"
    low, high = (quantity(value[key], value["unit"]) for key in ("low", "high"))
    units = {_unit_in(text, value["unit"]) for text in (low, high)}
    if len(units) == 1:
        low = low.removesuffix(f" {units.pop()}")
    return f"{low} to {high}"


def _unit_in(text: str, unit: str) -> str:
    """Return the unit of a quantity as it is written: with the prefix that reads best."""
    base, shared, owner = unit.partition(" per ")
    if shared and owner:
        return f"{_unit_in(text.removesuffix(f' per {owner}'), base)} per {owner}"
    bare = unit in ("", DIMENSIONLESS)
    return "" if bare else unit if text.endswith(f" {unit}") else text.rpartition(" ")[2]


def shown(cell: Cell, metric: Mapping[str, Json]) -> str:
    """Return the value of a metric at a point with its unit."""
    return quantity(cell["metrics"][metric["name"]]["value"], metric["unit"])
