"""Arrange what failed as tables: causes first, then every task, then the last words of each cause.

Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from specc.kinds.sentences import point, visible
from specc.model import Json
from specc.reporting.tabulate import DASH, Table, column, entry, table

_MOST_TAILS = 20
_TAIL_LINES = 8
_MOST_NAMES = 3


def causes(summary: Mapping[str, Json]) -> Table:
    """Return one row for each category of failure: how many tasks, where, and what to do."""
    rows = []
    for category, members in _by_category(summary["failures"]):
        messages = list(dict.fromkeys(one["message"] for one in members))
        suggestions = list(dict.fromkeys(one["suggestion"] or DASH for one in members))
        rows.append(
            [
                entry(category),
                entry(str(len(members)), sort=len(members)),
                entry("yes" if any(one["transient"] for one in members) else "no"),
                entry(_several(messages, most=1), note="\n".join(messages[:10])),
                entry(_several(suggestions, most=1)),
                entry(_several([one["host"] for one in members])),
                entry(_several([one["gpu"] for one in members])),
            ]
        )
    names = ("cause", "tasks", "may pass by itself", "message", "what to do", "hosts", "GPUs")
    return table([column(name, numeric=name == "tasks") for name in names], rows)


def failures(summary: Mapping[str, Json]) -> Table:
    """Return every failed task with its cause, its place, and what to do about it."""
    names = ("point", "repetition", "cause", "message", "what to do", "attempts", "host", "GPU")
    rows = [
        [
            entry(point(one["axes"])),
            entry(str(one["repetition"]), sort=one["repetition"]),
            entry(one["category"]),
            entry(one["message"], note="\n".join(one["stderr_tail"] or [])),
            entry(one["suggestion"] or DASH),
            entry(str(one["attempts"]), sort=one["attempts"]),
            entry(one["host"] or DASH),
            entry(one["gpu"] or DASH),
            entry(f"{one['task_id']} {one['run_id']} {one['launch']}", kind="trace"),
        ]
        for one in summary["failures"]
    ]
    columns = [column(n, numeric=n in ("repetition", "attempts")) for n in (*names, "task")]
    return table(columns, rows)


def interruptions(summary: Mapping[str, Json]) -> Table:
    """Return one row for each cause of attempts without a result, and how their tasks ended."""
    rows = []
    for category, members in _by_category(summary["interruptions"]):
        of_tasks = {one["task_id"]: one["completed_by"] is not None for one in members}
        messages = list(dict.fromkeys(one["message"] for one in members))
        rows.append(
            [
                entry(category),
                entry(str(len(members)), sort=len(members)),
                entry(str(len(of_tasks)), sort=len(of_tasks)),
                entry(str(sum(of_tasks.values())), sort=sum(of_tasks.values())),
                entry(_several(messages, most=1), note="\n".join(messages[:10])),
                entry(_several([one["host"] for one in members])),
            ]
        )
    names = ("cause", "attempts", "tasks", "completed since", "what happened", "hosts")
    counts = ("attempts", "tasks", "completed since")
    return table([column(name, numeric=name in counts) for name in names], rows)


def interrupted(summary: Mapping[str, Json]) -> Table:
    """Return every attempt without a result: which point, what happened, and what came after."""
    names = ("point", "repetition", "cause", "what happened", "attempt", "completed by")
    rows = [
        [
            entry(point(one["axes"])),
            entry(str(one["repetition"]), sort=one["repetition"]),
            entry(one["category"]),
            entry(one["message"]),
            entry(_attempt(one), kind="trace"),
            entry(_attempt(one["completed_by"]) if one["completed_by"] else DASH, kind="trace"),
        ]
        for one in summary["interruptions"]
    ]
    return table([column(name, numeric=name == "repetition") for name in names], rows)


def _attempt(one: Mapping[str, Json]) -> str:
    bundle = str(one["bundle_id"]).rpartition("-")[2]
    return f"{bundle} {one['run_id']} {one['launch']} attempt {one['attempt']}"


def last_words(summary: Mapping[str, Json]) -> list[dict[str, Any]]:
    """Return the last lines of output of one task for each cause and message, at most 20."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for one in summary["failures"]:
        lines = [visible(line) for line in one["stderr_tail"] or ()][-_TAIL_LINES:]
        key = (one["category"], one["message"])
        if lines and key not in found and len(found) < _MOST_TAILS:
            title = f"{one['category']}: {visible(one['message'])}"
            found[key] = {"title": title, "task_id": one["task_id"], "lines": lines}
    return list(found.values())


def _by_category(failed: Sequence[Json]) -> list[tuple[str, list[Json]]]:
    groups: dict[str, list[Json]] = defaultdict(list)
    for one in failed:
        groups[one["category"]].append(one)
    return sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))


def _several(values: Sequence[str | None], *, most: int = _MOST_NAMES) -> str:
    names = list(dict.fromkeys(value for value in values if value is not None))
    more = len(names) - most
    text = "; ".join(names[:most]) or DASH
    return f"{text} (and {more} more)" if more > 0 else text
