"""Draw points over the runs of a study: value and interval of each run, the change of level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from specc.kinds.sentences import file_name, point
from specc.model import Json
from specc.reporting.drawings import framed, themed_svg_png

MOST_PLOTS = 6
_MOST_LABELS = 24
_COLOUR = "#0072b2"
_MARKED = "#d55e00"


def series_files(summary: Mapping[str, Json]) -> dict[str, bytes]:
    """Return path -> content of the plots of a study's series, at most MOST_PLOTS of each kind.

    Those with a change or a trend come first, then those of the most important metric.
    """
    told = [one for one in summary.get("series") or () if one["change_point"] or one["trend"]]
    quiet = [one for one in summary.get("series") or () if one not in told]
    files: dict[str, bytes] = {}
    for number, one in enumerate([*told, *quiet][:MOST_PLOTS], start=1):
        name = f"plots/series_{number}_{file_name(one['metric'])}"
        files[f"{name}.svg"], files[f"{name}.png"] = themed_svg_png(series_chart(one))
    return files


def series_chart(one: Mapping[str, Json]) -> dict[str, Json]:
    """Return the Vega-Lite document of one entry of summary["series"]."""
    import altair as alt

    rows = _rows(one["runs"])
    names = [row["run"] for row in rows]
    unit = f" [{one['unit']}]" if one["unit"] not in ("", "1") else ""
    labels = names if len(names) <= _MOST_LABELS else names[:: len(names) // _MOST_LABELS + 1]
    y = alt.Y("value:Q", title=f"{one['label']}{unit}").scale(zero=False)
    x = alt.X("run:N", sort=names, title="run").axis(
        values=labels, labelAngle=0, labelAlign="center"
    )
    base = alt.Chart(alt.NamedData("rows")).encode(x=x)
    ends = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=1.5, color=_COLOUR)
    layers: list[Any] = [
        *_levels(one, names),
        ends.encode(y=alt.Y("low:Q", title=f"{one['label']}{unit}"), y2="high:Q"),
        base.mark_point(filled=True, size=70, opacity=1, color=_COLOUR).encode(y=y),
    ]
    document = framed(
        alt.layer(*layers),
        f"{one['label']} over runs",
        f"{one['label']}, {point(one['axes'])}: {one['text']}".replace(" %", "\u00a0%"),
        note=f"Bars: 95 % interval of each run. {one['better'].capitalize()} is better.",
    )
    return {**document, "datasets": {**document.get("datasets", {}), "rows": rows}}


def _rows(runs: Sequence[Mapping[str, Json]]) -> list[dict[str, Json]]:
    bundles = {run["bundle_id"] for run in runs}
    return [
        {
            "run": run["run_id"]
            if len(bundles) == 1
            else f"{run['bundle_id'][-12:]} {run['run_id']}",
            "value": run["value"],
            "low": run["low"],
            "high": run["high"],
        }
        for run in runs
        if run["value"] is not None
    ]


def _levels(one: Mapping[str, Json], names: Sequence[str]) -> list[Any]:
    """Return the two levels beside a change point, as dashed lines that end at it."""
    import altair as alt

    change = one["change_point"]
    if change is None:
        return []
    cells = [run["cell"] for run in one["runs"] if run["value"] is not None]
    place = cells.index(change["cell"])
    rows = [
        {"run": name, "level": change["before" if k < place else "after"], "part": k >= place}
        for k, name in enumerate(names)
    ]
    lines = alt.Chart(alt.InlineData(rows)).encode(
        x=alt.X("run:N", sort=list(names), title="run"),
        y=alt.Y("level:Q").scale(zero=False),
        detail="part:N",
    )
    mark = alt.Chart(alt.InlineData([{"run": names[place]}])).encode(
        x=alt.X("run:N", sort=list(names), title="run")
    )
    return [
        mark.mark_rule(color=_MARKED, strokeDash=[5, 3]),
        lines.mark_line(strokeDash=[5, 3], color=_MARKED),
    ]
