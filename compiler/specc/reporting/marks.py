"""Turn rows into a chart: axes with units, lines, bands or bars, points, tooltips.

A row has x, series, value, low, high, verdict, n, and the words of its tooltip. Altair sees only
the encodings: the rows are put in after its checks, which take long for them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from specc.kinds.axes import axis_title
from specc.kinds.base import Figure
from specc.kinds.sentences import is_number
from specc.model import Json
from specc.reporting import themes

if TYPE_CHECKING:
    import altair as alt

Rows = Sequence[Mapping[str, Json]]

FULL = "VALID"
"""The verdict of a point that is drawn full."""
_LOG_Y_FROM = 20.0
"""Largest over smallest value from which a linear y axis would hide the small ones."""
_SHORTEN_FROM = 1e6
"""Axis labels from here on are written as 1M, 2.5M."""
_MOST_MARKS = 12
"""An axis with no more values than this has each of them as a label."""
_MOST_BARS = 8
"""A line with more values than this has a band; below, a bar at each of them."""
_MANY, _POINT, _SMALL_POINT = 30, 64, 20
"""Points of a line with more values than this are smaller, or they would hide it [px²]."""
_SPREADS = {"range": "range", "band": "5th to 95th percentile"}
"""Field of a tooltip -> its title, where rows stand for several points."""
_MOST_WORDS = 40
_LEVEL_LETTERS = 60
_LEGEND_LETTERS = 80
"""So many letters of line names stand beside each other in a legend."""


def banded(figure: Figure, rows: Rows) -> bool:
    """Tell whether intervals are drawn as a band: along many values of a continuous axis."""
    if not all(is_number(row["x"]) for row in rows):
        return False
    if figure.spread != "auto":
        return figure.spread == "band"
    return len({row["x"] for row in rows}) > _MOST_BARS


def chart(figure: Figure, rows: Rows, order: Sequence[Json]) -> alt.LayerChart:
    """Return lines with their intervals over numbers, points with bars over words.

    order: the values of the x axis in the order of the matrix.
    """
    import altair as alt

    numeric = all(is_number(row["x"]) for row in rows)
    names = series(rows)
    base = alt.Chart(alt.NamedData("rows")).encode(
        x=_number_axis(figure, rows, order) if numeric else _word_axis(figure, order),
        y=_y_axis(figure, rows, "value"),
        color=_named(alt.Color("series:N"), figure, names),
    )
    if not numeric and len(names) > 1:
        base = base.encode(xOffset=alt.XOffset("series:N").sort(names))
    spread = _band(base, figure, rows) if banded(figure, rows) else _bars(base, figure, rows)
    points = base.encode(
        shape=_named(alt.Shape("series:N"), figure, names), tooltip=tooltip(figure, rows)
    )
    if "band" in rows[0]:
        # of so many medians the line is what is seen; the marks are there to be pointed at
        unseen = points.mark_point(filled=True, size=_POINT, opacity=0)
        return alt.layer(spread, *_lines(base, names), unseen)
    size = _POINT if len({row["x"] for row in rows}) <= _MANY else _SMALL_POINT
    full = points.transform_filter(f"datum.verdict === '{FULL}'")
    hollow = points.transform_filter(f"datum.verdict !== '{FULL}'")
    return alt.layer(
        spread,
        *(_lines(base, names) if numeric else ()),
        full.mark_point(filled=True, size=size, opacity=1),
        hollow.mark_point(filled=False, size=size, opacity=1, strokeWidth=2),
    )


def _lines(base: alt.Chart, names: Sequence[str]) -> list[alt.Chart]:
    """Return a layer for each dash. As a channel, the legend's symbols would be dashed as well."""
    kinds: dict[tuple[int, ...], list[str]] = {}
    for at, name in enumerate(names):
        kinds.setdefault(themes.DASHES[at % len(themes.DASHES)], []).append(name)
    return [
        base.transform_filter({"field": "series", "oneOf": found}).mark_line(strokeDash=list(dash))
        for dash, found in kinds.items()
    ]


def series(rows: Rows) -> list[str]:
    """Return the names of the lines, in the order of the rows."""
    return list(dict.fromkeys(str(row["series"]) for row in rows))


def _band(base: alt.Chart, figure: Figure, rows: Rows) -> alt.Chart:
    import altair as alt

    # the y channel of the band alone has another field, so it is encoded anew
    area: alt.Chart = base.mark_area(opacity=0.2).encode(
        y=_y_axis(figure, rows, "low"), y2=alt.Y2("high:Q")
    )
    return area


def _bars(base: alt.Chart, figure: Figure, rows: Rows) -> alt.Chart:
    import altair as alt

    bars: alt.Chart = (
        base.transform_filter("isValid(datum.low)")
        .mark_errorbar(ticks=alt.MarkConfig(size=7), thickness=1.5)
        .encode(y=_y_axis(figure, rows, "low"), y2="high:Q")
    )
    return bars


