"""Hold one metric of two runs against each other: the mean over cells, then each cell. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import specc.analysis.comparing.two_samples as samples
from specc.analysis.comparing.family import Decision, Question, Reach, decide, reach
from specc.collate.causes import grouped, merged
from specc.comparing.gate import TOLERATE, TOLERATE_POINTS, Gate, Gated
from specc.comparing.measured import NEVER_ACQUITS, NEVER_BLAMES, TOLD, Measured, measured
from specc.comparing.pairs import Pair
from specc.comparing.scale import Scale, of_cell, scale_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One cell of both runs under one metric."""

    pair: Pair
    baseline: Measured
    current: Measured
    found: Found | None
    """None when there is nothing to reckon with."""
    note: str | None
    """What a reader must know: why nothing can be said, or what is held against the numbers."""

    @property
    def in_doubt(self) -> bool:
        """Whether something keeps the numbers from acquitting."""
        sides = (self.baseline, self.current)
        return self.lost_more or any(side.held(NEVER_ACQUITS) for side in sides)

    @property
    def lost_more(self) -> bool:
        """Whether more of the current runs than of the baseline's have no value."""
        return self.current.lost_share > self.baseline.lost_share


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A decision with its bounds."""

    question: Question
    decision: Decision
    reach: Reach


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """All that the comparison of one metric came to."""

    gated: Gated
    scale: Scale
    mean: Found | None
    """Over the cells, or the only cell's; None when no cell can be compared."""
    cells: int
    """How many stand behind the mean."""
    lines: tuple[Line, ...]
    note: str | None
    """What keeps the mean from a verdict, or was left out of it."""


def judge(gated: Gated, pairs: Sequence[Pair], gate: Gate, *, unit: str, better: str) -> Metric:
    """Compare one metric over all pairs of cells that its condition takes."""
    lines = [line for one in pairs if (line := _line(one, gated)) is not None]
    sides = [[v for line in lines for v in getattr(line, side).values] for side in _SIDES]
    scale = scale_of(unit, better, *sides)
    able = [line for line in lines if _both_have_runs(line)]
    blocked = [line for line in lines if line not in able and line.baseline.values]
    questions = [_question(line, gated, scale, _effect(line, scale)) for line in able]
    mean, cells, left_out = _mean(able, gated, scale, acquit=not blocked)
    above, each = decide(mean, questions, level=gate.level, metrics=len(gate.metrics))
    found = {
        id(line): _found(question, decision, gate)
        for line, question, decision in zip(able, questions, each, strict=True)
    }
    if mean is not None and above is not None:
        headline: Found | None = _found(mean, above, gate)
    else:
        headline = next(iter(found.values()), None)
    if headline is not None and headline.decision.verdict == "PASS" and blocked:
        headline = _withheld(headline)
    notes = [left_out, _blocked(blocked), None if lines else _nowhere(gated, pairs)]
    return Metric(
        gated=gated,
        scale=scale,
        mean=headline,
        cells=cells if mean is not None else len(able),
        lines=tuple(replace(line, found=found.get(id(line))) for line in lines),
        note="; ".join(filter(None, notes)) or None,
    )


_SIDES = ("baseline", "current")


def _nowhere(gated: Gated, pairs: Sequence[Pair]) -> str:
    """Tell why no pair of cells has a value to compare."""
    taken = [pair for pair in pairs if gated.takes(pair.baseline["axes"])]
    if not taken:
        return "no point that both have meets the gate's `where`" if pairs else "no point is shared"
    reason = measured(taken[0].baseline, gated.metric, gated.statistic).missing
    return reason or "no point has a value on either side"


def _line(pair: Pair, gated: Gated) -> Line | None:
    """Return what both cells have; None when neither has it, or the gate doesn't look there."""
    if not gated.takes(pair.baseline["axes"]):
        return None
    old = measured(pair.baseline, gated.metric, gated.statistic)
    new = measured(pair.current, gated.metric, gated.statistic)
    if not old.values and not new.values:
        return None
    return Line(pair=pair, baseline=old, current=new, found=None, note=_note(old, new))


def _note(old: Measured, new: Measured) -> str | None:
    told = []
    for name, side in zip(_SIDES, (old, new), strict=True):
        if not side.values:
            told.append(f"{name}: no value ({side.missing})")
        elif len(side.values) == 1:
            told.append(f"{name}: one run only, so its spread is unknown")
        # what was held against several runs differs in its numbers only
        alike = grouped(side.held(TOLD) if side.values else ())
        told += [f"{name} {merged(texts)}" for texts in alike.values()]
    if new.values and new.lost_share > old.lost_share:
        told.append(f"current: {new.due - len(new.values)} of {new.due} runs have no value")
    return "; ".join(told) or None


