"""Arrange the right-sizing rows and a pilot's answer for a report. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from specc.kinds.sentences import number, quantity
from specc.language.units import format_duration
from specc.model import Json
from specc.pilot.verdict import shown
from specc.reporting.notes import with_notes

DASH = "–"
_COLUMNS = (
    ("shape", "", False),
    ("attempts", "ended attempts of tasks of this shape", True),
    ("estimate", "task.estimate", True),
    ("longest", "longest completed attempt", True),
    ("p95", "of completed attempts", True),
    ("memory asked", "task.memory", True),
    ("peak", "largest of the peaks of processes and of the sampled share of a task", True),
    ("cores asked", "task.cpus", True),
    ("busy", "CPU time over wall time of the busiest attempt", True),
    ("GPU memory asked", "task.gpu_memory", True),
    ("GPU peak", "memory in use on the device, sampled, by the tasks that shared it", True),
    ("GPU busy", "mean utilisation from its first to its last sign of work", True),
    ("advice", "", False),
)


def right_sizing(summary: Mapping[str, Json]) -> dict[str, Any]:
    """Return the table of what each shape asked for against what it used."""
    several = len({row["bundle_id"] for row in summary["right_sizing"]}) > 1
    rows = [_row(row, several=several) for row in summary["right_sizing"] if row["attempts"]]
    columns = [{"name": n, "note": note, "numeric": numeric} for n, note, numeric in _COLUMNS]
    without_gpu = all(not row["asked"]["gpus"] for row in summary["right_sizing"])
    if without_gpu:
        keep = [place for place, column in enumerate(columns) if "GPU" not in str(column["name"])]
        columns = [columns[place] for place in keep]
        rows = [[row[place] for place in keep] for row in rows]
    table = {"columns": columns, "rows": rows, "more": 0, "folded": [], "notes": []}
    return with_notes(table)


def checks(summary: Mapping[str, Json]) -> dict[str, Any]:
    """Return the limits of a pilot, each held against each shape; no rows without a pilot."""
    words = {True: ("pass", "good"), False: ("FAIL", "warn"), None: ("unknown", "warn")}
    rows = []
    for check in (summary["pilot"] or {"checks": ()})["checks"]:
        word, kind = words[check["passed"]]
        if check["value"] is None:
            found = _entry(DASH, sort="", note=check["reason"] or "", kind="missing")
        else:
            found = _entry(shown(check["limit"].split()[0], check["value"]), sort=check["value"])
        limit = check["limit"].replace("<=", "≤").replace(">=", "≥")
        rows.append([_entry(check["shape"]), _entry(limit), found, _entry(word, kind=kind)])
    names = ("shape", "limit", "measured", "")
    columns = [{"name": n, "note": "", "numeric": n == "measured"} for n in names]
    return {"columns": columns, "rows": rows, "more": 0, "folded": [], "notes": []}


def _row(row: Mapping[str, Json], *, several: bool) -> list[dict[str, Json]]:
    asked = row["asked"]
    name = f"{row['shape']} of {row['bundle_id']}" if several else row["shape"]
    failed = f", {row['failed']} failed" if row["failed"] else ""
    advice = "; ".join(row["advice"]) or "as asked"
    return [
        _entry(name),
        _entry(f"{row['attempts']}{failed}", sort=row["attempts"]),
        _asked(asked["estimate_s"], _time),
        _used(row, "duration_max_s", _time),
        _used(row, "duration_p95_s", _time),
        _asked(asked["memory_bytes"], _size),
        _used(row, "memory_bytes", _size),
        _entry(str(asked["cpus"]), sort=asked["cpus"]),
        _used(row, "cores_max", lambda cores: f"{cores:.2f}"),
        _asked(asked["gpu_memory_bytes"], _size),
        _used(row, "gpu_memory_bytes", _size),
        _used(row, "gpu_util_pct", lambda pct: f"{pct:.0f} %"),
        _entry(advice, note=_arithmetic(row), kind="warn" if row["advice"] else "good"),
    ]


def _arithmetic(row: Mapping[str, Json]) -> str:
    return "; ".join(
        f"{one['field']} {one['text'] or DASH}: {one['why']}" for one in row["proposals"]
    )


def _asked(value: Json, spell: Any) -> dict[str, Json]:
    return _entry("open" if value is None else spell(value), sort=value or 0)


def _used(row: Mapping[str, Json], name: str, spell: Any) -> dict[str, Json]:
    value = row["used"][name]
    if value is None:
        return _entry(DASH, sort="", note=row["reasons"].get(name, ""), kind="missing")
    return _entry(spell(value), sort=value)


def _time(seconds: float) -> str:
    return f"{number(seconds)} s" if seconds < 600 else format_duration(math.ceil(seconds))


def _size(size: float) -> str:
    return quantity(size, "B")


def _entry(text: str, *, sort: Json = None, note: str = "", kind: str = "") -> dict[str, Json]:
    shown = text if sort is None else sort
    return {"text": text, "sort": shown, "note": note, "kind": kind, "mark": 0}
