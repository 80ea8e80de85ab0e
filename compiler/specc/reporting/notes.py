"""Tell why cells of a table are empty once, under the table, and leave empty columns out.

Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from specc.language.units import amount
from specc.model import Json

_FIGURES = re.compile(r"[0-9]+")

CURED = "cured"
"""Kind of an entry whose number comes, in part, from tasks that ran under a cure."""


def with_notes(table: dict[str, Any]) -> dict[str, Any]:
    """Fold columns without any value away and number the reasons of all other gaps.

    Reasons are sentences: printed in each cell they make rows as tall as pages.
    """
    rows = table["rows"]
    gone = [
        at
        for at in range(len(table["columns"]))
        if rows and all(row[at]["kind"] == "missing" for row in rows)
    ]
    folded = []
    for at in gone:
        reasons = _alike(row[at]["note"] for row in rows if row[at]["note"])
        folded.append({"name": table["columns"][at]["name"], "reason": "; ".join(reasons)})
    kept = [at for at in range(len(table["columns"])) if at not in gone]
    numbers: dict[str, int] = {}
    marked = [[_marked(row[at], numbers) for at in kept] for row in rows]
    columns = [table["columns"][at] for at in kept]
    return {**table, "columns": columns, "rows": marked, "folded": folded, "notes": list(numbers)}


def cured_text(cures: Sequence[Mapping[str, Json]]) -> str:
    """Say under which changed resources completed tasks of a point ran: "2 of them with …"."""
    counts: dict[str, int] = {}
    for cure in cures:
        changes = ", ".join(
            f"{name} {amount(name, value[0])} → {amount(name, value[1])}"
            for name, value in sorted(cure.items())
            if isinstance(value, list)
        )
        text = f"{changes}: cure of {cure['category']} by on_failure"
        counts[text] = counts.get(text, 0) + 1
    return "; ".join(f"{count} ran with {text}" for text, count in counts.items())


def _alike(reasons: Iterable[str]) -> list[str]:
    """Return each reason once; of those that differ in their figures only, the first one."""
    found: dict[str, list[str]] = {}
    for reason in dict.fromkeys(reasons):
        found.setdefault(_FIGURES.sub("#", reason), []).append(reason)
    return [
        first if not rest else f"{first} (and {len(rest)} more of the kind)"
        for first, *rest in found.values()
    ]


def _marked(entry: Mapping[str, Json], numbers: dict[str, int]) -> dict[str, Json]:
    if entry["kind"] not in ("missing", CURED) or not entry["note"]:
        return dict(entry)
    return {**entry, "mark": numbers.setdefault(entry["note"], len(numbers) + 1)}
