"""Draw the plots of a report: what each figure shows of the summary, and its files.

What is drawn is aggregated before: one mark for each cell. `marks.py` makes charts of the rows,
`drawings.py` gives every plot its frame and renders it.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence

from specc.collate.cells import unlike
from specc.kinds.base import Figure, ReportRoom
from specc.kinds.optional import Chart
from specc.kinds.sentences import interval, quantity
from specc.model import Json
from specc.reporting import bins, crowds, marks
from specc.reporting.drawings import Drawing, Drawings, framed, notice, themed_svg_png
from specc.reporting.load_figures import load_drawings
from specc.reporting.percentile_bars import percentile_drawings

_NOTICE = "Not measured: {}."
_MOST_LETTERS = 80


def draw(summary: Mapping[str, Json], room: ReportRoom) -> Drawings:
    """Draw the load curves and every figure of a kind's report as PNG (2x) and SVG, each once."""
    items = (
        *load_drawings(summary),
        *map(_own_drawing, _charts(room, summary)),
        *percentile_drawings(summary),
        *(drawing(figure, summary) for figure in room.figures(summary)),
    )
    files: dict[str, bytes] = {}
    for item in items:
        name = f"plots/{item.figure.name}"
        files[f"{name}.svg"], files[f"{name}.png"] = themed_svg_png(item.document)
    return Drawings(items=items, files=files)


def _charts(room: ReportRoom, summary: Mapping[str, Json]) -> tuple[Chart, ...]:
    found: tuple[Chart, ...] = getattr(room, "charts", lambda _: ())(summary)
    return found


def _own_drawing(chart: Chart) -> Drawing:
    """Return a plot that a kind draws itself, in the frame of all plots."""
    figure = Figure(
        name=chart.name,
        subject=chart.subject,
        title=chart.title,
        metrics=(),
        x=None,
        colour=(),
        log_x=False,
        y_title="",
    )
    if chart.empty is not None:
        return Drawing(
            figure=figure,
            document=notice(chart.subject, chart.empty),
            empty=chart.empty,
            points=0,
            caption=_NOTICE.format(chart.empty),
        )
    document = framed(chart.chart, chart.subject, chart.title)
    return Drawing(
        figure=figure,
        document={**document, "data": {"values": [dict(row) for row in chart.rows]}},
        empty=None,
        points=len(chart.rows),
        caption=chart.caption,
    )


def drawing(figure: Figure, summary: Mapping[str, Json]) -> Drawing:
    """Return the Vega-Lite document of a figure, or of the reason why it has no data."""
    rows = _rows(figure, summary)
    if not rows:
        reason = _why_empty(figure, summary)
        return Drawing(
            figure=figure,
            document=notice(figure.subject, reason),
            empty=reason,
            points=0,
            caption=_NOTICE.format(reason),
        )
    order = list(map(_short, summary["axes"].get(figure.x or "", [])))
    figure, rows, note, caption = _aggregated(figure, rows, order, _unit(figure, summary))
    document = framed(marks.chart(figure, rows, order), figure.subject, figure.title, note=note)
    return Drawing(
        figure=figure,
        document={**document, "data": {"values": rows}},
        empty=None,
        points=len(rows),
        caption=caption,
    )


def _aggregated(
    figure: Figure, rows: Sequence[Mapping[str, Json]], order: Sequence[Json], unit: str
) -> tuple[Figure, list[Json], str, str]:
    """Return what is drawn of the rows: no more marks than can be told apart, note and caption."""
    crowd = crowds.is_crowd(rows)
    lined = crowds.relined(figure, rows) if crowd else (figure, rows)
    if bins.is_dense(lined[1]):
        return bins.binned(*lined, order, unit)
    if crowd:
        figure, made, caption = crowds.folded(figure, rows, unit)
        return figure, made, _doubts(made), caption
    caption = _caption(rows, banded=marks.banded(figure, rows))
    return figure, list(map(_data, rows)), _doubts(rows), caption


