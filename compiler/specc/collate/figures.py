"""Draw the plots of a report: Vega-Lite documents, and PNG and SVG made from them.

The documents are plain dicts; vl-convert renders them without a browser and without network.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from specc.collate import themes
from specc.kinds.base import Figure, ReportRoom
from specc.model import Json
from specc.resources import template_folder

PNG_SCALE = 2.0
_LOG_Y_FROM = 20.0
"""Largest over smallest value from which a linear y axis would hide the small ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """One plot, drawn."""

    figure: Figure
    document: Mapping[str, Json]
    """Vega-Lite, without a theme: the page adds its own, light or dark."""
    empty: str | None
    """Why there is nothing to draw; None when there is."""
    points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawings:
    """All plots of a report."""

    items: tuple[Drawing, ...]
    files: Mapping[str, bytes]
    """Path below the output folder -> content."""


def draw(summary: Mapping[str, Json], room: ReportRoom) -> Drawings:
    """Draw every figure of a kind's report as PNG (2x) and SVG."""
    import vl_convert

    _register_fonts()
    items = tuple(drawing(figure, summary) for figure in room.figures(summary))
    files: dict[str, bytes] = {}
    for item in items:
        themed = {**item.document, "config": themes.LIGHT, "background": "white"}
        name = f"plots/{item.figure.name}"
        files[f"{name}.svg"] = str(vl_convert.vegalite_to_svg(themed)).encode()
        files[f"{name}.png"] = bytes(vl_convert.vegalite_to_png(themed, scale=PNG_SCALE))
    return Drawings(items=items, files=files)


@cache
def _register_fonts() -> None:
    import vl_convert

    vl_convert.register_font_directory(str(template_folder() / "fonts"))


def drawing(figure: Figure, summary: Mapping[str, Json]) -> Drawing:
    """Return the Vega-Lite document of a figure, or of the reason why it has no data."""
    rows = _rows(figure, summary)
    if not rows:
        reason = _why_empty(figure, summary)
        return Drawing(figure=figure, document=_notice(figure, reason), empty=reason, points=0)
    document = _document(figure, rows, summary["axes"].get(figure.x or "", []))
    return Drawing(figure=figure, document=document, empty=None, points=len(rows))


def _rows(figure: Figure, summary: Mapping[str, Json]) -> list[dict[str, Json]]:
    """Return one row for each cell that has a value, in matrix order."""
    times = Counter(_point(cell) for cell in summary["cells"])
    rows = []
    for cell in summary["cells"]:
        found = _first_value(figure, cell)
        if found is None:
            continue
        metric, note = found
        scaled = {k: _scaled(metric[k], figure.scale) for k in ("value", "low", "high")}
        name = [str(cell["axes"].get(axis, "")) for axis in figure.colour]
        if times[_point(cell)] > 1:
            # the same point in several runs or on several conditions: separate lines
            name.append(f"{cell['run_id']} {(cell['condition_id'] or '')[:4]}")
        label = " ".join(name)
        rows.append(
            {
                "x": cell["axes"].get(figure.x) if figure.x else "all",
                "series": (f"{label} ({note})" if label else note) if note else label,
                "n": metric["n"],
                "verdict": metric["verdict"],
                **scaled,
            }
        )
    return rows


def _point(cell: Mapping[str, Json]) -> str:
    return json.dumps(cell["axes"], sort_keys=True)


def _first_value(figure: Figure, cell: Mapping[str, Json]) -> tuple[Mapping[str, Json], str] | None:
    for name, note in figure.metrics:
        metric = cell["metrics"].get(name)
        if metric is not None and metric["value"] is not None:
            return metric, note
    return None


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else value * scale


def _why_empty(figure: Figure, summary: Mapping[str, Json]) -> str:
    reasons: dict[str, None] = {}
    for cell in summary["cells"]:
        found = [cell["metrics"][name] for name, _ in figure.metrics if name in cell["metrics"]]
        for metric in found:
            reasons.setdefault(metric["reason"] or cell["verdict_reason"] or "no value")
        if not found:
            reasons.setdefault("no record carries it")
    shown = list(reasons)[:3]
    return "; ".join(shown) if shown else "the study has no cells"


def _notice(figure: Figure, reason: str) -> dict[str, Json]:
    return {
        **_frame(figure, f"{figure.subject}: not measured"),
        "data": {"values": [{"text": line} for line in _wrapped(reason, 70)]},
        "transform": [{"window": [{"op": "row_number", "as": "line"}]}],
        "mark": {"type": "text", "align": "center", "fontSize": 14},
        "encoding": {
            "y": {"field": "line", "type": "ordinal", "axis": None},
            "text": {"field": "text", "type": "nominal"},
        },
    }


