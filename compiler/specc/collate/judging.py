"""Judge numbers: whether a point may be read at face value, and what speaks against it.

Pure. A verdict never changes a number; it stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from specc.analysis.intervals import Interval
from specc.analysis.percentiles import samples_needed
from specc.analysis.signs import change, percent
from specc.analysis.steadiness import ALPHA, LIMIT, common_drift
from specc.collate.causes import grouped, merged, shape
from specc.collate.records.samples import RunSamples
from specc.kinds.base import Measurement
from specc.model import Json

WIDEST = 4.0
"""An interval wider than this factor says little more than an order of magnitude."""
VERDICTS = {
    "NO_DATA": "no repetition has a value; the reason stands beside it",
    "CONTAMINATED": "something else used the machine, or it was slowed, while this was measured",
    "CLIENT_LIMITED": "the client that made the load was at its own limit: the number is the "
    "client's, not that of what it asked",
    "NOT_STEADY": f"a run moved by more than {percent(LIMIT)} while it was measured (warm-up, "
    f"drift or a change of level), and by more than chance does ({percent(ALPHA)})",
    "SHARED_NODE": "the job did not have its node to itself: others may have used it",
    "TOO_FEW": "one repetition only, repetitions that pin the value no better than a factor of "
    f"{WIDEST:g}, or too few independent samples for a p90",
    "VALID": "nothing speaks against the number",
}
"""Worst first; a cell has the worst verdict of its main metric."""
_WORST_FIRST = tuple(VERDICTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a number is worth."""

    verdict: str
    """The worst of its causes; VALID without any."""
    causes: tuple[tuple[str, str], ...]
    """(verdict, reason) pairs, worst first."""
    reason: str | None
    """All reasons in one line, alike ones as one; None when nothing speaks against the number."""
    told: list[Json] = field(compare=False)
    """The causes as the summary has them: one list for all numbers with these, never changed."""


def judge(
    runs: Sequence[Measurement],
    interval: Interval,
    samples: Sequence[RunSamples],
    missing: str | None,
) -> Judgement:
    """Return everything that speaks against the value of one metric at one point.

    runs: those that have a value.   samples: of those that have single values.
    missing: why there is none, where there is none.
    """
    if not runs:
        return no_data(missing or "no metric has a value")
    held = dict.fromkeys(warning for run in runs for warning in run.warnings)
    for reason in _unsteady(samples) if samples else ():
        held["NOT_STEADY", reason] = None
    for reason in _too_few(runs, interval, samples):
        held["TOO_FEW", reason] = None
    return _judgement(tuple(held))


def no_data(reason: str) -> Judgement:
    """Return the judgement on a number that isn't there."""
    return _judgement((("NO_DATA", reason),))


@lru_cache(maxsize=4096)
def _judgement(causes: tuple[tuple[str, str], ...]) -> Judgement:
    """Return what these causes come to; ten thousand points have few different ones."""
    ordered = tuple(sorted(causes, key=lambda one: (_WORST_FIRST.index(one[0]), one[1])))
    alike: dict[tuple[str, str], list[str]] = {}
    for verdict, told in ordered:
        alike.setdefault((verdict, shape(told)), []).append(told)
    reason = "; ".join(map(merged, alike.values())) or None
    return Judgement(
        verdict=ordered[0][0] if ordered else "VALID",
        causes=ordered,
        reason=reason,
        told=[{"verdict": verdict, "reason": reason} for verdict, reason in ordered],
    )


def _unsteady(samples: Sequence[RunSamples]) -> list[str]:
    """Return how runs moved; those that moved in the same way together."""
    moving = [one.steadiness for one in samples if one.steadiness is not None]
    moved = [one.reason for one in moving if one.significant and one.reason]
    several = len(samples) > 1
    drifts = [one.drift for one in moving if one.drift is not None]
    if not moved and common_drift(drifts):
        low, high = min(drifts), max(drifts)
        return [f"all {len(drifts)} runs together drift, by {change(low)} to {change(high)}"]
    return [
        f"{merged(texts)}{f' ({len(texts)} of {len(samples)} runs)' if several else ''}"
        for texts in grouped(moved).values()
    ]


def _too_few(
    runs: Sequence[Measurement], interval: Interval, samples: Sequence[RunSamples]
) -> Iterable[str]:
    if samples:
        worth, needed = sum(one.effective_n for one in samples), samples_needed(90)
        if worth < needed:
            yield f"{worth:.0f} independent samples, {needed} needed for a p90"
    if len(runs) < 2:
        yield "one repetition: the spread between runs is unknown"
    elif interval.low is None:
        yield f"no interval: {interval.reason}"
    elif interval.high is not None and interval.low > 0:
        factor = interval.high / interval.low
        if factor > WIDEST:
            yield f"the interval spans a factor of {factor:.2g}: more repetitions"


def verdict_groups(cells: Iterable[Mapping[str, Json]]) -> list[dict[str, Json]]:
    """Return what speaks against points, each cause once: worst verdict first, then most points.

    A point with several causes stands in several groups; valid points stand in none.
    """
    found: dict[tuple[str, str], dict[str, list[str]]] = {}
    for cell in cells:
        for cause in cell["verdict_causes"]:
            each = found.setdefault((cause["verdict"], shape(cause["reason"])), {})
            each.setdefault(cell["cell"], []).append(cause["reason"])
    groups = []
    for (verdict, _), reasons in found.items():
        cause = merged([text for texts in reasons.values() for text in texts])
        count = len(reasons)
        groups.append(
            {
                "verdict": verdict,
                "cause": cause,
                "cells": list(reasons),
                "count": count,
                "text": f"{count} point{'s' if count > 1 else ''} {verdict}: {cause}",
            }
        )
    return sorted(groups, key=lambda one: (_WORST_FIRST.index(one["verdict"]), -one["count"]))