def _rows(figure: Figure, summary: Mapping[str, Json]) -> list[dict[str, Json]]:
    """Return one row for each cell that has a value, in matrix order."""
    rows = []
    repeated = _repeated(summary["cells"])
    for cell in summary["cells"]:
        found = _first_value(figure, cell)
        if found is None:
            continue
        metric, note = found
        scaled = {k: _scaled(metric[k], figure.scale) for k in ("value", "low", "high")}
        name = [str(cell["axes"].get(axis, "")) for axis in figure.colour]
        if cell["cell"] in repeated:
            # the same point in several runs or on several conditions: separate lines
            name.append(f"{cell['run_id']} {(cell['condition_id'] or '')[:4]}")
        label = " ".join(name)
        rows.append(
            {
                "parts": name[: len(figure.colour)],
                "x": _short(cell["axes"].get(figure.x)) if figure.x else "all",
                "series": _short((f"{label} ({note})" if label else note) if note else label),
                "n": metric["n"],
                "verdict": metric["verdict"],
                "metric": metric,
                **scaled,
            }
        )
    return rows


def _short(value: Json) -> Json:
    """Return a text that a plot has room for; long ones stay apart by a hash at their end."""
    if not isinstance(value, str) or len(value) <= _MOST_LETTERS:
        return value
    end = hashlib.sha256(value.encode(errors="replace")).hexdigest()[:4]
    return f"{value[: _MOST_LETTERS - 6]}… {end}"


def _data(row: Mapping[str, Json]) -> dict[str, Json]:
    """Return a row as the plot carries it, with the words of its tooltip."""
    metric = row["metric"]
    return {
        **{key: row[key] for key in ("x", "series", "n", "verdict")},
        "shown": quantity(metric["value"], metric["unit"]),
        "spread": interval(metric),
        **{key: row[key] for key in ("value", "low", "high")},
    }


def _unit(figure: Figure, summary: Mapping[str, Json]) -> str:
    names = {name for name, _ in figure.metrics}
    return next((str(m["unit"]) for m in summary["metrics"] if m["name"] in names), "")


def _repeated(cells: Sequence[Mapping[str, Json]]) -> set[str]:
    """Return the cells whose point was measured in several runs, or on several conditions."""
    if len({(cell["bundle_id"], cell["run_id"], cell["condition_id"]) for cell in cells}) < 2:
        return set()
    points = [json.dumps(cell["axes"], sort_keys=True) for cell in cells]
    times = Counter(points)
    return {cell["cell"] for cell, point in zip(cells, points, strict=True) if times[point] > 1}


def _first_value(figure: Figure, cell: Mapping[str, Json]) -> tuple[Mapping[str, Json], str] | None:
    for name, note in figure.metrics:
        metric = cell["metrics"].get(name)
        if metric is not None and metric["value"] is not None:
            return metric, note
    return None


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else value * scale


def _doubts(rows: Sequence[Mapping[str, Json]]) -> str:
    """Return the legend of hollow points: how many have which verdict; empty for none."""
    counts = Counter(row["verdict"] for row in rows if row["verdict"] != marks.FULL)
    if not counts:
        return ""
    told = ", ".join(f"{verdict} ({count})" for verdict, count in counts.most_common())
    return f"Hollow points are not {marks.FULL}: {told}"


def _caption(rows: Sequence[Mapping[str, Json]], *, banded: bool) -> str:
    spreads = sum(row["low"] is not None for row in rows)
    shape = "Bands" if banded else "Bars"
    if not spreads:
        text = "Points: one run each; no interval without repetitions."
    elif spreads < len(rows):
        text = f"Points: centre of the repetitions. {shape}: 95 % interval over them, where there "
        text += "are at least two."
    else:
        text = f"Points: centre of the repetitions. {shape}: 95 % interval over them."
    return f"{text} {doubts}." if (doubts := _doubts(rows)) else text


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
