"""What can be wrong with a plan, with the arithmetic shown. Pure; yields Problems."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from specc.language.blame import Blame
from specc.language.suggest import did_you_mean
from specc.language.units import format_duration, format_size
from specc.model import JobShape, Json, Plan, Shape, Spec, Task
from specc.packing.shards import Packing, limit_needed_s, margin_s
from specc.problems import Problem, error, warning


def short(seconds: float) -> str:
    """Return a duration in the unit that shows it best: "55 min", "1.5 h", "40 s"."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size and (seconds * 10) % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s" if seconds < 600 else format_duration(seconds)


def waves_text(waves: int, task: Task, job: JobShape) -> str:
    """Return "14 waves of 55 min need 12:50:00, and 5 min to start and stop"."""
    estimate = task.task.estimate_s or 0.0
    noun, verb = ("wave", "needs") if waves == 1 else ("waves", "need")
    return (
        f"{waves} {noun} of {short(estimate)} {verb} {format_duration(waves * estimate)}"
        f" and {short(round(margin_s(job.time_limit_s)))} to start and stop"
    )


def unknown_partition(task: Task, profile: Mapping[str, Json], blame: Blame) -> Problem:
    names = [partition["name"] for partition in profile["partitions"]]
    mark, path = blame.at(("job.partition",), task)
    return error(
        "E301",
        f"cluster {profile['name']} has no partition '{task.job.partition}'",
        mark=mark,
        path=path,
        hint=did_you_mean(task.job.partition or "", names, noun="partitions"),
    )


def check_slots(task: Task, job: JobShape, fitting: int, blame: Blame) -> Iterator[Problem]:
    """Yield a job that has no room for even one of its tasks."""
    if fitting:
        return
    processes = task.task.processes_per_node
    gpus = math.ceil(task.task.gpus) * processes
    cpus, memory = task.task.cpus * processes, task.task.memory_bytes
    if job.gpus_per_node < gpus:
        field, has, needs = "gpus", f"{job.gpus_per_node} GPUs", f"{gpus}"
    elif job.cpus_per_node is not None and job.cpus_per_node < cpus:
        field, has, needs = "cpus", f"{job.cpus_per_node} cores", f"{cpus}"
    elif memory and job.memory_bytes is not None and job.memory_bytes < memory:
        field, has, needs = "memory", format_size(job.memory_bytes), format_size(memory)
    else:
        return  # the node itself is too small: the profile's checks say it better
    full = {"gpus": "gpus_per_node", "cpus": "cpus_per_node", "memory": "memory"}[field]
    mark, path = blame.at((f"job.{full}", f"task.{field}"), task)
    yield error(
        "E224",
        f"one task needs {needs} per node, but the job asks for {has}",
        mark=mark,
        path=path,
        hint=f"raise job.{full} to {needs}, or lower task.{field}",
    )


def check_fit(
    task: Task, job: JobShape, fit: int | None, longest_s: float | None, blame: Blame
) -> Iterator[Problem]:
    """Yield a job too short for one task, or one that nobody can judge for want of an estimate.

    longest_s: the longest time limit that the partition allows; None when nobody knows.
    """
    if fit is None:
        mark, path = blame.at(("task.estimate",), task)
        message = "without task.estimate nothing can be said about time limits and hours"
        hint = "say how long one attempt takes, e.g. estimate: 5min"
        yield warning("W206", message, mark=mark, path=path, hint=hint)
    elif fit < 1:
        needed, text = limit_needed_s(1, task.task.estimate_s or 0.0), waves_text(1, task, job)
        found = _too_long(text, needed, task, job, blame, longest_s=longest_s)
        hint = f"raise it to {format_duration(needed)}, or lower task.estimate"
        if longest_s is not None and needed > longest_s:
            hint = f"{_no_longer(longest_s, job)}: make the task shorter, or choose a partition"
            hint += " that allows more"
        yield replace(found, hint=hint)
    limit = task.task.time_limit_s
    if limit is not None and limit > job.time_limit_s:
        mark, path = blame.at(("task.time_limit",), task)
        whole = short(job.time_limit_s)
        yield warning(
            "W208",
            f"task.time_limit {short(limit)} is longer than job.time_limit {whole}",
            mark=mark,
            path=path,
            hint="the job will be ended first",
        )