def _document(
    figure: Figure, rows: Sequence[Mapping[str, Json]], order: Sequence[Json]
) -> dict[str, Json]:
    x = _x_axis(figure, rows, order)
    series = list(dict.fromkeys(row["series"] for row in rows))
    title = ", ".join(axis.replace("_", " ") for axis in figure.colour) or None
    colour: dict[str, Json] = {
        "color": {
            "field": "series",
            "type": "nominal",
            "sort": series,
            "scale": {"domain": series},
            "title": title,
            # a line without a name needs the colour and no legend
            **({} if any(series) else {"legend": None}),
        }
    }
    numeric = x["type"] == "quantitative"
    shift = {} if numeric or len(series) < 2 else {"xOffset": {"field": "series", "sort": series}}
    layers: list[dict[str, Json]] = [{"mark": {"type": "line"}}] if numeric else []
    layers.append(
        {
            "transform": [{"filter": "isValid(datum.low)"}],
            "mark": {"type": "errorbar", "ticks": {"size": 7}, "thickness": 1.5},
            "encoding": {
                "y": {**_y_axis(figure, rows), "field": "low"},
                "y2": {"field": "high"},
            },
        }
    )
    layers.append(
        {
            "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
            "encoding": {"tooltip": _tooltip(figure)},
        }
    )
    return {
        **_frame(figure, figure.title),
        "data": {"values": [dict(row) for row in rows]},
        "encoding": {"x": x, "y": _y_axis(figure, rows), **colour, **shift},
        "layer": layers,
    }


def _frame(figure: Figure, title: str) -> dict[str, Json]:
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "title": {"text": _wrapped(title, 66), "anchor": "start", "offset": 14},
        "width": 560,
        "height": 320,
        "description": f"{figure.subject}: {title}",
    }


def _x_axis(
    figure: Figure, rows: Sequence[Mapping[str, Json]], order: Sequence[Json]
) -> dict[str, Json]:
    title = (figure.x or "").replace("_", " ") or None
    values = [row["x"] for row in rows]
    x: dict[str, Json]
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        labels = [v if isinstance(v, str) else json.dumps(v) for v in order]
        # long words need the slant; the few letters of most values don't
        angle = {"labelAngle": 0} if sum(map(len, labels)) < 60 else {}
        x = {"field": "x", "type": "ordinal", "sort": labels, "title": title}
        return {**x, "axis": angle}
    marks = sorted({v for v in order if isinstance(v, int | float)} | set(values))
    x = {"field": "x", "type": "quantitative", "title": title}
    x["axis"] = {"values": marks, "format": "~r" if max(marks) < 1e6 else "~s"}
    if figure.log_x and min(values) > 0:
        x["scale"] = {"type": "log", "base": 2, "domain": [min(values), max(values)]}
        x["scale"]["padding"] = 20
        x["axis"]["title"] = f"{title} (log₂ scale)"
    else:
        x["scale"] = {"zero": False, "padding": 20}
    return x


def _y_axis(figure: Figure, rows: Sequence[Mapping[str, Json]]) -> dict[str, Json]:
    values = [row[k] for row in rows for k in ("value", "low", "high") if row[k] is not None]
    y: dict[str, Json] = {"field": "value", "type": "quantitative", "title": figure.y_title}
    if min(values) > 0 and max(values) / min(values) > _LOG_Y_FROM:
        y["title"] = f"{figure.y_title}, log scale"
        y["scale"] = {"type": "log", "nice": True}
        # a log axis of several decades labels every minor tick unless told otherwise
        y["axis"] = {"format": "~s" if max(values) >= 1e5 else "~g"}
        y["axis"] |= {"tickCount": max(3, math.ceil(math.log10(max(values) / min(values))))}
    else:
        y["scale"] = {"zero": True}
    return y


def _tooltip(figure: Figure) -> list[dict[str, Json]]:
    number = {"type": "quantitative", "format": ".4~g"}
    return [
        {"field": "series", "type": "nominal", "title": "line"},
        {"field": "x", "type": "nominal", "title": (figure.x or "point").replace("_", " ")},
        {"field": "value", "title": figure.y_title, **number},
        {"field": "low", "title": "95 % from", **number},
        {"field": "high", "title": "95 % to", **number},
        {"field": "n", "type": "quantitative", "title": "repetitions"},
        {"field": "verdict", "type": "nominal", "title": "verdict"},
    ]


def _wrapped(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width) or [""]
