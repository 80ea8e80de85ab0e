"""Tell which tasks of a shard a launch takes up."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from .contract.runs import RunState
from .contract.tasks import TaskRow
from .running import Todo


def what_is_left(rows: Tuple[TaskRow, ...], before: RunState) -> List[Todo]:
    todo = []
    for row in rows:
        state = before.tasks[row.task_id]
        if state.done is not None:
            continue
        number = max((attempt.attempt for attempt in state.attempts), default=0) + 1
        saved = state.checkpoint
        resume: Optional[Dict[str, Any]] = None
        if saved is not None:
            segments = [dict(vars(segment)) for segment in saved.segments]
            resume = {"segments": segments, "progress": saved.progress}
        todo.append(Todo(row, number, resume))
    return todo
