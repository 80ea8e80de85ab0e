"""Decide a family of comparisons: PASS, FAIL or INCONCLUSIVE for each, with one error rate for all.

Pure. Effects come in as worsenings: above 0 is worse, on whatever scale. A family is all that one
gate looks at; the chance that any of it FAILs although nothing became worse than its alarm is at
most (1 - level) / 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from specc.analysis.comparing.two_samples import Effect
from specc.analysis.student import t_quantile

Z_POWER = 0.8416212335729143
"""The standard normal's 80 % point: an effect that can be shown is found four times in five."""
MOST_RUNS = 1000
MEAN_SHARE = 0.8
"""Of a metric's error rate: what the mean over cells may spend of it."""
Verdict = Literal["PASS", "FAIL", "INCONCLUSIVE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One comparison, and what would be too much."""

    worse: Effect
    alarm: float
    """A worsening proven to be above this FAILs."""
    tolerate: float
    """A worsening proven to be below this PASSes."""
    may_pass: bool = True
    """False: something else is held against the numbers, so that they can't acquit."""
    may_fail: bool = True
    """False: something else may have made the current runs worse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a comparison came to."""

    verdict: Verdict
    share: float
    """The error rate that this comparison had of the family's, one-sided."""
    p: float
    """Of "not above the alarm", before sharing: FAIL needs it to be at most `share`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What else a comparison can tell, on the scale of its worsening."""

    at_least: float
    """The worsening is at least this, at the share of this comparison: above alarm means FAIL."""
    low: float
    """Interval of the worsening at the family's level, for this comparison alone."""
    high: float
    """Below `tolerate` means PASS."""
    smallest: float | None
    """The smallest true worsening that would have FAILed four times in five; None where no run
    differs from its neighbours, so that nothing is known of chance."""
    more_runs: int | None
    """Further runs on each side after which it would be decided whatever comes out; None where it
    is decided, or where more than a thousand would not do."""


def decide(
    primary: Question | None, cells: Sequence[Question], *, level: float = 0.95, metrics: int = 1
) -> tuple[Decision | None, tuple[Decision, ...]]:
    """Decide one metric's questions: on the mean over cells (None with one cell), and on each cell.

    metrics: how many are gated; each gets an equal part of the family's error rate. The mean has
    four fifths of that part, the cells share the rest by Holm's steps; when the mean FAILs its
    part goes to them as well (Bretz et al. 2009), which keeps the error rate of the family.
    """
    whole = (1 - level) / 2 / metrics
    if primary is None:
        return None, _holm(cells, whole, level)
    above = _decision(primary, whole * MEAN_SHARE, level)
    left = whole if above.verdict == "FAIL" else whole * (1 - MEAN_SHARE)
    return above, _holm(cells, left, level)


def _holm(questions: Sequence[Question], rate: float, level: float) -> tuple[Decision, ...]:
    # one that may not FAIL takes part all the same: which do must not depend on the data
    chances = [question.worse.p_above(question.alarm) for question in questions]
    shares = [0.0] * len(questions)
    left = len(questions)
    for place in sorted(range(len(questions)), key=chances.__getitem__):
        shares[place] = rate / left
        if chances[place] <= rate / left and left > 1:
            left -= 1
    return tuple(_decision(q, share, level) for q, share in zip(questions, shares, strict=True))


def _decision(question: Question, share: float, level: float) -> Decision:
    p = question.worse.p_above(question.alarm)
    verdict: Verdict = "INCONCLUSIVE"
    if p <= share:
        verdict = "FAIL" if question.may_fail else "INCONCLUSIVE"
    elif question.may_pass and question.worse.surely_below(question.tolerate, level):
        verdict = "PASS"
    return Decision(verdict=verdict, share=share, p=p)


def reach(question: Question, decision: Decision, *, level: float = 0.95) -> Reach:
    """Return the bounds behind a decision, and what more runs would do."""
    worse, share = question.worse, decision.share
    proven = worse.error > 0 or decision.p <= share
    return Reach(
        at_least=worse.bound(share) if proven else min(question.alarm, worse.centre),
        low=worse.bound((1 - level) / 2),
        high=worse.bound((1 + level) / 2),
        smallest=question.alarm + _found_mostly(share, worse.freedom) * worse.error
        if worse.error
        else None,
        more_runs=more_runs(question, share, level) if decision.verdict == "INCONCLUSIVE" else None,
    )


def _found_mostly(share: float, freedom: float) -> float:
    """Return how many standard errors a true effect must have to be found four times in five.

    Source: normal approximation of the noncentral t (Johnson and Welch 1940), within 2 %.
    """
    t = t_quantile(1 - share, freedom)
    return t * (1 - 1 / (4 * freedom)) + Z_POWER * math.sqrt(1 + t * t / (2 * freedom))


def more_runs(question: Question, share: float, level: float) -> int | None:
    """Return how many further runs on each side settle a question at the spread seen so far.

    Enough that the bounds for FAIL and for PASS can't both miss, whatever the effect. Where alarm
    and tolerate leave no room between them, enough to part the effect seen from them. None where
    more than a thousand would not do, or where runs are not what is lacking.
    """
    worse = question.worse
    if not (question.may_pass and question.may_fail):
        return None
    if worse.error == 0:
        return _more_equal_runs(question, share, level)
    now = 2 / (1 / worse.runs[0] + 1 / worse.runs[1])
    room = question.tolerate - question.alarm
    seen = abs(worse.centre - question.tolerate)
    least, most = int(now) + 1, MOST_RUNS + int(now)

    def settled(runs: int) -> bool:
        error = worse.error * (now / runs) ** 0.5
        freedom = worse.freedom * (runs - 1) / max(now - 1, 1)
        up = t_quantile((1 + level) / 2, freedom) * error
        down = t_quantile(1 - share, freedom) * error
        return bool(up + down < room if room > 0 else max(up, down) < seen)

    if not settled(most):
        return None
    while least < most:
        middle = (least + most) // 2
        least, most = (least, middle) if settled(middle) else (middle + 1, most)
    return max(1, least - int(now))


def _more_equal_runs(question: Question, share: float, level: float) -> int | None:
    """Return the same for runs without any spread: more of the same settle it, or nothing does."""
    worse = question.worse
    if question.alarm < worse.centre <= question.tolerate:
        needed = 1 / max(share, 1 - level)
    elif worse.centre > question.alarm:
        needed = 1 / share
    else:
        needed = 1 / (1 - level)
    for more in range(1, MOST_RUNS):
        if math.comb(sum(worse.runs) + 2 * more, worse.runs[0] + more) >= needed - 1e-9:
            return more
    return None
