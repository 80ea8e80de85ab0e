"""Draw the plots of a report: Altair charts, and PNG and SVG made from them.

What is drawn is aggregated before: one mark for each cell. vl-convert renders the charts without
a browser and without network; the rows are put in after Altair's checks, which take long for them.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from specc.collate.cells import unlike
from specc.kinds.base import Figure, ReportRoom
from specc.kinds.sentences import is_number, quantity
from specc.model import Json
from specc.reporting import themes
from specc.resources import template_folder

if TYPE_CHECKING:
    import altair as alt

PNG_SCALE = 2.0
_LOG_Y_FROM = 20.0
"""Largest over smallest value from which a linear y axis would hide the small ones."""
_SHORTEN_FROM = 1e6
"""Axis labels from here on are written as 1M, 2.5M."""
_MOST_MARKS = 12
"""An axis with no more values than this has each of them as a label."""
_LEVEL_LETTERS = 60
_ROWS = "rows"


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
    import altair as alt
    import vl_convert

    _register_fonts()
    version = vega_lite_version(alt.SCHEMA_VERSION)
    items = tuple(drawing(figure, summary) for figure in room.figures(summary))
    files: dict[str, bytes] = {}
    for item in items:
        themed = {**item.document, "config": themes.LIGHT, "background": "white"}
        name = f"plots/{item.figure.name}"
        svg = str(vl_convert.vegalite_to_svg(themed, vl_version=version))
        files[f"{name}.svg"] = svg.encode()
        files[f"{name}.png"] = bytes(vl_convert.svg_to_png(svg, scale=PNG_SCALE))
    return Drawings(items=items, files=files)


def vega_lite_version(schema_version: str) -> str:
    """Return the version of a schema ("v6.4.1") as vl-convert names it ("6.4")."""
    return ".".join(schema_version.removeprefix("v").split(".")[:2])


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
                "shown": quantity(metric["value"], metric["unit"]),
                "spread": _spread(metric),
                **scaled,
            }
        )
    return rows


def _spread(metric: Mapping[str, Json]) -> str:
    if metric["low"] is None:
        return "none"
    return " to ".join(quantity(metric[key], metric["unit"]) for key in ("low", "high"))


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
    shown = unlike(reasons)[:3]
    return "; ".join(shown) if shown else "the study has no cells"


def _notice(figure: Figure, reason: str) -> dict[str, Json]:
    import altair as alt

    chart = (
        alt.Chart(alt.InlineData([{"text": line} for line in _wrapped(reason, 70)]))
        .transform_window(line="row_number()")
        .mark_text(align="center", fontSize=14)
        .encode(alt.Y("line:O").axis(None), alt.Text("text:N"))
    )
    return _finished(chart, figure, f"{figure.subject}: not measured")


def _document(
    figure: Figure, rows: Sequence[Mapping[str, Json]], order: Sequence[Json]
) -> dict[str, Json]:
    import altair as alt

    numeric = all(is_number(row["x"]) for row in rows)
    base = alt.Chart(alt.NamedData(_ROWS)).encode(
        x=_number_axis(figure, rows, order) if numeric else _word_axis(figure, order),
        y=_y_axis(figure, rows, "value"),
        color=_colour(figure, rows),
    )
    series = list(dict.fromkeys(row["series"] for row in rows))
    if not numeric and len(series) > 1:
        base = base.encode(xOffset=alt.XOffset("series:N").sort(series))
    bars = (
        base.transform_filter("isValid(datum.low)")
        .mark_errorbar(ticks=alt.MarkConfig(size=7), thickness=1.5)
        .encode(y=_y_axis(figure, rows, "low"), y2="high:Q")
    )
    points = base.mark_point(filled=True, size=60, opacity=1).encode(tooltip=_tooltip(figure))
    layers = [base.mark_line(), bars, points] if numeric else [bars, points]
    document = _finished(alt.layer(*layers), figure, figure.title)
    return {**document, "data": {"values": [dict(row) for row in rows]}}


def _finished(chart: alt.Chart | alt.LayerChart, figure: Figure, title: str) -> dict[str, Json]:
    """Return a chart as Vega-Lite, with its frame and without any theme of Altair's."""
    import altair as alt

    framed: Any = chart.properties(
        title=alt.TitleParams(_wrapped(title, 66), anchor="start", offset=14),
        width=560,
        height=320,
        description=f"{figure.subject}: {title}",
    )
    with alt.theme.enable("none"):
        document: dict[str, Json] = framed.to_dict()
    return document


