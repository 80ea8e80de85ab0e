"""Bin what has more points than eyes, or a screen, can hold apart: medians and their spread.

Pure. Nothing is left out silently: title and caption say what was aggregated, and into how many
bins.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np

from specc.analysis.percentiles import percentile
from specc.kinds.axes import axis_title
from specc.kinds.base import Figure
from specc.kinds.sentences import is_number, number, quantity
from specc.model import Json

MOST_POINTS = 500
"""A plot with no more points than this has a mark for each."""
_MOST_PLACES = 100
"""So many places along an axis stand apart; lines over no more of them keep their points."""
_MOST_BINS, _LEAST_BINS, _IN_A_BIN = 200, 20, 20
"""Bins along an axis; as many as leave so many points in each, within these."""
_LOW, _HIGH = 5, 95
_FULL = "VALID"

Rows = Sequence[Mapping[str, Json]]


def is_dense(rows: Rows) -> bool:
    """Tell whether lines have more points, and places along the axis, than can be told apart."""
    marks = {(row["series"], str(row["x"])) for row in rows} if len(rows) > MOST_POINTS else set()
    return len(marks) > MOST_POINTS and len({x for _, x in marks}) > _MOST_PLACES


def binned(
    figure: Figure, rows: Rows, order: Sequence[Json], unit: str
) -> tuple[Figure, list[Json], str, str]:
    """Return the figure, a row for each bin of each line, the note under its title, the caption.

    order: values of the x axis in the order of the matrix; where they are no numbers, their places
    in it are the axis.   unit: of the metric.
    """
    if not all(is_number(row["x"]) for row in rows):
        places = {str(value): place for place, value in enumerate(order, start=1)}
        rows = [{**row, "x": places[str(row["x"])]} for row in rows]
        title = axis_title(figure.x or "") or "points"
        words = f"{figure.x_title or title}: place among its {len(order):,} values"
        figure = replace(figure, x_title=words, log_x=False)
    lines = Counter(row["series"] for row in rows)
    count = max(_LEAST_BINS, min(_MOST_BINS, max(lines.values()) // _IN_A_BIN))
    bin_of = _bins(figure, rows, count)
    at = {series: place for place, series in enumerate(lines)}
    ordered = sorted(rows, key=lambda row: (at[row["series"]], row["x"]))
    groups = groupby(ordered, key=lambda row: (at[row["series"]], bin_of(row["x"])))
    made = [_row(list(members), unit, figure.scale) for _, members in groups]
    bins = max(Counter(row["series"] for row in made).values())
    each = " a line" if len(lines) > 1 else ""
    note = f"{len(rows):,} points in {bins} bins{each}: median, {_LOW}th to {_HIGH}th percentile."
    note += _doubts(rows)
    caption = (
        f"{note} Lines: the median of each bin; bands: the two percentiles. What lies outside a"
        " band is not drawn; each point stands in tables/cells.csv."
    )
    return replace(figure, spread="band"), made, note, caption


def _bins(figure: Figure, rows: Rows, count: int) -> Callable[[float], int]:
    """Return what gives the number of a value's bin: of equal width as the axis shows it."""
    values = [row["x"] for row in rows]
    scale = math.log if figure.log_x and min(values) > 0 else float
    low, high = scale(min(values)), scale(max(values))
    width = (high - low) / count
    return lambda x: min(count - 1, int((scale(x) - low) / width))


def _row(members: Rows, unit: str, scale: float) -> dict[str, Json]:
    values = np.sort(np.array([row["value"] for row in members], dtype=np.float64))
    low, middle, high = (percentile(values, level) for level in (_LOW, 50, _HIGH))
    places = [row["x"] for row in members]
    verdicts = Counter(row["verdict"] for row in members)
    one = len(members) == 1
    return {
        "x": statistics.median_low(places),
        "series": members[0]["series"],
        "bin": " to ".join(map(number, sorted({min(places), max(places)}))),
        "points": len(members),
        "verdict": verdicts.most_common(1)[0][0],
        "shown": quantity(middle / scale, unit),
        "band": " to ".join(quantity(each / scale, unit) for each in (low, high)),
        "value": middle,
        "low": None if one else low,
        "high": None if one else high,
    }


def _doubts(rows: Rows) -> str:
    """Return how many points have which verdict, where some are not valid."""
    counts = Counter(row["verdict"] for row in rows if row["verdict"] != _FULL)
    told = ", ".join(f"{verdict}: {count:,}" for verdict, count in counts.most_common())
    return f" {told}." if told else ""
