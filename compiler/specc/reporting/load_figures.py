"""Draw load curves: throughput over load with its knee, the tail over load with its objectives.

Pure: reads `load` of the summary. The marks are those of every other plot; what is known of the
curve is laid beneath and above them: the knee with its interval, the range to operate in, limits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from specc.kinds.axes import is_geometric
from specc.kinds.base import Figure
from specc.kinds.sentences import (
    file_name,
    interval,
    number,
    plot_unit,
    quantity,
)
from specc.model import Json
from specc.reporting import marks
from specc.reporting.drawings import Drawing, framed, notice
from specc.reporting.load_layers import lay
from specc.reporting.sections.load_answers import curve_name

MOST_CURVES = 8
"""Curves beyond these are in the tables only."""
_FAR = 5.0
"""A limit beyond this factor of all values would press the curve flat: it is told, not drawn."""
_LEFT_OUT = "left out of the curve"
_Row = dict[str, Json]


@dataclass(frozen=True, slots=True)
class _Plot:
    """One plot of a curve before it is drawn."""

    curve: Mapping[str, Json]
    figure: Figure
    rows: Sequence[_Row]
    unit: str
    scale: float
    """From the metric's unit to `unit`."""
    limits: tuple[float, ...]
    """Objectives' limits, in the plot's unit."""
    fit: Sequence[Mapping[str, float]]
    note: str
    rises: bool
    """Whether it rises from the first levels on, as throughput does and a tail doesn't."""
    empty: str


def load_drawings(summary: Mapping[str, Json]) -> tuple[Drawing, ...]:
    """Return two plots for each load curve; none for a study without any."""
    curves = (summary.get("load") or [])[:MOST_CURVES]
    return tuple(_drawing(plot) for curve in curves for plot in _plots(curve, summary))


def _plots(curve: Mapping[str, Json], summary: Mapping[str, Json]) -> Iterator[_Plot]:
    yield _throughput(curve, summary)
    if curve["latency"] is not None:
        yield _tail(curve, summary)


def _throughput(curve: Mapping[str, Json], summary: Mapping[str, Json]) -> _Plot:
    metric = _metric(summary, curve["throughput"])
    unit, scale = plot_unit(summary, metric)
    knee = curve["knee"]
    model = {"hinge": "a hard limit", "usl": "the universal scalability law"}.get(knee["model"])
    return _Plot(
        curve=curve,
        figure=_figure(
            curve,
            "throughput",
            subject="Throughput over load",
            title=_of(curve, summary, _sentence(knee["text"])),
            metric=metric["name"],
            y_title=f"{metric['label']} [{unit}]" if unit else str(metric["label"]),
            scale=scale,
        ),
        rows=_rows(curve, summary, "throughput", str(metric["unit"]), scale),
        unit=unit,
        scale=scale,
        limits=_limits(curve, metric["name"], None, scale),
        fit=knee.get("fit") or (),
        note=f"Dashed: the fitted curve of {model}" if model else "",
        rises=True,
        empty="no level of load has a throughput",
    )


def _tail(curve: Mapping[str, Json], summary: Mapping[str, Json]) -> _Plot:
    metric = _metric(summary, curve["latency"])
    unit, scale = plot_unit(summary, metric)
    statistic = curve["latency_statistic"]
    what = f"{statistic} of {metric['label']}"
    answers = [each for each in curve["slo"] if each["metric"] == metric["name"]]
    title = _sentence(answers[0]["text"]) if answers else f"{what} over the load"
    reasons = dict.fromkeys(each["tail"]["reason"] for each in curve["points"])
    return _Plot(
        curve=curve,
        figure=_figure(
            curve,
            "tail",
            subject="Tail latency over load",
            title=_of(curve, summary, title),
            metric=metric["name"],
            y_title=f"{what} [{unit}]" if unit else what,
            scale=scale,
        ),
        rows=_rows(curve, summary, "tail", str(metric["unit"]), scale),
        unit=unit,
        scale=scale,
        limits=_limits(curve, metric["name"], statistic, scale),
        fit=(),
        note="",
        rises=False,
        empty="; ".join(filter(None, reasons)) or "no level of load has one",
    )


def _figure(
    curve: Mapping[str, Json],
    name: str,
    *,
    subject: str,
    title: str,
    metric: str,
    y_title: str,
    scale: float,
) -> Figure:
    return Figure(
        name=file_name(f"load_{name}_{curve['curve']}"),
        subject=subject,
        title=title,
        metrics=((metric, ""),),
        x=curve["axis"],
        colour=(),
        log_x=is_geometric([each["level"] for each in curve["points"]]),
        y_title=y_title,
        scale=scale,
        spread="bars",
    )


