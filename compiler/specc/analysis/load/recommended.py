"""The range of loads to operate in: enough throughput, below the knee, within the objectives.

Pure. The range starts where the curve reaches a good part of its highest throughput, and ends at
the lower bound of the knee or at the largest load that meets every objective.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from specc.analysis.load.knee import Knee

ENOUGH = 0.8
"""Share of the highest throughput that the range starts at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Loads to operate at."""

    low: float
    high: float
    bound: Literal["below", "at", "objective"]
    """What ends it: below the knee, at it, or the largest load within every objective."""


def recommended(
    points: Sequence[tuple[float, float]],
    knee: Knee,
    answers: Sequence[float | None],
    floors: Sequence[float] = (),
) -> tuple[Range | None, str | None]:
    """Return the range, or None and why there is none.

    points: (load, throughput) of every level, any order.
    answers: largest load that meets each objective; None where it is not met or undecided.
    floors: least load that meets each objective which is met from some load on.
    """
    if not points:
        return None, "no level has a throughput"
    if None in answers:
        return None, "an objective is not shown to be met at any load"
    allowed = min((load for load in answers if load is not None), default=math.inf)
    found = knee.low if knee.verdict == "FOUND" and knee.low is not None else math.inf
    high = min(allowed, found)
    if math.isinf(high):
        return None, "there is neither a knee nor an objective that would end it"
    ordered = sorted(points)
    most = max(rate for load, rate in ordered if load <= high or load == ordered[0][0])
    if knee.fitted is not None:
        most = max(most, min(knee.fitted.throughput(high), max(rate for _, rate in ordered)))
    floor = max(floors, default=0.0)
    if floor > high:
        return None, f"an objective is met from {floor:g} on only, which is above {high:.3g}"
    low = max(min(_reaches(ordered, ENOUGH * most, knee), high), floor)
    bound: Literal["below", "at", "objective"] = "below" if found < allowed else "objective"
    if all(load.is_integer() for load, _ in ordered):
        up, down = float(math.ceil(low - 1e-9)), float(math.floor(high + 1e-9))
        if up > down and knee.high is not None and up <= min(knee.high, allowed):
            # one request less in flight would cost more than the knee's interval is worth
            return Range(low=up, high=up, bound="at"), None
        low, high = (up, down) if up <= down else (max(down, 1.0), max(down, 1.0))
    return Range(low=low, high=high, bound=bound), None


def _reaches(ordered: Sequence[tuple[float, float]], wanted: float, knee: Knee) -> float:
    """Return the least load with a throughput: by the fitted curve, else the first level."""
    level = next((load for load, rate in ordered if rate >= wanted), ordered[-1][0])
    if knee.fitted is None:
        return level
    low, high = ordered[0][0], level
    if knee.fitted.throughput(low) >= wanted:
        return low
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if knee.fitted.throughput(middle) >= wanted else (middle, high)
    return high
