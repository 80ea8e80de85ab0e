"""Completeness: what was expected, what became of it, and what was left out. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from specc.kinds.sentences import number, quantity
from specc.model import Json
from specc.reporting.one_page import verdict_groups
from specc.reporting.tabulate import Table, column, entry, table

_MEANINGS = {
    "expected": "tasks of all bundles: points times repetitions",
    "completed": "with rows that match their hash",
    "failed": "the last attempt failed",
    "not_run": "kept in the matrix and not run, with a reason",
    "missing": "never started, cut off, or still running",
    "invalid": "completed, but the rows can't be trusted",
    "duplicate": "completed more than once; the first counts",
}
_MOST_CELLS = 6
_WORTH_HOURS = 0.01
"""Fewer hours of cores or GPUs are not worth a word."""


def lead(summary: Mapping[str, Json]) -> str:
    """Return completeness in a sentence, and what was lost on the way."""
    done = summary["completeness"]
    states = ("failed", "not_run", "missing", "invalid")
    rest = [f"{done[s]} {s.replace('_', ' ')}" for s in states if done[s]]
    text = f"{done['completed']} of {done['expected']} tasks completed"
    text = f"{text}; {', '.join(rest)}." if rest else f"{text}."
    lost = Counter(one["category"] for one in summary["interruptions"] if one["completed_by"])
    if not lost:
        return text
    causes = ", ".join(f"{count} {category}" for category, count in lost.most_common())
    return f"{text} Attempts of completed tasks that were lost on the way: {causes}."


def cost(summary: Mapping[str, Json]) -> str:
    """Return what the study cost in a sentence or two; empty for summaries without it."""
    spent = summary.get("spent")
    if not spent or not spent["launches"]:
        return ""
    launches = f"{spent['launches']} launch{'es' * (spent['launches'] != 1)}"
    held = [
        quantity(spent[name], unit)
        for name, unit in (("core_hours", "core h"), ("gpu_hours", "GPU h"))
        if (spent[name] or 0) >= _WORTH_HOURS
    ]
    cut = spent["cut_off"]
    note = f" ({cut} without an end, counted up to the last word)" if cut else ""
    text = f"{launches} took {', '.join([_time(spent['job_hours']), *held])}{note}."
    if not spent["attempts"]:
        return text
    used = spent["cpu_hours"]
    cpu = "" if used is None else f", {_time(used)} of CPU time"
    share = number(spent["failed_attempts_pct"])
    tries = f"{spent['attempts']} attempt{'s' * (spent['attempts'] != 1)}"
    return (
        f"{text} {tries} ran for {_time(spent['attempt_hours'])}{cpu}; "
        f"{spent['failed_attempts']} of them ({share} %) ended without a result."
    )


def _time(hours: float) -> str:
    if hours >= 2:
        return quantity(hours, "h")
    return quantity(hours * 60, "min") if hours >= 2 / 60 else quantity(hours * 3600, "s")


def states(summary: Mapping[str, Json]) -> Table:
    """Return one row for each state that tasks are in; none when all are completed."""
    done = summary["completeness"]
    if done["completed"] == done["expected"] and not done["duplicate"]:
        return table([column(name) for name in ("state", "tasks", "meaning")], [])
    rows = [
        [
            entry(state.replace("_", " ")),
            entry(str(done[state]), sort=done[state]),
            entry(meaning),
        ]
        for state, meaning in _MEANINGS.items()
        if done[state] or state in ("expected", "completed")
    ]
    return table([column(n, numeric=n == "tasks") for n in ("state", "tasks", "meaning")], rows)


def doubts(summary: Mapping[str, Json]) -> Table:
    """Return one row for each cause of a verdict that is not VALID: how many points, and which."""
    rows = []
    for one in verdict_groups(summary):
        more = one["count"] - _MOST_CELLS
        cells = ", ".join(one["cells"][:_MOST_CELLS]) + (f" and {more} more" if more > 0 else "")
        rows.append(
            [
                entry(one["verdict"], kind="warn"),
                entry(one["cause"]),
                entry(str(one["count"]), sort=one["count"]),
                entry(cells, kind="trace"),
            ]
        )
    names = ("verdict", "cause", "points", "cells")
    return table([column(name, numeric=name == "points") for name in names], rows)
