"""What can be wrong with the axis of the load curves. Pure; yields Problems.

Which metrics there are only a kind knows: its plan room checks them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from specc.language.suggest import did_you_mean
from specc.matrix.points import Axis, axes_of
from specc.model import Document, Json
from specc.problems import Problem, error, warning

LEAST_LEVELS = 5
"""Fewer points leave a curve with a corner too little to be told from one without."""


def check_load(data: Mapping[str, Json], document: Document) -> Iterator[Problem]:
    """Yield a load axis that does not exist, holds no loads, or has too few for a knee."""
    load = (data.get("analysis") or {}).get("load")
    if not load:
        return
    mark, path = document.mark("analysis", "load", "axis"), "analysis.load.axis"
    axes = {axis.name: axis for axis in axes_of(data)}
    axis = axes.get(load["axis"])
    if axis is None:
        message = f"there is no axis '{load['axis']}' to be the load"
        hint = did_you_mean(load["axis"], axes, noun="axes")
        yield error("E241", message, mark=mark, path=path, hint=hint)
    elif (wrong := _no_load(axis)) is not None:
        message = f"axis '{axis.name}' is no load: {wrong}"
        hint = "loads are numbers above 0, such as [1, 2, 4, 8, 16, 32]"
        yield error("E241", message, mark=mark, path=path, hint=hint)
    elif axis.count < LEAST_LEVELS:
        yield warning(
            "W241",
            f"{axis.count} levels of '{axis.name}': a knee is looked for from {LEAST_LEVELS} on",
            mark=mark,
            path=path,
            hint="add levels, best by factors of two",
        )


def _no_load(axis: Axis) -> str | None:
    """Return what speaks against the values of an axis as loads; None when nothing does."""
    if axis.named_points:
        return "its values are names of points"
    for value in axis.values:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"{value!r} is not a number"
        if value <= 0:
            return f"{value} is not above 0"
    return None