def _colour(figure: Figure, rows: Sequence[Mapping[str, Json]]) -> alt.Color:
    import altair as alt

    series = list(dict.fromkeys(row["series"] for row in rows))
    title = ", ".join(axis.replace("_", " ") for axis in figure.colour) or None
    colour = alt.Color("series:N", sort=series, title=title).scale(domain=series)
    # a line without a name needs the colour and no legend
    return colour if any(series) else colour.legend(None)


def _word_axis(figure: Figure, order: Sequence[Json]) -> alt.X:
    import altair as alt

    labels = [v if isinstance(v, str) else json.dumps(v) for v in order]
    x = alt.X("x:O", sort=labels, title=_axis_title(figure))
    # long words need the slant; the few letters of most values don't
    return x.axis(labelAngle=0) if sum(map(len, labels)) < _LEVEL_LETTERS else x


def _number_axis(
    figure: Figure, rows: Sequence[Mapping[str, Json]], order: Sequence[Json]
) -> alt.X:
    import altair as alt

    values = [row["x"] for row in rows]
    marks = sorted({v for v in order if is_number(v)} | set(values))
    # a stated precision, for Vega rounds labels of log axes to one digit unless told otherwise
    axis: dict[str, Any] = {"format": ",.12~g" if max(map(abs, marks)) < _SHORTEN_FROM else ".4~s"}
    if len(marks) <= _MOST_MARKS:
        axis["values"] = marks
    title = _axis_title(figure)
    if figure.log_x and min(values) > 0:
        scale = alt.Scale(type="log", base=2, domain=[min(values), max(values)], padding=20)
        title = f"{title} (log₂ scale)"
    else:
        scale = alt.Scale(zero=False, padding=20)
    return alt.X("x:Q", title=title, axis=alt.Axis(**axis), scale=scale)


def _axis_title(figure: Figure) -> str | None:
    return (figure.x or "").replace("_", " ") or None


def _y_axis(figure: Figure, rows: Sequence[Mapping[str, Json]], field: str) -> alt.Y:
    import altair as alt

    values = [row[k] for row in rows for k in ("value", "low", "high") if row[k] is not None]
    y = alt.Y(f"{field}:Q", title=figure.y_title)
    big = max(values) >= _SHORTEN_FROM
    if min(values) > 0 and max(values) / min(values) > _LOG_Y_FROM:
        # a log axis of several decades labels every minor tick unless told otherwise
        ticks = max(3, math.ceil(math.log10(max(values) / min(values))))
        y = y.title(f"{figure.y_title}, log scale").scale(type="log", nice=True)
        return y.axis(format=".4~s" if max(values) >= 1e5 else ",.6~g", tickCount=ticks)
    y = y.scale(zero=True)
    return y.axis(format=".4~s") if big else y


def _tooltip(figure: Figure) -> list[alt.Tooltip]:
    import altair as alt

    return [
        alt.Tooltip("series:N", title="line"),
        alt.Tooltip("x:N", title=(figure.x or "point").replace("_", " ")),
        alt.Tooltip("shown:N", title=figure.subject),
        alt.Tooltip("spread:N", title="95 % interval"),
        alt.Tooltip("n:Q", title="repetitions"),
        alt.Tooltip("verdict:N"),
    ]


def _wrapped(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width) or [""]
