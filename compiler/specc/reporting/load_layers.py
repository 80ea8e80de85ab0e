"""Lay over a plot what is known of a load curve: knee, range to operate in, fit and limits.

Pure: works on a Vega-Lite document that the marks of every plot have made. Each layer takes the
scales and axis titles of the points, so that the axes stay as they are.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from specc.kinds.sentences import number
from specc.model import Json

KNEE, RANGE, LIMIT = "#d55e00", "#009e73", "#d55e00"
"""Read on white and on dark, apart for the colour-blind, and each has its word beside it."""
_LOW, _NEAR, _ROOM = 0.25, 0.7, 1.3
"""A limit is low below this share of the highest point, near above that; then so much room."""
_Layer = dict[str, Json]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a word stands: an edge of the plot, and how far down from it [px]."""

    y: int | str
    down: int


_ABOVE, _LOWER = _Place(0, 8), _Place(0, 24)
_BELOW, _HIGHER = _Place("height", -8), _Place("height", -24)


def lay(
    document: dict[str, Any],
    curve: Mapping[str, Json],
    *,
    limits: Sequence[tuple[float, str]],
    fit: Sequence[Mapping[str, Json]],
    rises_late: bool,
) -> None:
    """Lay what is known of a curve beneath and above the marks of a plot.

    limits: (value, word) of each objective.   fit: rows with x and value, in the plot's unit.
    rises_late: the curve leaves the upper left empty, and not the lower right.
    """
    knee, advised = curve["knee"], curve["recommended"]
    ends = [each["level"] for each in curve["points"]]
    _widen(document, ends, [value for value, _ in limits])
    x, y = _channels(document)
    beyond = knee["value"] if knee["verdict"] == "FOUND" else None
    # a curve that rises late has its empty corner above, and throughput has it below
    first, second = (_ABOVE, _LOWER) if rises_late else (_BELOW, _HIGHER)
    beneath: list[_Layer] = []
    if advised is not None:
        beneath += _band(x, advised, RANGE, "operate here", ends, place=first, beyond=beyond)
    if knee["verdict"] == "FOUND":
        word = "peak" if knee["model"] == "usl" else "knee"
        beneath += _band(x, knee, KNEE, f"{word} {number(knee['value'])}", ends, place=second)
    above = [_line(x, y, fit)] if fit else []
    for value, word in limits:
        # low limits run through the points of the first levels
        low = rises_late and value < _LOW * max(_tops(document))
        above += _limit(x, y, value, word, max(ends) if low else min(ends), left=not low)
    document["layer"] = [*beneath, *document["layer"], *above]


def _channels(document: Mapping[str, Any]) -> tuple[_Layer, _Layer]:
    """Return the x and y encodings of the points: scale, axis and title that all layers share."""
    found = next(each["encoding"] for each in document["layer"] if "shape" in each["encoding"])
    return copy.deepcopy(found["x"]), copy.deepcopy(found["y"])


def _widen(document: Mapping[str, Any], levels: Sequence[float], limits: Sequence[float]) -> None:
    """Let the x axis take in every level, and the y axis the limits, with room for words."""
    most = max(_tops(document))
    near = [limit for limit in limits if limit > _NEAR * most]
    for layer in document["layer"]:
        x, y = (layer["encoding"].get(key, {}).get("scale") for key in ("x", "y"))
        if x is not None and "domain" in x:
            x["domain"] = [min(levels), max(levels)]
        if y is not None and "domain" in y and limits:
            y["domain"] = [min(y["domain"][0], *limits), max(y["domain"][1], *limits)]
        elif y is not None and near:
            y["domainMax"] = max(most, _ROOM * max(near))


def _band(
    x: _Layer,
    span: Mapping[str, Json],
    colour: str,
    word: str,
    ends: Sequence[float],
    *,
    place: _Place,
    beyond: float | None = None,
) -> list[_Layer]:
    """Return a shaded range of loads with its word; a rule where it is narrow.

    beyond: a load where another word's rule stands.
    """
    value = span.get("value")
    row = {"low": span["low"], "high": span["high"], "middle": value or span["high"], "word": word}
    data = {"values": [row]}
    found: list[_Layer] = [
        {
            "data": data,
            "mark": {"type": "rect", "color": colour, "opacity": 0.16},
            "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}},
        }
    ]
    if value is not None or span["low"] == span["high"]:
        dash = [1, 0] if value is not None else [5, 4]
        rule = {"type": "rule", "color": colour, "strokeWidth": 1.5, "strokeDash": dash}
        found.append({"data": data, "mark": rule, "encoding": {"x": {**x, "field": "middle"}}})
    # words stand on the side that has room
    centre = _centre(ends, logarithmic=x.get("scale", {}).get("type") == "log")
    middle = float(row["middle"])
    left = middle > centre or (beyond is not None and min(ends) < middle <= beyond)
    text = {
        "type": "text",
        "align": "right" if left else "left",
        "baseline": "middle",
        "dx": -6 if left else 6,
        "dy": place.down,
        # in the ink of the page's theme: the colours of the marks are too faint for small words
        "fontWeight": 600,
    }
    words = {"x": {**x, "field": "middle"}, "y": {"value": place.y}, "text": {"field": "word"}}
    return [*found, {"data": data, "mark": text, "encoding": words}]


def _centre(ends: Sequence[float], *, logarithmic: bool) -> float:
    low, high = min(ends), max(ends)
    return float((low * high) ** 0.5) if logarithmic else (low + high) / 2


def _line(x: _Layer, y: _Layer, fit: Sequence[Mapping[str, Json]]) -> _Layer:
    mark = {"type": "line", "color": KNEE, "strokeDash": [5, 4], "strokeWidth": 1.5}
    return {"data": {"values": list(fit)}, "mark": mark, "encoding": {"x": x, "y": y}}


def _tops(document: Mapping[str, Any]) -> list[float]:
    rows = document["data"]["values"]
    return [row["value"] if row["high"] is None else row["high"] for row in rows]


def _limit(
    x: _Layer, y: _Layer, limit: float, word: str, load: float, *, left: bool
) -> list[_Layer]:
    data = {"values": [{"x": load, "value": limit, "word": word}]}
    rule = {"type": "rule", "color": LIMIT, "strokeDash": [7, 4], "strokeWidth": 1.5}
    text = {
        **{"type": "text", "align": "left" if left else "right", "baseline": "bottom"},
        **{"dx": -16 if left else 16, "dy": -4, "fontWeight": 600},
    }
    words = {"x": x, "y": y, "text": {"field": "word"}}
    return [
        {"data": data, "mark": rule, "encoding": {"y": y}},
        {"data": data, "mark": text, "encoding": words},
    ]
