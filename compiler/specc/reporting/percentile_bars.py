"""Draw the latency percentiles of a load curve as bars: how far the tail is from the median.

Pure: reads `load` and the cells of the summary. A few levels of load, a few bars at each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from specc.collate.curves.load_points import doubted
from specc.collate.curves.load_words import care
from specc.kinds.axes import axis_title
from specc.kinds.base import Figure
from specc.kinds.sentences import file_name, interval, number, plot_unit, quantity
from specc.model import Json
from specc.reporting import marks
from specc.reporting.drawings import Drawing, framed
from specc.reporting.sections.load_answers import axis_name, curve_name, metric_of

NAMES = ("p50", "p90", "p95", "p99")
MOST_LEVELS = 6
"""More groups of bars than these can't be read; the table of percentiles has every level."""
MOST_CURVES = 3
_POOLED = "pooled"
_Row = dict[str, Json]


def percentile_drawings(summary: Mapping[str, Json]) -> tuple[Drawing, ...]:
    """Return one plot for each load curve whose latency has percentiles."""
    found = (_drawing(curve, summary) for curve in (summary.get("load") or [])[:MOST_CURVES])
    return tuple(one for one in found if one is not None)


def _drawing(curve: Mapping[str, Json], summary: Mapping[str, Json]) -> Drawing | None:
    if curve["latency"] is None:
        return None
    metric = {"name": curve["latency"], **metric_of(summary, curve["latency"])}
    unit, scale = plot_unit(summary, metric)
    cells = {cell["cell"]: cell for cell in summary["cells"]}
    every = [
        row
        for level in curve["points"]
        for row in _bars(level, cells[level["cell"]]["metrics"].get(metric["name"]), scale)
    ]
    if len({row["series"] for row in every}) < 2:
        return None
    finding = _finding(curve, metric, every)
    levels = _spread(curve["points"])
    shown = {number(level["level"]) for level in levels}
    rows = [row for row in every if row["x"] in shown]
    name = curve_name(curve, summary)
    figure = Figure(
        name=file_name(f"load_percentiles_{curve['curve']}"),
        subject="Latency percentiles",
        title=f"{name}: {finding}" if name else finding,
        metrics=((metric["name"], ""),),
        x=curve["axis"],
        colour=(),
        log_x=False,
        y_title=f"{metric['label']} [{unit}]" if unit else str(metric["label"]),
        scale=scale,
        spread="bars",
    )
    warning = care([(one["level"], one["verdict"]) for one in levels if doubted(one["verdict"])])
    document = _document(figure, rows, warning.removesuffix("."))
    return Drawing(
        figure=figure,
        document=document,
        empty=None,
        points=len(rows),
        caption=_caption(rows, shown=len(levels), of=len(curve["points"])),
    )


def _spread(points: Sequence[Mapping[str, Json]]) -> list[Mapping[str, Json]]:
    """Return at most MOST_LEVELS levels: the first, the last, and others evenly between them."""
    if len(points) <= MOST_LEVELS:
        return list(points)
    last = len(points) - 1
    return [points[round(place * last / (MOST_LEVELS - 1))] for place in range(MOST_LEVELS)]


def _bars(level: Mapping[str, Json], metric: Mapping[str, Json] | None, scale: float) -> list[_Row]:
    """Return a row for each percentile: over the repetitions, or else pooled over them."""
    if metric is None:
        return []
    rows = []
    for name in NAMES:
        found = (metric.get("statistics") or {}).get(name) or {}
        pooled = found.get("value") is None
        if pooled:
            value = (metric.get("distribution") or {}).get(name)
            found = {"value": value, "low": None, "high": None, "n": metric["n"]}
        if found["value"] is None:
            continue
        rows.append(
            {
                "x": number(level["level"]),
                "series": name,
                "n": found["n"],
                "verdict": level["verdict"],
                "shown": quantity(found["value"], metric["unit"]),
                "spread": _POOLED if pooled else interval({**found, "unit": metric["unit"]}),
                **{
                    key: None if found[key] is None else found[key] * scale
                    for key in ("value", "low", "high")
                },
            }
        )
    return rows


def _finding(
    curve: Mapping[str, Json], metric: Mapping[str, Json], rows: Sequence[Mapping[str, Json]]
) -> str:
    """Return how far the tail lies from the median, where it lies farthest."""
    groups: dict[str, dict[str, float]] = {}
    for row in rows:
        groups.setdefault(row["x"], {})[row["series"]] = row["value"]
    whole = {x: found for x, found in groups.items() if "p50" in found and len(found) > 1}
    if not whole or any(found["p50"] <= 0 for found in whole.values()):
        return f"Percentiles of {metric['label']} over the load"
    tail = max(next(reversed(found)) for found in whole.values())
    ratios = {x: found[tail] / found["p50"] for x, found in whole.items() if tail in found}
    farthest = max(ratios, key=lambda x: ratios[x])
    most = "at most " if len(ratios) > 1 else ""
    return (
        f"{tail} of {metric['label']} is {most}{ratios[farthest]:.2g} times its median,"
        f" at {axis_name(curve)} {farthest}"
    )


def _document(figure: Figure, rows: Sequence[_Row], note: str) -> dict[str, Json]:
    import altair as alt

    order = list(dict.fromkeys(row["x"] for row in rows))
    names = [name for name in NAMES if any(row["series"] == name for row in rows)]
    y = alt.Y("value:Q", title=figure.y_title)
    base = alt.Chart(alt.NamedData("rows")).encode(
        x=alt.X("x:N", sort=order, title=axis_title(figure.x or "")).axis(labelAngle=0),
        xOffset=alt.XOffset("series:N").sort(names),
    )
    bars = base.mark_bar().encode(
        y=y.scale(zero=True),
        color=alt.Color("series:N", sort=names, title=None).scale(domain=names),
        opacity=alt.condition(f"datum.spread === '{_POOLED}'", alt.value(0.55), alt.value(1)),
        tooltip=marks.tooltip(figure, rows),
    )
    spread = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=1.5)
    document = framed(
        alt.layer(bars, spread.encode(y=alt.Y("low:Q", title=figure.y_title), y2="high:Q")),
        figure.subject,
        figure.title,
        note=note,
    )
    return {**document, "data": {"values": rows}}


def _caption(rows: Sequence[Mapping[str, Json]], *, shown: int, of: int) -> str:
    parts = ["Bars: centre of each repetition's percentile. Lines: 95 % interval over them."]
    if any(row["spread"] == _POOLED for row in rows):
        parts.append(
            "Faint: pooled over the repetitions, which are too short for one each; no interval."
        )
    if len({row["x"] for row in rows}) * len(NAMES) > len(rows):
        parts.append("A bar that is not there has too few samples.")
    if shown < of:
        parts.append(f"{shown} of {of} levels; the table of percentiles has all of them.")
    return " ".join(parts)
