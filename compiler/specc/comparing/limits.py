"""Which limits of a spec are judged point by point, and which a load curve answers as a whole.

Pure. Reports, the terminal and JUnit all ask here, so that they tell the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from specc.model import Json


def judged_by_point(summary: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    """Return the limits without the objectives that load curves answer.

    Level by level the highest loads are there to break them.
    """
    answers = [one for _, one in answered_by_curve(summary)]
    return [
        one
        for one in summary.get("gates") or ()
        if one.get("role") != "slo"
        or one.get("relative_to")
        or not any(_same(one, answer) for answer in answers)
    ]


def answered_by_curve(
    summary: Mapping[str, Json],
) -> Iterator[tuple[Mapping[str, Json], Mapping[str, Json]]]:
    """Yield (curve, answer) of each objective that a load curve answers."""
    for curve in summary.get("load") or ():
        for answer in curve["slo"]:
            yield curve, answer


def _same(limit: Mapping[str, Json], answer: Mapping[str, Json]) -> bool:
    """Tell whether both are one objective; without a statistic it is of the curve's own.

    Two that differ only in their points are two: each point is judged against its own.
    """
    if limit.get("statistic") not in (None, answer.get("statistic")):
        return False
    if (limit.get("where") or None) != (answer.get("where") or None):
        return False
    return all(limit[key] == answer[key] for key in ("metric", "op", "limit"))
