"""Say in plain sentences what was found on a load curve. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from specc.analysis.load.knee import Knee
from specc.analysis.load.recommended import ENOUGH, Range
from specc.analysis.load.slo import Answer, Bounds, Op
from specc.analysis.signs import percent
from specc.collate.curves.load_points import Load
from specc.kinds.sentences import number, quantity

_MOST_NAMED = 4
_LIMITS: dict[Op, str] = {
    "le": "at most", "lt": "less than", "ge": "at least", "gt": "more than",
}  # fmt: skip


def knee_text(knee: Knee, axis: str, doubted: Sequence[tuple[float, str]]) -> str:
    """Return what is known of the knee: "Throughput stops growing at a concurrency of 8 …"."""
    return " ".join((_verdict(knee, _plain(axis)), *_notes(knee, doubted)))


def _verdict(knee: Knee, axis: str) -> str:
    last = "" if knee.last is None else number(knee.last)
    if knee.verdict == "NOT_REACHED":
        growth = knee.growth
        grows = growth is not None and growth.state == "growing"
        word = "still grows at" if grows else "flattens but may still gain at"
        return f"Throughput {word} {last}: the knee was not reached; extend beyond {last}."
    if knee.verdict == "REFUSED":
        return f"No knee is told: {knee.reason}."
    if knee.at_or_below:
        return (
            f"Throughput does not grow from the first levels on: the knee lies at or below"
            f" {number(knee.high)} ({axis})."
        )
    spread = f"{number(knee.low)} to {number(knee.high)}"
    if knee.model == "usl":
        beyond = ", which is the last level" if knee.at_or_beyond else " and falls beyond"
        return f"Throughput peaks at {number(knee.value)} ({spread}; {axis}){beyond}."
    return (
        f"Throughput stops growing at {number(knee.value)} ({spread}; {axis}): beyond that more"
        " load only waits longer."
    )


def _notes(knee: Knee, doubted: Sequence[tuple[float, str]]) -> list[str]:
    notes = []
    if knee.misfit and knee.verdict == "FOUND":
        notes.append(
            "The levels miss the fitted curve by more than chance; the interval allows for it."
        )
    if knee.left_out:
        alike: dict[str, list[tuple[float, str]]] = {}
        for at, why in knee.left_out:
            alike.setdefault(re.sub("[0-9.]+", "0", why), []).append((at, why))
        for (first, why), *others in alike.values():
            loads = _listed([first, *(load for load, _ in others)])
            notes.append(f"Left out: {loads}, for {why}{' (at the first)' if others else ''}.")
    notes += [words] if (words := care(doubted)) else []
    return notes


def care(doubted: Sequence[tuple[float, str]]) -> str:
    """Return a warning that names levels by what is held against them; empty for none."""
    verdicts = dict.fromkeys(verdict for _, verdict in doubted)
    shown = (
        f"{verdict} at {_listed([at for at, found in doubted if found == verdict])}"
        for verdict in verdicts
    )
    return f"Read with care: {'; '.join(shown)}." if doubted else ""


def objective_text(
    found: Answer,
    at_answer: Bounds | None,
    load: Load,
    *,
    metric: str,
    statistic: str | None,
    op: Op,
    limit: float,
) -> str:
    """Return up to which load an objective is met, and what is known beyond."""
    axis, unit = _plain(load.axis), load.unit(metric) or ""
    what = f"{statistic} of {load.label(metric)}" if statistic else load.label(metric)
    wanted = f"{what} of {_LIMITS[op]} {quantity(limit, unit)}"
    if found.verdict == "NOT_MET":
        return f"{wanted} is met at no level of {axis}: the lowest already fails.{_beyond(found)}"
    if found.verdict == "UNDECIDED" or found.load is None:
        return (
            f"{wanted} can't be decided at any level of {axis}: no interval lies wholly within"
            f" the limit.{_beyond(found)}"
        )
    if found.met_from is not None:
        span = f"from {axis} {number(found.met_from)} on"
        if found.fails_from is not None:
            span = f"from {axis} {number(found.met_from)} to {number(found.load)}"
        return f"{what} is {_LIMITS[op]} {quantity(limit, unit)} {span}."
    upper = at_answer is not None and op in ("le", "lt")
    bound = None if at_answer is None else at_answer.high if upper else at_answer.low
    side = "upper" if upper else "lower"
    least = "at least " if found.at_least else ""
    return (
        f"{what} stays {_LIMITS[op]} {quantity(limit, unit)} up to {least}{axis}"
        f" {number(found.load)} (95 % {side} bound {quantity(bound, unit)}).{_beyond(found)}"
    )


def _beyond(found: Answer) -> str:
    parts = []
    if found.unsure:
        parts.append(f"Undecided at {_listed(found.unsure)}: more repetitions would tell.")
    if found.unknown:
        parts.append(f"Not told at {_listed(found.unknown)}: no interval, or runs are missing.")
    if found.fails_from is not None and found.load is not None:
        parts.append(f"From {number(found.fails_from)} on it is not met.")
    if found.not_monotone:
        parts.append(
            f"Not monotone: {_listed(found.not_monotone)} meets it again, above a level that fails."
        )
    if found.at_least:
        parts.append("More was not tried.")
    return "".join(f" {part}" for part in parts)


def range_text(found: Range, axis: str) -> str:
    """Return the recommended range: "Operate at 7 to 8 (concurrency): …"."""
    span = number(found.low)
    if found.high != found.low:
        span = f"{span} to {number(found.high)}"
    end = "within every objective" if found.bound == "objective" else f"{found.bound} the knee"
    return (
        f"Operate at {span} ({_plain(axis)}): {end}, and with at least {percent(ENOUGH)} of the"
        " throughput that can be had there."
    )


def _listed(loads: Sequence[float]) -> str:
    shown = ", ".join(number(load) for load in loads[:_MOST_NAMED])
    rest = len(loads) - _MOST_NAMED
    return f"{shown} and {rest} more" if rest > 0 else shown


def _plain(axis: str) -> str:
    return axis.replace("_", " ")
