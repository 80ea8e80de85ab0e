"""Whether the tasks of a kind may be wider than one process. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from specc.language.blame import Blame
from specc.model import Task
from specc.problems import Problem, error


def check_width(task: Task, kind: str, blame: Blame, *, wide: bool) -> Iterator[Problem]:
    """Yield a task of several processes whose kind works in one: each would do all the work.

    wide: whether the kind's processes divide the work, or are the author's own to divide it.
    """
    shape = task.task
    number = shape.nodes * shape.processes_per_node
    if wide or number == 1:
        return
    mark, path = blame.at(("task.nodes", "task.processes_per_node"), task)
    yield error(
        "E225",
        f"a task of kind {kind} works in one process; this one asks for {number}",
        mark=mark,
        path=path,
        hint="leave out task.nodes and task.processes_per_node; job.nodes gives more slots",
    )
