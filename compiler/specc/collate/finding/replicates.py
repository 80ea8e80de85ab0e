"""Count the values of an axis that only repeats a measurement, a seed, as repetitions of a point.

Pure. A task keeps its axes and its id; only the point that its number belongs to is another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from specc.collate.values import TaskResult
from specc.model import Json


def with_replicates(tasks: tuple[TaskResult, ...], names: Sequence[str]) -> tuple[TaskResult, ...]:
    """Return the tasks, those that differ along some axes only as repetitions of one point.

    names: the axes of which the kind says so.   One along which any other setting than the one of
    its name changes is no mere repetition, and stays an axis.
    """
    for name in names:
        if _only_repeats(tasks, name):
            tasks = _renumbered(tasks, name)
    return tasks


def _only_repeats(tasks: Sequence[TaskResult], name: str) -> bool:
    if not any(name in task.axes for task in tasks):
        return False
    settings: dict[str, str] = {}
    for task in tasks:
        rest = repr(sorted((k, repr(v)) for k, v in task.settings.items() if k != name))
        if settings.setdefault(repr(_point(task, name)), rest) != rest:
            return False
    return True


def _renumbered(tasks: Sequence[TaskResult], name: str) -> tuple[TaskResult, ...]:
    values = {repr(task.axes[name]): task.axes[name] for task in tasks if name in task.axes}
    # by value, because a rerun has its tasks in another order
    numbers = {text: at for at, text in enumerate(sorted(values, key=lambda t: _size(values[t])))}
    return tuple(
        replace(
            task,
            replicates=(*task.replicates, name),
            repetition=task.repetition * len(numbers) + numbers[repr(task.axes[name])],
        )
        if name in task.axes
        else task
        for task in tasks
    )


def _size(value: Json) -> tuple[bool, float, str]:
    """Return what sorts numbers by their size, and behind them texts by their letters."""
    number = isinstance(value, int | float)
    return not number, float(value) if number else 0.0, str(value)


def _point(task: TaskResult, name: str) -> list[tuple[str, str]]:
    return sorted((axis, repr(value)) for axis, value in task.point.items() if axis != name)
