"""Tell of every attempt that ended without a result, and what became of its task afterwards.

Pure. A study may be complete and still have seen nodes fail: its report says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from specc.collate.values import TaskResult
from specc.model import Json

_LOST = ("failed", "cut")


def interruptions(tasks: Sequence[TaskResult], attempts: pl.DataFrame) -> list[dict[str, Json]]:
    """Return one entry for each attempt that failed or was cut off, in the order of attempts.

    attempts: `attempts.attempt_table`. `completed_by` names bundle, run, launch and attempt whose
    rows count now; null when the task has no result yet.
    """
    of_task: dict[str, TaskResult] = {}
    for one in tasks:
        if one.task_id not in of_task or one.state == "completed":
            of_task[one.task_id] = one
    return [
        {
            "task_id": row["task_id"],
            "axes": dict(task.axes),
            "repetition": task.repetition,
            "bundle_id": row["bundle_id"],
            "run_id": row["run_id"],
            "launch": row["launch"],
            "attempt": row["attempt"],
            "host": row["host"],
            "category": row["category"] or "unknown",
            "message": row["message"] or "cut off before its end",
            "completed_by": _completed_by(task),
        }
        for row in attempts.filter(pl.col("outcome").is_in(_LOST)).iter_rows(named=True)
        if row["task_id"] in of_task
        for task in (of_task[row["task_id"]],)
    ]


def _completed_by(task: TaskResult) -> Mapping[str, Json] | None:
    if task.state != "completed":
        return None
    return {
        "bundle_id": task.bundle_id,
        "run_id": task.run_id,
        "launch": task.launch,
        "attempt": task.attempt,
    }
