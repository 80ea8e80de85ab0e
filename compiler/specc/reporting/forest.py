"""Draw a comparison: the change of every cell with its interval, the mean over cells first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from specc.comparing.say import title
from specc.kinds.sentences import file_name, point
from specc.model import Json
from specc.reporting.drawings import framed, themed_svg_png

MOST_ROWS = 40
"""Cells that are drawn; of more, those that became worst."""
_ROW_PX = 22
_LETTERS = 44
_VERDICTS = ("FAIL", "INCONCLUSIVE", "PASS")
_COLOURS = ("#d55e00", "#7a838c", "#0072b2")
_SHAPES = ("triangle-up", "circle", "square")


def forest_files(comparison: Mapping[str, Json]) -> dict[str, bytes]:
    """Return path -> content of one PNG and one SVG for each gated metric with an interval."""
    files: dict[str, bytes] = {}
    for head in comparison["primaries"]:
        document = forest(head, comparison["rows"])
        if document is not None:
            name = f"plots/{plot_name(head)}"
            files[f"{name}.svg"], files[f"{name}.png"] = themed_svg_png(document)
    return files


def plot_name(head: Mapping[str, Json]) -> str:
    """Return the file name of a metric's plot, without suffix."""
    return f"compare_{file_name(head['metric'])}_{file_name(head['statistic'])}"


def forest(head: Mapping[str, Json], rows: Sequence[Mapping[str, Json]]) -> dict[str, Json] | None:
    """Return the Vega-Lite document of one gated metric; None when no cell has an interval."""
    import altair as alt

    ends = ("low_pct", "high_pct") if head["effect_pct"] is not None else ("low_abs", "high_abs")
    drawn = list(_drawn(head, rows, ends))
    if not drawn:
        return None
    unit = "%" if ends[0] == "low_pct" else "points" if head["unit"] == "%" else head["unit"]
    better = f"{head['better']} is better"
    axis = f"Change of {head['label']} against the baseline [{unit}]; {better}"
    names = [row["name"] for row in drawn]
    colour = alt.Color("verdict:N", title=None, sort=list(_VERDICTS)).scale(
        domain=list(_VERDICTS), range=list(_COLOURS)
    )
    base = alt.Chart(alt.NamedData("rows")).encode(
        y=alt.Y("name:N", sort=names, title=None).axis(labelLimit=320, ticks=False, domain=False),
        color=colour,
    )
    across = alt.X("low:Q", title=axis).scale(zero=True, nice=True)
    bars = base.mark_rule(strokeWidth=2).encode(x=across, x2="high:Q")
    points = base.mark_point(filled=True, size=90, opacity=1).encode(
        x=alt.X("centre:Q", title=axis),
        shape=alt.Shape("verdict:N", title=None, sort=list(_VERDICTS)).scale(
            domain=list(_VERDICTS), range=list(_SHAPES)
        ),
    )
    limits: Any = alt.Chart(alt.InlineData(_limits(head, ends))).mark_rule(strokeDash=[4, 3])
    limits = limits.encode(x=alt.X("at:Q", title=axis), color=alt.value("#7a838c"))
    document = framed(
        alt.layer(limits, bars, points),
        f"Change of {head['label']}",
        title(head).replace(" %", "\u00a0%"),
        note=_note(head, len(drawn), rows),
        height=max(60, _ROW_PX * len(drawn)),
    )
    return {**document, "datasets": {**document.get("datasets", {}), "rows": drawn}}


def _drawn(
    head: Mapping[str, Json], rows: Sequence[Mapping[str, Json]], ends: tuple[str, str]
) -> Iterator[dict[str, Json]]:
    centre = "delta_pct" if ends[0] == "low_pct" else "delta_abs"
    mine = [
        row
        for row in rows
        if (row["metric"], row["statistic"]) == (head["metric"], head["statistic"])
        and row["gated"]
        and row[ends[0]] is not None
    ]
    if head["cells"] > 1 and head[ends[0]] is not None:
        effect = head["effect_pct" if ends[0] == "low_pct" else "effect_abs"]
        yield _row(f"mean over {head['cells']} cells", effect, head, ends)
    worst = sorted(mine, key=lambda row: row[centre], reverse=head["better"] != "higher")
    kept = {id(row) for row in worst[:MOST_ROWS]}
    for row in mine:
        if id(row) in kept:
            yield _row(_short(point(row["axes"])), row[centre], row, ends)


def _row(
    name: str, centre: float, row: Mapping[str, Json], ends: tuple[str, str]
) -> dict[str, Json]:
    low, high = (row[key] for key in ends)
    return {
        "name": name,
        "centre": centre,
        "low": low,
        "high": high,
        "verdict": row["verdict"],
    }


def _limits(head: Mapping[str, Json], ends: tuple[str, str]) -> list[dict[str, Json]]:
    """Return where nothing changed, and what is tolerated, on the side that is worse."""
    if ends[0] == "low_abs" and head["unit"] != "%":
        return [{"at": 0}]
    sign = -1 if head["better"] == "higher" else 1
    return [{"at": at} for at in dict.fromkeys((0, sign * head["alarm"], sign * head["tolerate"]))]


def _note(head: Mapping[str, Json], drawn: int, rows: Sequence[Mapping[str, Json]]) -> str:
    of = sum(row["gated"] and row["metric"] == head["metric"] for row in rows)
    cut = f" The {MOST_ROWS} cells that became worst, of {of}." if of > MOST_ROWS < drawn else ""
    return f"Bars: interval of each. Dashed: no change, and what is tolerated.{cut}"


def _short(text: str) -> str:
    return text if len(text) <= _LETTERS else f"{text[: _LETTERS - 1]}…"
