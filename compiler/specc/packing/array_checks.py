"""Hold the number of array elements against what one cluster takes of one user. Pure.

Shards are made fatter before any of this speaks: what is said here is what no packing can help.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from specc.language.blame import Blame
from specc.language.units import format_duration
from specc.model import JobShape, Json, Plan, Shape, Spec, Task, TaskShape
from specc.packing.checks import short
from specc.packing.cluster import longest_s
from specc.packing.shards import Packing, limit_needed_s, waves_in
from specc.problems import Problem, error

MOST_ARRAYS = 20
"""Arrays of one shape, each a script of its own; more are taken for a time limit set too low."""
SPLIT = "split the study into several specs"


_TRIES = 60
"""Longer time limits that are tried before a hint names one."""
Repack: TypeAlias = Callable[[float], int]
"""The number of shards that a shape would have with another time limit [s] of its job."""


def check_arrays(
    task: Task,
    job: JobShape,
    partition: Mapping[str, Json],
    packing: Packing,
    blame: Blame,
    *,
    repack: Repack,
) -> Iterator[Problem]:
    """Yield a shape that needs more arrays than anybody would submit."""
    shards, most = len(packing.shards), partition["max_array_size"]
    count = math.ceil(shards / most)
    if count > MOST_ARRAYS:
        mark, path = blame.at(("job.time_limit",), task)
        yield error(
            "E308",
            f"{shards} array elements of {_waves(packing.waves)} are needed; partition"
            f" {partition['name']} takes {most} in an array, which makes {count} arrays,"
            f" more than {MOST_ARRAYS}",
            mark=mark,
            path=path,
            hint=_fatter(
                job,
                task.task,
                longest_s(partition),
                lambda limit_s: repack(limit_s) <= MOST_ARRAYS * most,
            ),
        )


def submit_rooms(profile: Mapping[str, Json] | None, shapes: Sequence[Shape]) -> dict[str, int]:
    """Return how far shapes may be spread where they are more elements than a user may submit.

    Partition to the most shards that each of its shapes makes for the sake of `max_running`; what
    time limits need comes on top. Empty where the shapes keep within every limit.
    """
    rooms = {}
    for name, most in _limits(profile).items():
        here = [shape for shape in shapes if shape.job.partition == name]
        if sum(len(shape.shards) for shape in here) > most:
            rooms[name] = max(1, most // len(here))
    return rooms


def check_submit(spec: Spec, plan: Plan, repack: Mapping[str, Repack]) -> Iterator[Problem]:
    """Yield more jobs in a partition than one user may submit; array elements count as jobs.

    repack: by the name of a shape.
    """
    longest = {p["name"]: longest_s(p) for p in (spec.profile or {}).get("partitions", ())}
    for name, most in _limits(spec.profile).items():
        here = [shape for shape in plan.shapes if shape.job.partition == name]
        total = sum(len(shape.shards) for shape in here)
        if total > most:
            parts = " + ".join(_counted(shape) for shape in here)
            largest = max(here, key=lambda shape: len(shape.shards))
            alike = {s.name for s in here if s.job.time_limit_s == largest.job.time_limit_s}
            yield error(
                "E309",
                f"partition {name} takes at most {most} jobs of one user;"
                f" the arrays have {parts} = {total} elements",
                mark=spec.document.key_mark("job"),
                path="job",
                hint=_fatter(
                    largest.job,
                    largest.task,
                    longest[name],
                    partial(_keeps, here, alike, repack, most),
                ),
            )


def _keeps(
    shapes: Sequence[Shape],
    alike: Container[str],
    repack: Mapping[str, Repack],
    most: int,
    limit_s: float,
) -> bool:
    """Tell whether shapes keep within a number of elements once those alike have this limit."""
    return most >= sum(
        repack[shape.name](limit_s) if shape.name in alike else len(shape.shards)
        for shape in shapes
    )


def _limits(profile: Mapping[str, Json] | None) -> dict[str, int]:
    return {
        partition["name"]: partition["max_submit_jobs"]
        for partition in (profile or {}).get("partitions", ())
        if partition.get("max_submit_jobs") is not None
    }


def _counted(shape: Shape) -> str:
    """Return "9 (1-gpu: 9 tasks of 50 min, 1 at a time, 1 wave each)"."""
    tasks = sum(len(shard.task_ids) for shard in shape.shards)
    each = f" of {short(shape.task.estimate_s)}" if shape.task.estimate_s else ""
    return (
        f"{len(shape.shards)} ({shape.name}: {tasks} tasks{each}, {shape.slots} at a time,"
        f" {_waves(shape.waves)} each)"
    )


def _fatter(
    job: JobShape, task: TaskShape, longest: float | None, keeps: Callable[[float], bool]
) -> str:
    """Return the advice to give jobs more time, where some limit that is allowed would help.

    keeps: tells whether all is well with a time limit [s].
    """
    fit = waves_in(job, task)
    if not fit or not task.estimate_s:
        return SPLIT
    limits = [limit_needed_s(fit * times, task.estimate_s) for times in range(2, _TRIES)]
    allowed = limits if longest is None else [*(x for x in limits if x < longest), longest]
    enough = next((limit for limit in allowed if keeps(limit)), None)
    if enough is not None:
        return f"raise job.time_limit to {format_duration(enough)}, or {SPLIT}"
    if longest is None:
        return SPLIT
    return (
        f"let more tasks run side by side in a job, or {SPLIT}; a longer time limit is no way out:"
        f" partition {job.partition} ends jobs after {format_duration(longest)}"
    )


def _waves(count: int) -> str:
    return f"{count} wave{'' if count == 1 else 's'}"
