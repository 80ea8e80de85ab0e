"""Decisions that every kind can take from its metrics: which point is best, and how surely.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from specc.kinds import sentences
from specc.kinds.base import Decision
from specc.model import Json

BEST_POINT = "best_operating_point"
_MOST_NAMED = 3


def best_point(
    summary: Mapping[str, Json],
    metrics: Sequence[Mapping[str, Json]],
    *,
    key: str = BEST_POINT,
    label: str = "Best operating point",
) -> Decision:
    """Return the best point by the first of some metrics that has a value and a better side."""
    for metric in metrics:
        cells = sentences.with_value(summary, metric["name"])
        if cells and metric["better"] != "none":
            return _best(summary, metric, cells, key=key, label=label)
    why = "no point has a value of a metric of which more or less is better"
    return missing(key, label, why)


def missing(key: str, label: str, why: str) -> Decision:
    """Return a decision that can't be taken, with its reason."""
    return Decision(key=key, label=label, text=None, interval=None, verdict=None, why=why, cells=())


def interval_of(metric: Mapping[str, Json], value: Mapping[str, Json]) -> str | None:
    """Return an interval with the repetitions behind it: "11.9 to 12.8 ms, n = 5"."""
    if value.get("low") is None or value.get("high") is None:
        return None
    low, high = (sentences.quantity(value[side], metric["unit"]) for side in ("low", "high"))
    spread = "no visible spread" if low == high else f"{_bare(low, high)} to {high}"
    return f"{spread}, n = {value['n']}" if value.get("n") is not None else spread


def _bare(low: str, high: str) -> str:
    """Return a quantity without its unit where the next one repeats it."""
    number, _, unit = low.rpartition(" ")
    return number if number and high.endswith(f" {unit}") else low


def _best(
    summary: Mapping[str, Json],
    metric: Mapping[str, Json],
    cells: Sequence[Mapping[str, Json]],
    *,
    key: str,
    label: str,
) -> Decision:
    name = metric["name"]
    ordered = sorted(
        cells,
        key=lambda cell: cell["metrics"][name]["value"],
        reverse=metric["better"] == "higher",
    )
    best = ordered[0]
    value = best["metrics"][name]
    shown = sentences.quantity(value["value"], metric["unit"])
    where = sentences.place(summary, best)
    return Decision(
        key=key,
        label=label,
        text=f"{where}: {shown}" if len(cells) > 1 else shown,
        interval=interval_of(metric, value),
        verdict=value["verdict"],
        why=f"{metric['label']}, {metric['better']} is better. {_ranking(summary, name, ordered)}",
        cells=(best["cell"],),
        value=value["value"],
        unit=metric["unit"] or None,
    )


def _ranking(
    summary: Mapping[str, Json], metric: str, ordered: Sequence[Mapping[str, Json]]
) -> str:
    """Say whether the data tells the first cell from the others."""
    best, *others = ordered
    if not others:
        return "The only point with a value."
    if any(cell["metrics"][metric]["low"] is None for cell in (best, others[0])):
        return "Without repetitions there is no interval, so its lead may be chance."
    near = [cell for cell in others if not sentences.apart(best, cell, metric)]
    if not near:
        return f"Its 95 % interval overlaps none of the {len(others)} others."
    names = "; ".join(sentences.place(summary, cell) for cell in near[:_MOST_NAMED])
    more = f" and {len(near) - _MOST_NAMED} more" if len(near) > _MOST_NAMED else ""
    return f"These runs can't rank it above {names}{more}: the 95 % intervals overlap."
