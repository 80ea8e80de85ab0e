"""Sentences about which point is best, by how much, and how surely.

Pure. A claim is made only where the repetitions prove it, corrected for how many points were
compared; otherwise the sentence says that the data can't tell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from specc.kinds.base import Finding
from specc.kinds.claims import Cell, Ranking, rank, with_value
from specc.kinds.sentences import place, shown, spread, times
from specc.model import Json

_MOST_NAMED = 3
_DOUBTFUL = ("CONTAMINATED", "CLIENT_LIMITED", "NOT_STEADY")


def extremes(summary: Mapping[str, Json], metric: Mapping[str, Json]) -> tuple[Cell, Cell] | None:
    """Return the best and the worst cell (lowest and highest when neither is better)."""
    found = rank(summary, metric)
    return None if found is None else (found.ordered[0], found.ordered[-1])


def headline(summary: Mapping[str, Json], metric: Mapping[str, Json]) -> str | None:
    """Return what a plot of this metric shows, in one line; None without a value.

    A best point is named only where the repetitions prove it.
    """
    found = rank(summary, metric)
    if found is None:
        only = with_value(summary, metric["name"])
        return f"{metric['label']} is {shown(only[0], metric)} at the only point" if only else None
    best, worst = (shown(found.ordered[place], metric) for place in (0, -1))
    label = str(metric["label"])
    if best == worst:
        return f"{label} is {best} at every point"
    word = {"lower": "lowest", "higher": "highest"}.get(metric["better"])
    if word is None:
        return f"{label}: from {best} to {worst}"
    if found.best is None:
        return f"{label}: from {best} to {worst}, no single best point proven"
    return f"{label} is {word} at {place(summary, found.best)}: {best} (worst: {worst})"


def best_and_worst(summary: Mapping[str, Json], metric: Mapping[str, Json]) -> Finding | None:
    """Return a finding on the best and worst point of a metric; None without a value.

    A point is called the best only where the repetitions prove it; see `claims.rank`.
    """
    found = rank(summary, metric)
    if found is None:
        return _only_value(summary, metric)
    best, worst = found.ordered[0], found.ordered[-1]
    name, cells = metric["name"], (best["cell"], worst["cell"])
    if shown(best, metric) == shown(worst, metric):
        text = f"{metric['label']} is {shown(best, metric)} at every point that has a value."
        return Finding(title=str(metric["label"]), text=text, cells=cells)
    low, high = sorted(c["metrics"][name]["value"] for c in (best, worst))
    ratio = high / low if low > 0 else math.inf
    factor = f", a factor of {times(ratio)}" if math.isfinite(ratio) else ""
    first = f"{spread(best, metric)} at {place(summary, best)}"
    last = f"{spread(worst, metric)} at {place(summary, worst)}"
    named = metric["better"] != "none" and found.best is not None
    verb, joint = ("is best with", "and worst with") if named else ("ranges from", "to")
    sure = _how_sure(summary, metric, found)
    text = f"{metric['label']} {verb} {first} {joint} {last}{factor}. {sure}"
    text += _doubts((best, worst), name)
    return Finding(title=str(metric["label"]), text=text, cells=cells)


def _how_sure(summary: Mapping[str, Json], metric: Mapping[str, Json], found: Ranking) -> str:
    """Say which part of a ranking is more than chance; every claim is corrected for its number."""
    count = len(found.ordered)
    if not found.repeated:
        return "Without repetitions there is no interval, so the difference may be chance."
    between = "their difference" if count == 2 else "the difference between these two"
    if not found.apart:
        text = f"{between} may be chance."
    elif count == 2:
        return "Their difference is more than chance."
    else:
        text = f"{between} is more than chance."
    text = text[0].upper() + text[1:]
    if count == 2 or metric["better"] == "none":
        return text
    if found.best is not None:
        return f"It beats each of the {count - 1} others by more than chance."
    if len(found.rivals) == count - 1:
        return f"{text} No point is proven better than another."
    return f"{text} No point is proven the best: {rivals(summary, found)} may be as good."


def rivals(summary: Mapping[str, Json], found: Ranking) -> str:
    """Return the points that may be as good as the first, three of them by name."""
    named = "; ".join(place(summary, cell) for cell in found.rivals[:_MOST_NAMED])
    more = len(found.rivals) - _MOST_NAMED
    return f"{named} and {more} more" if more > 0 else named


def _doubts(cells: Sequence[Cell], metric: str) -> str:
    """Return a warning that names the cells whose number is disturbed or still moving, and whether
    the machine could be what makes the difference.
    """
    doubted = [
        f"{cell['cell']} is {verdict}"
        for cell in cells
        if (verdict := cell["metrics"][metric].get("verdict")) in _DOUBTFUL
    ]
    hosts = [cell.get("hosts") or [] for cell in cells]
    if all(hosts) and not set(hosts[0]).intersection(*hosts[1:]):
        doubted.append(f"they ran on different nodes ({' and '.join(map(', '.join, hosts))})")
    return f" Read with care: {'; '.join(doubted)}." if doubted else ""


def _only_value(summary: Mapping[str, Json], metric: Mapping[str, Json]) -> Finding | None:
    cells = with_value(summary, metric["name"])
    if not cells:
        return None
    where = place(summary, cells[0])
    alone = ", which alone has a value" if len(summary["cells"]) > 1 else ""
    text = f"{metric['label']} is {spread(cells[0], metric)} at {where}{alone}."
    return Finding(title=str(metric["label"]), text=text, cells=(cells[0]["cell"],))
