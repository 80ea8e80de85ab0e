"""Up to which load an objective is met, answered from intervals, apart from any curve.

Pure. A level meets the objective when the whole interval does, and fails when none of it does. What
gets worse with the load is isotonic: a level is at least as good as those above it, so that one
whose own interval straddles the limit is settled by a higher one that meets it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Op = Literal["le", "lt", "ge", "gt"]
State = Literal["meets", "fails", "unsure", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What one level of load says about the number that has an objective."""

    load: float
    low: float | None
    """95 % interval, like `high`; None when it was not measured or has no interval."""
    high: float | None
    failed: bool = False
    """True when the level fails whatever its number says: too many requests had no answer."""
    lost_runs: bool = False
    """True when runs of the level have no value: what survived can't show that it is met."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Up to which load an objective is met."""

    verdict: Literal["MET", "NOT_MET", "UNDECIDED"]
    """NOT_MET: the lowest level fails. UNDECIDED: no level is shown to meet or to fail it."""
    load: float | None
    """The largest level that meets it, below the first that fails; None unless MET."""
    at_least: bool
    """True when that is the last level: more was not tried."""
    fails_from: float | None
    """The first level that fails; None when none does."""
    unsure: tuple[float, ...]
    """Levels between the answer and the first that fails: their intervals straddle the limit."""
    unknown: tuple[float, ...]
    """The same, of levels without an interval."""
    not_monotone: tuple[float, ...]
    """Levels that meet the objective above one that fails."""
    met_from: float | None = None
    """For what gets better with the load: the least level that meets it with none that fails from
    there up to `load`. None for what gets worse."""


def answer(levels: Sequence[Bounds], op: Op, limit: float, *, worsens: bool = True) -> Answer:
    """Return the largest load that meets an objective. levels: any order, no load twice.

    worsens: False for a quantity that gets better with the load, such as a least throughput: then
    levels that fail below the answer are as they should be.
    """
    ordered = sorted(levels, key=lambda each: each.load)
    states = [(each.load, state(each, op, limit)) for each in ordered]
    fails = [load for load, found in states if found == "fails"]
    meets = [load for load, found in states if found == "meets"]
    first_fail = min(fails, default=None) if worsens else None
    reached = [load for load in meets if first_fail is None or load < first_fail]
    last = ordered[-1].load if ordered else None
    best = max(reached, default=None)
    lowest = states[0][1] if states else "unknown"
    lost = best is None and (lowest == "fails" if worsens else len(fails) == len(states) > 0)
    floor = max((load for load in fails if best is not None and load < best), default=-1.0)
    between = [
        (load, found)
        for load, found in states
        if (best is None or load > best) and (first_fail is None or load < first_fail)
    ]
    return Answer(
        verdict="MET" if best is not None else "NOT_MET" if lost else "UNDECIDED",
        load=best,
        at_least=best is not None and best == last,
        fails_from=min((load for load in fails if best is None or load > best), default=None),
        unsure=tuple(load for load, found in between if found == "unsure"),
        unknown=tuple(load for load, found in between if found == "unknown"),
        not_monotone=tuple(x for x in meets if first_fail is not None and x > first_fail),
        met_from=None if worsens else min((load for load in meets if load > floor), default=None),
    )


def state(level: Bounds, op: Op, limit: float) -> State:
    """Say whether one level meets the limit with its whole interval, or fails with all of it."""
    if level.failed:
        return "fails"
    if level.low is None or level.high is None:
        return "unknown"
    ends = [_meets(end, op, limit) for end in (level.low, level.high)]
    if all(ends):
        return "unknown" if level.lost_runs else "meets"
    return "unsure" if any(ends) else "fails"


def _meets(value: float, op: Op, limit: float) -> bool:
    if op == "le":
        return value <= limit
    if op == "lt":
        return value < limit
    return value >= limit if op == "ge" else value > limit
