"""Tell which tasks of a shard a launch takes up, and which are given up.

A task that never ended, or that somebody stopped, is taken up again. One that failed is given up
once its attempts are used, in this run and in the bundles before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, FrozenSet, List, Mapping, Optional, Tuple

from ..contract.giving_up import is_given_up, used_up
from ..contract.runs import RunState, TaskState
from ..contract.tasks import TaskRow
from ..pool.running import Todo
from ..slurm_env import own_id


@dataclass(frozen=True)
class Left:
    """A shard's tasks at the start of a launch."""

    todo: Tuple[Todo, ...]
    done: Tuple[Tuple[str, str], ...]
    """Task, and the launch in which it was completed."""
    given_up: Tuple[str, ...]
    """Tasks that failed, and may not be tried again."""

    @property
    def total(self) -> int:
        return len(self.todo) + len(self.done) + len(self.given_up)


def what_is_left(
    rows: Tuple[TaskRow, ...],
    before: RunState,
    rules: Mapping[str, Mapping[str, Any]],
    *,
    again: bool,
    job_id: Optional[str],
) -> Left:
    """Sort a shard's tasks.

    rules: `on_failure` of the bundle.   again: given up tasks get one more attempt.
    job_id: of this job; a task that failed in an earlier start of it has had that attempt.
    """
    mine = _launches_of(before, job_id)
    todo: List[Todo] = []
    done: List[Tuple[str, str]] = []
    given_up: List[str] = []
    for row in rows:
        state = before.tasks[row.task_id]
        used = used_up(row, state)
        if state.done is not None:
            done.append((row.task_id, state.done.launch))
        elif is_given_up(row, state, rules) and not (
            again and state.attempts[-1].launch not in mine
        ):
            given_up.append(row.task_id)
        else:
            number = max((attempt.attempt for attempt in state.attempts), default=0) + 1
            todo.append(Todo(row, number, _resume(state), used=used, reached=_reached(state)))
    return Left(tuple(todo), tuple(done), tuple(given_up))


def _launches_of(before: RunState, job_id: Optional[str]) -> FrozenSet[str]:
    if job_id is None:
        return frozenset()
    return frozenset(
        launch.folder.launch
        for launch in before.launches
        if launch.info is not None and own_id(launch.info["slurm"]) == job_id
    )


def _resume(state: TaskState) -> Optional[Dict[str, Any]]:
    saved = state.checkpoint
    if saved is None:
        return None
    segments = [dict(vars(segment)) for segment in saved.segments]
    return {"segments": segments, "progress": saved.progress}


def _reached(state: TaskState) -> Tuple[Any, ...]:
    return tuple(attempt.progress for attempt in state.attempts if attempt.progress is not None)
