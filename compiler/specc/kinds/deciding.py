"""Decisions that every kind can take from its metrics: which point is best, and how surely.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from specc.kinds import claims, rankings, sentences
from specc.kinds.base import Decision
from specc.model import Json

BEST_POINT = "best_operating_point"


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
    return Decision(key=key, label=label, text=None, why=why)


def interval_of(value: Mapping[str, Json]) -> str | None:
    """Return an interval with the repetitions behind it: "11.9 to 12.8 ms, n = 5"."""
    if value.get("low") is None or value.get("high") is None:
        return None
    low, high = (sentences.quantity(value[side], value["unit"]) for side in ("low", "high"))
    spread = "no visible spread" if low == high else sentences.interval(value)
    return f"{spread}, n = {value['n']}" if value.get("n") is not None else spread


def _best(
    summary: Mapping[str, Json],
    metric: Mapping[str, Json],
    cells: Sequence[Mapping[str, Json]],
    *,
    key: str,
    label: str,
) -> Decision:
    name = metric["name"]
    found = claims.rank(summary, metric)
    best = cells[0] if found is None else found.ordered[0]
    value = best["metrics"][name]
    shown = sentences.quantity(value["value"], metric["unit"])
    where = sentences.place(summary, best)
    return Decision(
        key=key,
        label=label,
        text=f"{where}: {shown}" if len(cells) > 1 else shown,
        interval=interval_of(value),
        verdict=value["verdict"],
        why=f"{metric['label']}, {metric['better']} is better. {_ranking(summary, found, name)}",
        cells=(best["cell"],),
        value=value["value"],
        unit=metric["unit"] or None,
    )


def _ranking(summary: Mapping[str, Json], found: claims.Ranking | None, metric: str) -> str:
    """Say whether the data tells the first point from the others."""
    if found is None:
        return "The only point with a value."
    # where another point alone has one repetition, that one is among the rivals
    if not found.repeated and found.ordered[0]["metrics"][metric]["n"] < 2:
        return "Without repetitions there is no interval, so its lead may be chance."
    others = len(found.ordered) - 1
    if found.best is not None:
        beaten = "the other" if others == 1 else f"each of the {others} others"
        return f"It beats {beaten} by more than chance."
    return f"It is not proven better than {rankings.rivals(summary, found)}."
