"""Where throughput stops growing with the load: found with an interval, not reached, or refused.

Pure. First, without a model, whether the last levels still gain; only where they don't is a curve
fitted: a hinge (hard limit) and the universal scalability law (a peak), of which the one with the
smaller AICc is believed. The knee is the hinge's corner, or the law's peak.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal

from specc.analysis.load.curve import Curve, curve
from specc.analysis.load.growth import Growth, last_growth
from specc.analysis.load.hinge import Hinge, fit_hinge
from specc.analysis.load.usl import Usl, fit_usl, peak_interval
from specc.analysis.signs import percent

LEVEL = 0.95
LEAST_LEVELS = 5
LEAST_UNDISTURBED = 3
"""With fewer levels that had the machine to themselves the curve may be the neighbour's."""
LEAST_FREEDOM = 4
"""Runs beyond the first of each level: fewer don't show the spread between runs."""
MOST_MISS = 0.1
"""A curve that the better model misses by more than this on average has another shape."""
SIMPLER = 2.0
"""The law has one parameter more than the hinge, and must be better by so much of the AICc."""
WIDEST = 4.0
"""An interval wider than this factor pins no knee."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One level of load."""

    load: float
    throughputs: tuple[float, ...]
    """One for each run, > 0."""
    unfit: str | None = None
    """Why the level can't stand in a curve; None when it can."""
    disturbed: bool = False
    """True when other work used the machine meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Knee:
    """What can be said of the knee."""

    verdict: Literal["FOUND", "NOT_REACHED", "REFUSED"]
    reason: str | None
    """Why there is none; None when it was found."""
    model: Literal["hinge", "usl"] | None = None
    value: float | None = None
    """The hinge's corner or the law's peak [unit of the load]; within the levels."""
    low: float | None = None
    """95 % interval, like `high`."""
    high: float | None = None
    at_or_below: bool = False
    """True when the interval reaches the first level, so that the knee may lie below it."""
    at_or_beyond: bool = False
    """The same at the last level."""
    misfit: bool = False
    """True when the levels miss the curve by more than chance; the interval allows for it."""
    last: float | None = None
    """The last level that could be used; None without any."""
    growth: Growth | None = None
    fitted: Hinge | Usl | None = None
    left_out: tuple[tuple[float, str], ...] = ()
    """(load, why) of levels that could not be used."""


def find_knee(levels: Sequence[Level]) -> Knee:
    """Return the knee of one throughput curve. levels: any order, no load twice."""
    usable = {each.load: each.throughputs for each in levels if each.unfit is None}
    left_out = tuple(sorted((each.load, each.unfit) for each in levels if each.unfit is not None))
    last = max(usable, default=None)
    if len(usable) < LEAST_LEVELS or last is None:
        reason = f"{len(usable)} usable levels of load, a knee needs {LEAST_LEVELS}"
        return _refused(reason, last, left_out)
    disturbed = sum(each.disturbed for each in levels if each.unfit is None)
    if disturbed and len(usable) - disturbed < LEAST_UNDISTURBED:
        reason = f"other work used the machine at {disturbed} of {len(usable)} levels"
        return _refused(reason, last, left_out)
    data = curve(usable)
    if data.freedom < LEAST_FREEDOM:
        reason = "too few repetitions: the spread between runs is not known"
        return _refused(reason, last, left_out)
    growth = last_growth(data)
    if growth.state == "growing":
        beyond = [load for load, _ in left_out if load > last]
        if beyond:
            reason = f"throughput still grows at {last:g}, and the levels beyond are not usable"
            return _refused(reason, last, left_out, growth)
        reason = f"throughput still gains {percent(growth.gain)} per doubling at {last:g}"
        return _not_reached(reason, last, left_out, growth)
    if growth.state == "unsure":
        reason = (
            f"the runs differ too much: at {last:g} throughput may gain {percent(growth.low)} to"
            f" {percent(growth.high)} per doubling"
        )
        return _refused(reason, last, left_out, growth)
    return _fitted(data, growth, left_out)


def _fitted(data: Curve, growth: Growth, left_out: tuple[tuple[float, str], ...]) -> Knee:
    hinge, usl = fit_hinge(data, level=LEVEL), fit_usl(data)
    peaks = usl.criterion < hinge.criterion - SIMPLER
    chosen = usl if peaks else hinge
    held = peak_interval(data, usl, level=LEVEL) if peaks else hinge
    value = usl.peak if peaks else hinge.corner
    first, last = float(data.levels[0]), float(data.levels[-1])
    miss = sqrt(chosen.missed / float(data.weights.sum()))
    if held.misfit and miss > MOST_MISS:
        reason = f"neither a hard limit nor a peak: the better curve misses by {percent(miss)}"
        return _refused(reason, last, left_out, growth)
    if value > last or held.high is None:
        reason = f"throughput flattens towards {last:g}, but its peak may lie beyond"
        return _not_reached(reason, last, left_out, growth)
    low, high = max(held.low, first), max(held.high, first)
    if high > WIDEST * low:
        reason = f"the knee can lie anywhere from {low:.3g} to {high:.3g}"
        return _refused(reason, last, left_out, growth)
    return Knee(
        verdict="FOUND",
        reason=None,
        model="usl" if peaks else "hinge",
        value=max(value, first),
        low=low,
        high=high,
        at_or_below=low <= first,
        at_or_beyond=high >= last,
        misfit=held.misfit,
        last=last,
        growth=growth,
        fitted=chosen,
        left_out=left_out,
    )


def _refused(
    reason: str,
    last: float | None,
    left_out: tuple[tuple[float, str], ...],
    growth: Growth | None = None,
) -> Knee:
    return Knee(verdict="REFUSED", reason=reason, last=last, growth=growth, left_out=left_out)


def _not_reached(
    reason: str, last: float, left_out: tuple[tuple[float, str], ...], growth: Growth
) -> Knee:
    return Knee(verdict="NOT_REACHED", reason=reason, last=last, growth=growth, left_out=left_out)
