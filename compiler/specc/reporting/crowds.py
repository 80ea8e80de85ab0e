"""Fold more lines than a plot can show: medians over the axes that have too many values.

Pure. Nothing is left out silently: the range of what was folded is drawn, and the caption says so.
"""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from specc.kinds.base import Figure
from specc.kinds.sentences import quantity
from specc.model import Json

MOST_LINES = 12
_FULL = "VALID"

Rows = Sequence[Mapping[str, Json]]


def is_crowd(rows: Rows) -> bool:
    """Tell whether there are more lines than colours, shapes and eyes can hold apart."""
    return len({row["series"] for row in rows}) > MOST_LINES


def folded(figure: Figure, rows: Rows, unit: str) -> tuple[Figure, list[Json], str]:
    """Return the figure with the axis that stays as lines, a row for each x of them, the caption.

    rows: each with `parts`, its values of the figure's colour axes.   unit: of the metric.
    """
    axes = figure.colour
    figure, rows = relined(figure, rows)
    groups: dict[str, list[Mapping[str, Json]]] = {}
    for row in rows:
        groups.setdefault(json.dumps([row["series"], row["x"]]), []).append(row)
    made = [_row(key, members, unit, figure.scale) for key, members in groups.items()]
    others = [axis.replace("_", " ") for axis in axes if axis not in figure.colour]
    most = max(map(len, groups.values()))
    caption = (
        f"Points: median over {', '.join(others) or 'runs'}, of up to {most} points of the matrix "
        "each; bands or bars: from the least to the greatest of them. Each point stands in "
        "tables/cells.csv."
    )
    return figure, made, caption


def relined(figure: Figure, rows: Rows) -> tuple[Figure, list[Mapping[str, Json]]]:
    """Return the figure with the axis that stays as lines, and each row with its line of those."""
    kept = _kept_axis(rows, figure.colour)
    if kept is None:
        return replace(figure, colour=()), [{**row, "series": ""} for row in rows]
    colour = (figure.colour[kept],)
    return replace(figure, colour=colour), [{**row, "series": row["parts"][kept]} for row in rows]


def _kept_axis(rows: Rows, axes: Sequence[str]) -> int | None:
    """Return the axis that stays as lines: the first with as many values as can be shown."""
    for at in range(len(axes)):
        if 1 < len({row["parts"][at] for row in rows}) <= MOST_LINES:
            return at
    return None


def _row(key: str, members: Rows, unit: str, scale: float) -> dict[str, Json]:
    name, x = json.loads(key)
    values = [row["value"] for row in members]
    low, middle, high = min(values), statistics.median(values), max(values)
    verdicts = Counter(row["verdict"] for row in members if row["verdict"] != _FULL)
    one = len(members) == 1
    return {
        "x": x,
        "series": name,
        "n": sum(row["n"] for row in members),
        "verdict": verdicts.most_common(1)[0][0] if verdicts else _FULL,
        "shown": quantity(middle / scale, unit),
        "range": " to ".join(quantity(each / scale, unit) for each in (low, high)),
        "value": middle,
        "low": None if one else low,
        "high": None if one else high,
    }
