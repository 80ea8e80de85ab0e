"""Sentences about numbers that every kind's report needs: who is best, by how much, how surely.

Pure. A claim is made only where the repetitions prove it, corrected for how many points were
compared; otherwise the sentence says that the data can't tell.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence

from specc.kinds import claims
from specc.kinds.base import Finding
from specc.kinds.claims import Ranking, rank
from specc.model import Json

Cell = Mapping[str, Json]
with_value = claims.with_value
_MOST_NAMED = 3
_DOUBTFUL = ("CONTAMINATED", "CLIENT_LIMITED", "NOT_STEADY")
_BIG = {6: "M", 9: "G", 12: "T"}
_PREFIXES = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_RATE = re.compile("([kMGT]?)(B/s|bit/s|Hz|FLOP/s)")
"""Units whose decimal prefix may change with the value."""
_AXIS_UNITS = {
    **{unit.lower(): unit for unit in ("s", "ms", "ns", "min", "h", "Hz", "MHz", "GHz", "W", "J")},
    **{unit.lower(): unit for unit in ("B", "KiB", "MiB", "GiB", "kB", "MB", "GB", "GBps")},
    **{"us": "µs", "bytes": "bytes", "pct": "%", "percent": "%", "rps": "requests/s"},
    **{"qps": "queries/s", "samples": "samples", "tokens": "tokens", "watts": "W"},
}
"""What the last word of an axis's name says of its unit."""
_UNSEEN = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069\\ud800-\\udfff\\ufffe\\uffff]"
)
"""Signs that turn the direction of a text, drive a terminal, or can't stand in XML."""
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def axes_to_draw(axes: Mapping[str, Sequence[Json]]) -> tuple[str | None, tuple[str, ...]]:
    """Return the axis for the x side (the first numeric one with two values) and the others."""
    varied = [name for name, values in axes.items() if len(values) > 1]
    numeric = [name for name in varied if all(is_number(v) for v in axes[name])]
    x = next(iter(numeric or varied or list(axes)), None)
    return x, tuple(name for name in varied if name != x)


def is_number(value: Json) -> bool:
    """Tell whether a JSON value is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_geometric(values: Sequence[Json]) -> bool:
    """Tell whether values grow by factors (1, 2, 4, 8) rather than by steps."""
    numbers = sorted(v for v in values if is_number(v))
    if len(numbers) < 3 or numbers[0] <= 0:
        return False
    ratios = [b / a for a, b in itertools.pairwise(numbers)]
    return bool(min(ratios) >= 1.5)


def axis_title(name: str) -> str:
    """Return an axis's name in words, with the unit that it ends in: "timeout_s", "timeout [s]"."""
    words, _, last = name.rpartition("_")
    unit = _AXIS_UNITS.get(last.lower())
    return f"{words} [{unit}]".replace("_", " ") if words and unit else name.replace("_", " ")


