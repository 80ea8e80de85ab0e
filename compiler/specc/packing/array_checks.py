"""Hold the number of array elements against what one cluster takes of one user. Pure.

Shards are made fatter before any of this speaks: what is said here is what no packing can help.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

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


def check_arrays(
    task: Task, job: JobShape, partition: Mapping[str, Json], packing: Packing, blame: Blame
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
            hint=_fatter(job, task.task, math.ceil(count / MOST_ARRAYS), longest_s(partition)),
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


def check_submit(spec: Spec, plan: Plan) -> Iterator[Problem]:
    """Yield more jobs in a partition than one user may submit; array elements count as jobs."""
    longest = {p["name"]: longest_s(p) for p in (spec.profile or {}).get("partitions", ())}
    for name, most in _limits(spec.profile).items():
        here = [shape for shape in plan.shapes if shape.job.partition == name]
        total = sum(len(shape.shards) for shape in here)
        if total > most:
            parts = " + ".join(_counted(shape) for shape in here)
            largest = max(here, key=lambda shape: len(shape.shards))
            factor = math.ceil(total / most)
            yield error(
                "E309",
                f"partition {name} takes at most {most} jobs of one user;"
                f" the arrays have {parts} = {total} elements",
                mark=spec.document.key_mark("job"),
                path="job",
                hint=_fatter(largest.job, largest.task, factor, longest[name]),
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


def _fatter(job: JobShape, task: TaskShape, factor: int, longest: float | None) -> str:
    """Return the advice to let one job hold `factor` times as much, where time limits allow."""
    fit = waves_in(job, task)
    if not fit or not task.estimate_s:
        return SPLIT
    needed = limit_needed_s(fit * factor, task.estimate_s)
    if longest is None or needed <= longest:
        return f"raise job.time_limit to {format_duration(needed)}, or {SPLIT}"
    return (
        f"let more tasks run side by side in a job, or {SPLIT}; a longer time limit is no way out:"
        f" {format_duration(needed)} would be needed, and partition {job.partition} ends jobs after"
        f" {format_duration(longest)}"
    )


def _waves(count: int) -> str:
    return f"{count} wave{'' if count == 1 else 's'}"
