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

    names: the axes of which the kind says so.   Where another setting than the one of the axis's
    name changes along it, tasks are no mere repetitions, and that point keeps the axis.
    """
    for name in names:
        tasks = _renumbered(tasks, name)
    return tasks


def _renumbered(tasks: Sequence[TaskResult], name: str) -> tuple[TaskResult, ...]:
    values = {repr(task.axes[name]): task.axes[name] for task in tasks if name in task.axes}
    if not values:
        return tuple(tasks)
    # by value, because a rerun has its tasks in another order
    numbers = {text: at for at, text in enumerate(sorted(values, key=lambda t: _size(values[t])))}
    mixed = _changing_more(tasks, name)
    return tuple(
        replace(
            task,
            replicates=(*task.replicates, name),
            repetition=task.repetition * len(numbers) + numbers[repr(task.axes[name])],
        )
        if name in task.axes and _point(task, name) not in mixed
        else task
        for task in tasks
    )


def _changing_more(tasks: Sequence[TaskResult], name: str) -> set[str]:
    """Return the points at which more settings change along an axis than the one of its name."""
    settings: dict[str, str] = {}
    mixed = set()
    for task in tasks:
        rest = repr(sorted((k, repr(v)) for k, v in task.settings.items() if k != name))
        if settings.setdefault(_point(task, name), rest) != rest:
            mixed.add(_point(task, name))
    return mixed


def _point(task: TaskResult, name: str) -> str:
    return repr(sorted((axis, repr(v)) for axis, v in task.point.items() if axis != name))


def _size(value: Json) -> tuple[bool, float, str]:
    """Return what sorts numbers by their size, and behind them texts by their letters."""
    number = isinstance(value, int | float)
    return not number, float(value) if number else 0.0, str(value)