def file_name(text: str) -> str:
    """Return a name that is safe in every file system."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_") or "metric"


def number(value: float | None) -> str:
    """Return a number with three significant digits, a dash when there is none.

    From a million on in M, G and T: "5.06 M".
    """
    if value is None:
        return "–"
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
    mantissa, _, exponent = f"{value:.2e}".partition("e")
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


def extremes(summary: Mapping[str, Json], metric: Mapping[str, Json]) -> tuple[Cell, Cell] | None:
    """Return the best and the worst cell (lowest and highest when neither is better)."""
    found = rank(summary, metric)
    return None if found is None else (found.ordered[0], found.ordered[-1])


def headline(summary: Mapping[str, Json], metric: Mapping[str, Json]) -> str | None:
    """Return what a plot of this metric shows, in one line; None without a value.

    A best point is named only where the repetitions prove it.
    """
    found = rank(summary, metric)
    if found is None:
        only = with_value(summary, metric["name"])
        return f"{metric['label']} is {_value(only[0], metric)} at the only point" if only else None
    best, worst = (_value(found.ordered[place], metric) for place in (0, -1))
    label = str(metric["label"])
    if best == worst:
        return f"{label} is {best} at every point"
    word = {"lower": "lowest", "higher": "highest"}.get(metric["better"])
    if word is None:
        return f"{label}: from {best} to {worst}"
    if found.best is None:
        return f"{label}: from {best} to {worst}, no single best point proven"
    return f"{label} is {word} at {place(summary, found.best)}: {best} (worst: {worst})"


def best_and_worst(summary: Mapping[str, Json], metric: Mapping[str, Json]) -> Finding | None:
    """Return a finding on the best and worst point of a metric; None without a value.

    A point is called the best only where the repetitions prove it; see `claims.rank`.
    """
    found = rank(summary, metric)
    if found is None:
        return _only_value(summary, metric)
    best, worst = found.ordered[0], found.ordered[-1]
    name, cells = metric["name"], (best["cell"], worst["cell"])
    if _value(best, metric) == _value(worst, metric):
        text = f"{metric['label']} is {_value(best, metric)} at every point that has a value."
        return Finding(title=str(metric["label"]), text=text, cells=cells)
    low, high = sorted(c["metrics"][name]["value"] for c in (best, worst))
    ratio = high / low if low > 0 else math.inf
    factor = f", a factor of {times(ratio)}" if math.isfinite(ratio) else ""
    first = f"{spread(best, metric)} at {place(summary, best)}"
    last = f"{spread(worst, metric)} at {place(summary, worst)}"
    named = metric["better"] != "none" and found.best is not None
    verb, joint = ("is best with", "and worst with") if named else ("ranges from", "to")
    sure = _how_sure(summary, metric, found)
    text = f"{metric['label']} {verb} {first} {joint} {last}{factor}. {sure}"
    text += _doubts((best, worst), name)
    return Finding(title=str(metric["label"]), text=text, cells=cells)


def _how_sure(summary: Mapping[str, Json], metric: Mapping[str, Json], found: Ranking) -> str:
    """Say which part of a ranking is more than chance; every claim is corrected for its number."""
    count = len(found.ordered)
    if not found.repeated:
        return "Without repetitions there is no interval, so the difference may be chance."
    between = "their difference" if count == 2 else "the difference between these two"
    if not found.apart:
        text = f"{between} may be chance."
    elif count == 2:
        return "Their difference is more than chance."
    else:
        text = f"{between} is more than chance."
    text = text[0].upper() + text[1:]
    if count == 2 or metric["better"] == "none":
        return text
    if found.best is not None:
        return f"It beats each of the {count - 1} others by more than chance."
    if len(found.rivals) == count - 1:
        return f"{text} No point is proven better than another."
    return f"{text} No point is proven the best: {rivals(summary, found)} may be as good."


def rivals(summary: Mapping[str, Json], found: Ranking) -> str:
    """Return the points that may be as good as the first, three of them by name."""
    named = "; ".join(place(summary, cell) for cell in found.rivals[:_MOST_NAMED])
    more = len(found.rivals) - _MOST_NAMED
    return f"{named} and {more} more" if more > 0 else named


def _doubts(cells: Sequence[Cell], metric: str) -> str:
    """Return a warning that names the cells whose number is disturbed or still moving, and whether
    the machine could be what makes the difference.
    """
    doubted = [
        f"{cell['cell']} is {verdict}"
        for cell in cells
        if (verdict := cell["metrics"][metric].get("verdict")) in _DOUBTFUL
    ]
    hosts = [cell.get("hosts") or [] for cell in cells]
    if all(hosts) and not set(hosts[0]).intersection(*hosts[1:]):
        doubted.append(f"they ran on different nodes ({' and '.join(map(', '.join, hosts))})")
    return f" Read with care: {'; '.join(doubted)}." if doubted else ""


def _only_value(summary: Mapping[str, Json], metric: Mapping[str, Json]) -> Finding | None:
    cells = with_value(summary, metric["name"])
    if not cells:
        return None
    where = place(summary, cells[0])
    alone = ", which alone has a value" if len(summary["cells"]) > 1 else ""
    text = f"{metric['label']} is {spread(cells[0], metric)} at {where}{alone}."
    return Finding(title=str(metric["label"]), text=text, cells=(cells[0]["cell"],))


def spread(cell: Cell, metric: Mapping[str, Json]) -> str:
    """Return a value with its interval: "12.3 ms (11.9 to 12.8, n = 5)".

    The unit stands once where all three have the same one.
    """
    value = cell["metrics"][metric["name"]]
    shown = _value(cell, metric)
    if value["low"] is None:
        return f"{shown} (n = {value['n']})"
    low, high = (quantity(value[k], metric["unit"]) for k in ("low", "high"))
    units = {_unit_in(text, metric["unit"]) for text in (shown, low, high)}
    if len(units) == 1:
        low, high = (text.removesuffix(f" {unit}") for text in (low, high) for unit in units)
    return f"{shown} ({low} to {high}, n = {value['n']})"


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
    bare = unit in ("", DIMENSIONLESS)
    return "" if bare else unit if text.endswith(f" {unit}") else text.rpartition(" ")[2]


def _value(cell: Cell, metric: Mapping[str, Json]) -> str:
    return quantity(cell["metrics"][metric["name"]]["value"], metric["unit"])