def _both_have_runs(line: Line) -> bool:
    return min(len(line.baseline.values), len(line.current.values)) >= 2


def _effect(line: Line, scale: Scale) -> samples.Effect:
    return _worse(samples.difference(*_inside(line, scale)), scale)


def _inside(line: Line, scale: Scale) -> tuple[list[float], list[float]]:
    return scale.inside(line.baseline.values), scale.inside(line.current.values)


def _worse(effect: samples.Effect, scale: Scale) -> samples.Effect:
    return effect if scale.sign > 0 else effect.flipped()


def _question(line: Line, gated: Gated, scale: Scale, worse: samples.Effect) -> Question:
    own = of_cell(scale, line.baseline.values)
    return Question(
        worse=worse,
        alarm=own.limit(gated.alarm),
        tolerate=own.limit(tolerated(gated, scale)),
        may_pass=not line.in_doubt,
        may_fail=not line.current.held(NEVER_BLAMES),
    )


def tolerated(gated: Gated, scale: Scale) -> float:
    """Return what a gate tolerates [%, or points], its default filled in; never below its alarm."""
    if gated.tolerate is not None:
        return gated.tolerate
    default = TOLERATE_POINTS if scale.kind == "points" else TOLERATE
    return max(default, gated.alarm)


def _mean(
    able: Sequence[Line], gated: Gated, scale: Scale, *, acquit: bool
) -> tuple[Question | None, int, str | None]:
    """Return the question on the mean over cells, of how many, and what was left out of it.

    Cells in which a neighbour may be to blame stay out of the mean, and a mean without them, or
    over others that are in doubt, acquits nobody.
    """
    if len(able) < 2:
        return None, len(able), None
    clean = [line for line in able if not line.current.held(NEVER_BLAMES)]
    used = clean or list(able)
    doubts = [line for line in able if line.in_doubt]
    worse = _worse(
        samples.mean_over_cells([_inside(line, scale) for line in used], _repetitions(used)),
        scale,
    )
    question = Question(
        worse=worse,
        alarm=scale.limit(gated.alarm),
        tolerate=scale.limit(tolerated(gated, scale)),
        may_pass=acquit and not doubts,
        may_fail=bool(clean),
    )
    told = []
    if len(used) < len(able):
        left_out = len(able) - len(used)
        cells = "cell is" if left_out == 1 else "cells are"
        told.append(f"{left_out} contaminated {cells} left out of the mean")
    if doubts:
        end = "can't PASS" if clean else "can neither PASS nor FAIL: repeat where nothing else runs"
        told.append(f"{len(doubts)} of {len(able)} cells in doubt, so this {end}")
    return question, len(used), "; ".join(told) or None


def _repetitions(
    lines: Sequence[Line],
) -> list[tuple[tuple[int, ...], tuple[int, ...]]] | None:
    """Return of which repetition the runs of each cell are; None where one of them is not known."""
    found = [
        (old, new)
        for line in lines
        if (old := line.baseline.repetitions) and (new := line.current.repetitions)
    ]
    return found if len(found) == len(lines) else None


def _blocked(lines: Sequence[Line]) -> str | None:
    if not lines:
        return None
    single = sum(bool(line.current.values) for line in lines)
    counts = ((single, "with one run on a side"), (len(lines) - single, "without a current value"))
    return "; ".join(f"{n} {'cell' if n == 1 else 'cells'} {what}" for n, what in counts if n)


def _found(question: Question, decision: Decision, gate: Gate) -> Found:
    return Found(
        question=question, decision=decision, reach=reach(question, decision, level=gate.level)
    )


def _withheld(found: Found) -> Found:
    return replace(found, decision=replace(found.decision, verdict="INCONCLUSIVE"))


def unjudged(gated: Gated, pairs: Sequence[Pair], *, unit: str) -> Iterator[tuple[Line, Scale]]:
    """Yield the lines of a metric that no gate looks at, with an interval where there is one."""
    for one in pairs:
        line = _line(one, gated)
        if line is None or not line.baseline.values or not line.current.values:
            continue
        scale = scale_of(unit, "lower", line.baseline.values, line.current.values)
        if not _both_have_runs(line):
            yield line, scale
            continue
        question = Question(worse=_effect(line, scale), alarm=0.0, tolerate=0.0)
        decision = Decision(verdict="INCONCLUSIVE", share=0.025, p=1.0)
        worse = question.worse
        bounds = Reach(
            at_least=0.0,
            low=worse.bound(0.025),
            high=worse.bound(0.975),
            smallest=0.0,
            more_runs=None,
        )
        found = Found(question=question, decision=decision, reach=bounds)
        yield replace(line, found=found), scale