def _rows(
    curve: Mapping[str, Json], summary: Mapping[str, Json], key: str, unit: str, scale: float
) -> list[_Row]:
    """Return a row for each level that has the number, as the marks of every plot want it."""
    runs = {each["cell"]: each["repetitions"]["completed"] for each in summary["cells"]}
    return [
        {
            "x": each["level"],
            "series": "",
            "n": runs.get(each["cell"]),
            # a point that the curve leaves out is drawn hollow
            "verdict": _LEFT_OUT if each["unfit"] else each["verdict"],
            "shown": quantity(each[key]["value"], unit),
            "spread": interval({**each[key], "unit": unit}),
            **{k: _scaled(each[key][k], scale) for k in ("value", "low", "high")},
        }
        for each in curve["points"]
        if each[key]["value"] is not None
    ]


def _limits(
    curve: Mapping[str, Json], metric: str, statistic: str | None, scale: float
) -> tuple[float, ...]:
    """Return the limits of objectives on what is drawn."""
    same = (statistic, None) if statistic in (None, "mean") else (statistic,)
    found = (
        each["limit"] * scale
        for each in curve["slo"]
        if each["metric"] == metric and each["statistic"] in same
    )
    return tuple(dict.fromkeys(found))


def _drawing(plot: _Plot) -> Drawing:
    if not plot.rows:
        return Drawing(
            figure=plot.figure,
            document=notice(plot.figure.subject, plot.empty),
            empty=plot.empty,
            points=0,
            caption=f"Not measured: {plot.empty}.",
        )
    order = [each["level"] for each in plot.curve["points"]]
    shown, far = _in_sight(plot)
    document = framed(
        marks.chart(plot.figure, plot.rows, order),
        plot.figure.subject,
        plot.figure.title,
        note=". ".join(filter(None, (_hollow(plot.rows), plot.note, *far))),
    )
    document = {**document, "data": {"values": [dict(row) for row in plot.rows]}}
    fit = [{"x": each["load"], "value": each["throughput"] * plot.scale} for each in plot.fit]
    lay(document, plot.curve, limits=shown, fit=fit, rises_late=not plot.rises)
    caption = "Points: centre of the repetitions. Bars: 95 % interval over them."
    return Drawing(
        figure=plot.figure,
        document=document,
        empty=None,
        points=len(plot.rows),
        caption=" ".join(filter(None, (caption, _told(plot)))),
    )


def _in_sight(plot: _Plot) -> tuple[list[tuple[float, str]], list[str]]:
    """Return the limits to draw with their words, and words for those too far away."""
    most = max(row[key] for row in plot.rows for key in ("value", "high") if row[key] is not None)
    shown, far = [], []
    for limit in plot.limits:
        words = quantity(limit, plot.unit)
        if limit <= _FAR * most:
            shown.append((limit, f"limit {words}"))
        else:
            far.append(f"The limit of {words} lies far above")
    return shown, far


def _told(plot: _Plot) -> str:
    """Return the words for what is shaded, for those who don't see it."""
    knee, advised = plot.curve["knee"], plot.curve["recommended"]
    parts = []
    if knee["verdict"] == "FOUND":
        spread = f"{number(knee['low'])} to {number(knee['high'])}"
        parts.append(f"Orange: the knee's 95 % interval, {spread}.")
    if advised is not None:
        low, high = number(advised["low"]), number(advised["high"])
        one = f"Dashed green line: the recommended load, {low}."
        parts.append(one if low == high else f"Green: the recommended range, {low} to {high}.")
    return " ".join(parts)


def _hollow(rows: Sequence[Mapping[str, Json]]) -> str:
    """Return what hollow points are; empty when all are full."""
    counts = Counter(row["verdict"] for row in rows if row["verdict"] != marks.FULL)
    told = ", ".join(f"{verdict} ({count})" for verdict, count in counts.items())
    return f"Hollow points: {told}" if told else ""


def _of(curve: Mapping[str, Json], summary: Mapping[str, Json], text: str) -> str:
    """Return a text with what tells the curve from the others before it."""
    name = curve_name(curve, summary)
    return f"{name}: {text}" if name else text


def _sentence(text: str) -> str:
    """Return the first sentence of a text, without its full stop."""
    return text.partition(". ")[0].removesuffix(".")


def _metric(summary: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    unknown = {"name": name, "label": name, "unit": ""}
    return next((each for each in summary["metrics"] if each["name"] == name), unknown)


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else value * scale