def check_split(
    task: Task, job: JobShape, packing: Packing, longest_s: float | None, blame: Blame
) -> Iterator[Problem]:
    """Yield repetitions that had to be split because one job has no time for all of their tasks."""
    if packing.split > 1:
        needed = limit_needed_s(packing.whole_waves, task.task.estimate_s or 0.0)
        text = waves_text(packing.whole_waves, task, job)
        problem = _too_long(text, needed, task, job, blame, longest_s=longest_s)
        yield warning(
            "W207",
            f"{problem.message}: a repetition is split into {packing.split} jobs",
            mark=problem.mark,
            path=problem.path,
            hint=f"{problem.hint}; or write `repetitions: {{block: none}}`",
        )


def check_budget(spec: Spec, plan: Plan) -> Iterator[Problem]:
    """Yield plans above their budget."""
    totals = {"gpu_hours": plan.gpu_hours, "core_hours": plan.core_hours}
    for name, most in (spec.data.get("budget") or {}).items():
        total = totals[name]
        mark, path = spec.document.mark("budget", name), f"budget.{name}"
        unit = "GPU h" if name == "gpu_hours" else "core h"
        if total is None:
            message = f"the budget of {most:g} {unit} cannot be checked"
            hint = "task.estimate or the number of cores is missing"
            yield warning("W209", message, mark=mark, path=path, hint=hint)
        elif total > most:
            parts = hours_sum(plan.shapes, name)
            yield error(
                "E222",
                f"the plan needs up to {total:.1f} {unit}, above the budget of {most:g}: {parts}",
                mark=mark,
                path=path,
                hint="raise the budget, vary less, or correct task.estimate",
            )


def hours_sum(shapes: Sequence[Shape], name: str) -> str:
    """Return how hours come about: "1-cpu: 3.20 h x 8 + 2-gpu: 0.40 h x 4"."""
    parts = []
    for shape in shapes:
        gpus, cores = shape.job.gpus_per_node, shape.job.cpus_per_node
        if width := gpus if name == "gpu_hours" else cores:
            hours = _job_hours(shape) or 0.0
            parts.append(f"{shape.name}: {hours_text(hours)} h x {width * shape.job.nodes}")
    return " + ".join(parts)


def hours_text(hours: float) -> str:
    """Return hours with two decimals; short ones with two digits that say something: "0.0042"."""
    return f"{hours:.2f}" if hours >= 0.1 or not hours else f"{hours:.2g}"


def gpu_hours(shapes: Sequence[Shape]) -> float | None:
    """Return GPUs times hours [GPU h]; None when a shape with GPUs has no estimate."""
    return _total([(_job_hours(s), s.job.gpus_per_node * s.job.nodes) for s in shapes])


def core_hours(shapes: Sequence[Shape], profile: Mapping[str, Json] | None) -> float | None:
    """Return cores times hours [core h]; None when an estimate or a number of cores is missing."""
    cores_of = {p["name"]: p["cores_per_node"] for p in (profile or {}).get("partitions", ())}
    parts = []
    for shape in shapes:
        cores = shape.job.cpus_per_node
        if shape.job.exclusive and shape.job.partition in cores_of:
            cores = cores_of[shape.job.partition]
        parts.append((_job_hours(shape), None if cores is None else cores * shape.job.nodes))
    return _total(parts)


def _job_hours(shape: Shape) -> float | None:
    """Return the hours that all jobs of a shape take together; None without an estimate."""
    if shape.task.estimate_s is None:
        return None
    waves = sum(math.ceil(len(shard.task_ids) / shape.slots) for shard in shape.shards)
    return waves * shape.task.estimate_s / 3600


def _total(parts: Sequence[tuple[float | None, int | None]]) -> float | None:
    total = 0.0
    for hours, width in parts:
        if width == 0:
            continue
        if hours is None or width is None:
            return None
        total += hours * width
    return total


def _no_longer(longest_s: float, job: JobShape) -> str:
    return f"partition {job.partition} ends jobs after {format_duration(longest_s)}"


def _too_long(
    text: str,
    needed_s: float,
    task: Task,
    job: JobShape,
    blame: Blame,
    *,
    longest_s: float | None,
) -> Problem:
    mark, path = blame.at(("job.time_limit", "task.estimate"), task)
    advice = f"raise it to {format_duration(needed_s)},"
    if longest_s is not None and needed_s > longest_s:
        advice = f"{_no_longer(longest_s, job)}:"
    return error(
        "E207",
        f"{text}, but job.time_limit is {format_duration(job.time_limit_s)}",
        mark=mark,
        path=path,
        hint=f"{advice} ask for more GPUs or cores, or pack more tasks side by side",
    )