def _named(channel: Any, figure: Figure, names: Sequence[str]) -> Any:
    """Return a channel whose legend names the lines; a line without a name needs none."""
    import altair as alt

    title = ", ".join(axis.replace("_", " ") for axis in figure.colour) or None
    channel = channel.sort(names).title(title).scale(domain=names)
    if not any(names):
        return channel.legend(None)
    columns = max(1, min(len(names), 6, _LEGEND_LETTERS // (max(map(len, names)) + 4)))
    return channel.legend(alt.Legend(columns=columns, symbolOpacity=1, symbolStrokeWidth=0))


def _word_axis(figure: Figure, order: Sequence[Json]) -> alt.X:
    import altair as alt

    labels = [v if isinstance(v, str) else json.dumps(v) for v in order]
    if len(labels) > _MOST_WORDS:
        title = f"{_title(figure) or 'points'}: {len(labels)} values in the order of the matrix"
        return alt.X("x:O", sort=labels, title=title).axis(labels=False, ticks=False)
    x = alt.X("x:O", sort=labels, title=_title(figure))
    # long words need the slant; the few letters of most values don't
    level = sum(map(len, labels)) < _LEVEL_LETTERS
    return x.axis(labelAngle=0) if level else x.axis(labelAngle=-35, labelLimit=160)


def _number_axis(figure: Figure, rows: Rows, order: Sequence[Json]) -> alt.X:
    import altair as alt

    values = [row["x"] for row in rows]
    ticks = sorted({v for v in order if is_number(v)} | set(values))
    # a stated precision, for Vega rounds labels of log axes to one digit unless told otherwise
    axis: dict[str, Any] = {"format": ",.12~g" if max(map(abs, ticks)) < _SHORTEN_FROM else ".4~s"}
    if len(ticks) <= _MOST_MARKS:
        axis["values"] = ticks
    title = _title(figure)
    if figure.log_x and min(values) > 0:
        scale = alt.Scale(type="log", base=2, domain=[min(values), max(values)], padding=20)
        title = f"{title} (log scale)"
    else:
        scale = alt.Scale(zero=False, padding=20, nice=False)
    return alt.X("x:Q", title=title, axis=alt.Axis(**axis), scale=scale)


def _title(figure: Figure) -> str | None:
    return figure.x_title or axis_title(figure.x or "") or None


def _y_axis(figure: Figure, rows: Rows, field: str) -> alt.Y:
    import altair as alt

    values = [row[k] for row in rows for k in ("value", "low", "high") if row[k] is not None]
    y = alt.Y(f"{field}:Q", title=figure.y_title)
    least, most = min(values), max(values)
    if least > 0 and most / least > _LOG_Y_FROM:
        ticks = log_ticks(least, most)
        y = y.title(f"{figure.y_title}, log scale")
        y = y.scale(type="log", domain=[min(least, ticks[0]), max(most, ticks[-1])], nice=False)
        return y.axis(format=".4~s" if most >= 1e5 else ",.6~g", values=ticks)
    y = y.scale(zero=True)
    return y.axis(format=".4~s") if most >= _SHORTEN_FROM else y


def log_ticks(least: float, most: float) -> list[float]:
    """Return the labels of a log axis around two positive values: 1, 2, 5 of each power of ten.

    Powers of ten alone where those would be many, and few of them over many decades.
    """
    low, high = math.floor(math.log10(least)), math.ceil(math.log10(most))
    steps = (1, 2, 5) if high - low <= 3 else (1,)
    every = max(1, (high - low) // 8)
    ticks = [step * 10.0**power for power in range(low, high + 1, every) for step in steps]
    first = max((at for at, tick in enumerate(ticks) if tick <= least), default=0)
    last = next((at for at, tick in enumerate(ticks) if tick >= most), len(ticks) - 1)
    # 10.0**-1 * 2 and its like end in digits that no axis should show
    return [float(f"{tick:.3g}") for tick in ticks[first : last + 1]]


def tooltip(figure: Figure, rows: Rows) -> list[alt.Tooltip]:
    """Return what a mark tells when it is pointed at."""
    import altair as alt

    own = next((name for name in _SPREADS if name in rows[0]), "spread")
    count = "points" if "points" in rows[0] else "repetitions"
    return [
        alt.Tooltip("series:N", title="line"),
        alt.Tooltip("bin:N" if "bin" in rows[0] else "x:N", title=_x_name(figure)),
        alt.Tooltip("shown:N", title=figure.subject),
        alt.Tooltip(f"{own}:N", title=_SPREADS.get(own, "95 % interval")),
        alt.Tooltip("points:Q" if count == "points" else "n:Q", title=count),
        alt.Tooltip("verdict:N"),
    ]


def _x_name(figure: Figure) -> str:
    return (figure.x or "point").replace("_", " ")
