"""Choose the tasks of a pilot: the smallest and the largest point of each shape. Pure.

Axes with numbers are ordered by them; a point is as large as the sum of the places of its values,
each from 0 (least) to 1 (most). Axes of words have no order: the first such point counts as
smallest and the last one as largest, so that both ends of the matrix are seen. Where tasks share
GPUs, points between them fill a job's GPUs: slots are spread over the GPUs, so that fewer tasks
would each have one to itself, and what is measured would not be what the study does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from specc.kinds import plan_room
from specc.kinds.sentences import is_number
from specc.language.units import duration_s
from specc.model import Expansion, Json, Spec, Task


def pilot_tasks(spec: Spec, expansion: Expansion) -> Expansion:
    """Return the first repetition of the smallest and the largest point of each shape.

    Of a shape whose tasks share GPUs as many points as fill the GPUs of one job.
    Their ids are those of the whole study. `pilot.time_limit` replaces the jobs' time limit.
    """
    groups: dict[Json, list[Task]] = {}
    room = plan_room(spec.kind)
    for task in expansion.tasks:
        if task.not_run is None:
            # settings decide on fixtures, and tasks with others lie in another shape
            fixtures = repr([(f.type, f.options) for f in room.fixtures(task.settings)])
            key = (task.task, task.job, task.environment, task.sharing, fixtures)
            groups.setdefault(key, []).append(task)
    places = _places(expansion.tasks)
    chosen: dict[str, Task] = {}
    for members in groups.values():
        first = min(member.repetition for member in members)
        once = [task for task in members if task.repetition == first]
        # equals stay in the order of the matrix
        by_size = sorted(once, key=lambda task: _size(task.axes, places))
        for task in _spread(by_size, max(2, _sharing(by_size[0]))):
            chosen[task.task_id] = _shortened(task, spec)
    tasks = tuple(chosen[task.task_id] for task in expansion.tasks if task.task_id in chosen)
    return Expansion(tasks=tasks, removed=expansion.removed, points=len(tasks))


def _sharing(task: Task) -> int:
    """Return how many tasks fill the GPUs of a job, where a GPU has room for several; else 0."""
    share = task.task.gpus
    return task.job.gpus_per_node * int(1 / share + 1e-9) if 0 < share <= 0.5 else 0


def _spread(ordered: Sequence[Task], count: int) -> Iterator[Task]:
    """Yield so many at even distances, the first and the last among them; all of fewer."""
    last = len(ordered) - 1
    places = {round(last * step / (count - 1)) for step in range(count)}
    yield from (ordered[place] for place in sorted(places))


def _places(tasks: Iterable[Task]) -> dict[str, dict[Json, float]]:
    """Return for each axis of numbers the place of each value, from 0 to 1."""
    values: dict[str, dict[Json, None]] = {}
    for task in tasks:
        for name, value in task.axes.items():
            # the list of a value is no key; only numbers have an order here
            values.setdefault(name, {})[value if is_number(value) else None] = None
    found = {}
    for name, seen in values.items():
        if None not in seen and len(seen) > 1:
            ordered = sorted(seen)
            found[name] = {value: place / (len(seen) - 1) for place, value in enumerate(ordered)}
    return found


def _size(axes: Mapping[str, Json], places: Mapping[str, Mapping[Json, float]]) -> float:
    return sum(known[axes[name]] for name, known in places.items())


def _shortened(task: Task, spec: Spec) -> Task:
    limit = spec.data["pilot"].get("time_limit")
    if limit is None or duration_s(limit) >= task.job.time_limit_s:
        return task
    return replace(task, job=replace(task.job, time_limit_s=duration_s(limit)))
