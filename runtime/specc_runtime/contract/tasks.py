"""Read tasks.jsonl: one line for each task of a bundle, in matrix order."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Mapping, Optional, Tuple

from .fields import (
    HEX16,
    Damage,
    anything,
    count,
    map_of,
    matching,
    nullable,
    one_of,
    read_lines,
    record,
    text,
)
from .pace import uncollected

SHARD_ID = matching(r"[A-Za-z0-9._-]+-[0-9]{4,}", "<shape>-<four digits>")

_ALWAYS = {
    "task_id": HEX16,
    "index": count,
    "axes": map_of(anything),
    "repetition": count,
    "settings": map_of(anything),
    "not_run": nullable(text),
}
_NULL = one_of(None)
_SOMETIMES = {"attempts": count}
_RUNNABLE = record({**_ALWAYS, "shape": text, "shard": SHARD_ID, "position": count}, _SOMETIMES)
_NOT_RUN = record({**_ALWAYS, "shape": _NULL, "shard": _NULL, "position": _NULL}, _SOMETIMES)


def check_task(value: Any) -> Optional[str]:
    """A task either has its place in a shard, or says why it is not run and has none."""
    kept_out = isinstance(value, dict) and value.get("not_run") is not None
    return _NOT_RUN(value) if kept_out else _RUNNABLE(value)


@dataclass(frozen=True)
class TaskRow:
    """One line of tasks.jsonl."""

    task_id: str
    index: int
    shape: Optional[str]
    """Name of the job shape; None for a task that is not run."""
    shard: Optional[str]
    position: Optional[int]
    """Place within the shard, from 0."""
    axes: Mapping[str, Any]
    repetition: int
    settings: Mapping[str, Any]
    not_run: Optional[str]
    """Why the task is kept in the matrix but not run; None when it runs."""
    attempts: int = 0
    """Attempts that bundles before this one used up, of those that `on_failure` counts."""


@uncollected
def parse_tasks(data: bytes, *, file: str = "tasks.jsonl") -> Tuple[TaskRow, ...]:
    """Parse the lines of a task table. Raises Damage, also for a torn last line or a double id."""
    values, torn = read_lines(file, data, check_task)
    if torn:
        raise Damage(file, len(values) + 1, "the last line is cut off")
    seen = set()
    rows = []
    for line, value in enumerate(values, start=1):
        if value["task_id"] in seen:
            raise Damage(file, line, f"task {value['task_id']} stands there twice")
        seen.add(value["task_id"])
        rows.append(
            TaskRow(
                task_id=value["task_id"],
                index=int(value["index"]),
                shape=value["shape"],
                shard=value["shard"],
                position=None if value["position"] is None else int(value["position"]),
                axes=value["axes"],
                repetition=int(value["repetition"]),
                settings=value["settings"],
                not_run=value["not_run"],
                attempts=int(value.get("attempts", 0)),
            )
        )
    return tuple(rows)


def read_tasks(bundle: "str | os.PathLike[str]") -> Tuple[TaskRow, ...]:
    """Read the task table of a bundle folder. Raises OSError, Damage."""
    path = os.path.join(bundle, "tasks.jsonl")
    with open(path, "rb") as file:
        return parse_tasks(file.read(), file=path)


def shard_tasks(tasks: "Tuple[TaskRow, ...]", shard_id: str) -> Tuple[TaskRow, ...]:
    """Return the tasks of one shard in the order in which they start."""
    mine = [task for task in tasks if task.shard == shard_id]
    return tuple(sorted(mine, key=lambda task: task.position or 0))
