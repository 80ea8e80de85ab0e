"""Say what a plan comes to: as data for machines and as text tables for people.

Pure. The arithmetic behind every number is shown, because a plan is read before hours are spent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from specc.kinds import plan_room
from specc.language.units import format_duration, format_size, size_bytes
from specc.matrix.points import axes_of
from specc.model import Json, Plan, Shape
from specc.packing.advice import spread_advice
from specc.packing.checks import hours_sum, hours_text, short
from specc.packing.shards import margin_s
from specc.stages.plan import effective_block

MOST_REMOVED_SHOWN = 20


def plan_json(plan: Plan) -> dict[str, Json]:
    """Return the plan as one JSON object. Durations [s], memory [bytes], hours as hours."""
    spec, tasks = plan.spec, plan.expansion.tasks
    return {
        "name": spec.name,
        "kind": spec.kind,
        "cluster": spec.profile["name"] if spec.profile else None,
        "axes": [{"name": axis.name, "values": list(axis.values)} for axis in axes_of(spec.data)],
        "points": plan.expansion.points,
        "repetitions": spec.data["repetitions"]["n"],
        "tasks": len(tasks),
        "not_run": sum(task.not_run is not None for task in tasks),
        "not_run_reasons": sorted({task.not_run for task in tasks if task.not_run}),
        "removed": [
            {"axes": removed.axes, "reason": removed.reason} for removed in plan.expansion.removed
        ],
        "shapes": [{**_shape_json(shape), "advice": _advice(plan, shape)} for shape in plan.shapes],
        "gpu_hours": plan.gpu_hours,
        "core_hours": plan.core_hours,
        "budget": spec.data.get("budget"),
    }


def plan_text(plan: Plan) -> str:
    """Return the plan as text for a terminal of 100 columns."""
    parts = [_head(plan), *_matrix(plan), *_removed(plan), *_not_run(plan)]
    for shape in plan.shapes:
        parts += ["", *_shape_text(plan, shape)]
    parts += ["", *_in_turn(plan), *_hours(plan)]
    return "\n".join(parts)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return lines with columns as wide as their widest cell."""
    cells = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return [
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def _shape_json(shape: Shape) -> dict[str, Json]:
    estimate = shape.task.estimate_s
    return {
        "name": shape.name,
        "script": shape.script,
        "environment": shape.environment,
        "partition": shape.job.partition,
        "tasks": sum(len(shard.task_ids) for shard in shape.shards),
        "shards": len(shape.shards),
        "largest_shard": max(len(shard.task_ids) for shard in shape.shards),
        "slots": shape.slots,
        "waves": shape.waves,
        "arrays": [each.script for each in shape.arrays],
        "jobs_at_once": _jobs_at_once(shape),
        "task": {
            "gpus": shape.task.gpus,
            "gpu_memory_bytes": shape.task.gpu_memory_bytes,
            "cpus": shape.task.cpus,
            "memory_bytes": shape.task.memory_bytes,
            "estimate_s": estimate,
            "time_limit_s": shape.task.time_limit_s,
            "nodes": shape.task.nodes,
            "processes_per_node": shape.task.processes_per_node,
        },
        "job": {
            "nodes": shape.job.nodes,
            "gpus_per_node": shape.job.gpus_per_node,
            "cpus_per_node": shape.job.cpus_per_node,
            "memory_bytes": shape.job.memory_bytes,
            "time_limit_s": shape.job.time_limit_s,
            "max_running": shape.job.max_running,
            "exclusive": shape.job.exclusive,
        },
        "work_s": None if estimate is None else shape.waves * estimate,
        "margin_s": margin_s(shape.job.time_limit_s),
    }


def _jobs_at_once(shape: Shape) -> int:
    """Return how many jobs of a shape Slurm may run at a time."""
    return sum(min(each.count, each.max_running or each.count) for each in shape.arrays)


def _advice(plan: Plan, shape: Shape) -> str | None:
    blocked = effective_block(plan.spec, measures=plan_room(plan.spec.kind).MEASURES)
    return spread_advice(shape, plan.spec.profile, blocked=blocked)


def _head(plan: Plan) -> str:
    spec = plan.spec
    cluster = spec.profile["name"] if spec.profile else "no cluster named, nothing checked"
    return f"{spec.name} (kind {spec.kind}, cluster: {cluster})"


def _matrix(plan: Plan) -> Iterator[str]:
    axes, points = axes_of(plan.spec.data), plan.expansion.points
    repetitions = plan.spec.data["repetitions"]["n"]
    if axes:
        yield ""
        yield from table(
            ("axis", "values", ""),
            [(axis.name, str(len(axis.values)), _values(axis.values)) for axis in axes],
        )
    yield ""
    tasks = len(plan.expansion.tasks)
    yield (
        f"{_number(points, 'point')} x {_number(repetitions, 'repetition')}"
        f" = {_number(tasks, 'task')}"
    )


def _removed(plan: Plan) -> Iterator[str]:
    removed = plan.expansion.removed
    if not removed:
        return
    yield ""
    yield f"{_number(len(removed), 'point')} removed:"
    rows = [
        (", ".join(f"{name}={value}" for name, value in each.axes.items()), each.reason)
        for each in removed[:MOST_REMOVED_SHOWN]
    ]
    yield from table(("point", "reason"), rows)
    if len(removed) > MOST_REMOVED_SHOWN:
        yield f"  … and {len(removed) - MOST_REMOVED_SHOWN} more (all of them with --json)"


def _not_run(plan: Plan) -> Iterator[str]:
    counts: dict[str, int] = {}
    for task in plan.expansion.tasks:
        if task.not_run is not None:
            counts[task.not_run] = counts.get(task.not_run, 0) + 1
    for reason, count in counts.items():
        yield f"{_number(count, 'task')} will not be run: {reason}"


def _shape_text(plan: Plan, shape: Shape) -> Iterator[str]:
    tasks = sum(len(shard.task_ids) for shard in shape.shards)
    largest = max(len(shard.task_ids) for shard in shape.shards)
    where = f", partition {shape.job.partition}" if shape.job.partition else ""
    scripts = (
        shape.script if len(shape.arrays) == 1 else f"{shape.script} … {shape.arrays[-1].script}"
    )
    yield (
        f"{scripts}: {_number(tasks, 'task')} in {_number(len(shape.shards), 'shard')}"
        f" (environment {shape.environment}{where})"
    )
    if len(plan.shapes) > 1 and (points := _points_of(plan, shape)):
        yield f"  {points}"
    task, job = shape.task, shape.job
    yield from table(
        ("", "nodes", "GPUs", "cores", "memory", "time limit"),
        [
            (
                "task",
                str(task.nodes),
                f"{task.gpus:g}",
                str(task.cpus),
                _size(task.memory_bytes),
                _time(task.time_limit_s),
            ),
            (
                "job",
                str(job.nodes),
                str(job.gpus_per_node),
                "all" if job.cpus_per_node is None else str(job.cpus_per_node),
                _size(job.memory_bytes),
                _time(job.time_limit_s),
            ),
        ],
    )
    # each array has a throttle of its own, of at least 1
    most = sum(each.max_running or 0 for each in shape.arrays)
    running = f", at most {_number(most, 'job')} at a time" if most else ""
    yield (
        f"  {_number(shape.slots, 'slot')} per job{running}; fullest shard: {largest} tasks"
        f" / {shape.slots} = {_number(shape.waves, 'wave')}"
    )
    if sharing := _on_one_gpu(plan, shape):
        yield f"  {sharing}"
    if task.estimate_s is None:
        yield "  time: unknown without task.estimate"
        return
    margin = margin_s(job.time_limit_s)
    total = shape.waves * task.estimate_s + margin
    verdict = "<=" if total <= job.time_limit_s else ">"
    yield (
        f"  time: {_number(shape.waves, 'wave')} x {short(task.estimate_s)}"
        f" + {format_duration(margin)} to start and stop = {format_duration(total)}"
        f" {verdict} {format_duration(job.time_limit_s)}"
    )
    if advice := _advice(plan, shape):
        yield f"  {advice}"


def _points_of(plan: Plan, shape: Shape) -> str:
    """Return the axes of which a shape has only some values, with these; empty where there is none.

    A shape's name tells what it asks for, not which points those are.
    """
    mine = {task_id for shard in shape.shards for task_id in shard.task_ids}
    tasks = [task for task in plan.expansion.tasks if task.task_id in mine]
    found = []
    for axis in axes_of(plan.spec.data):
        present = {repr(task.axes[axis.name]) for task in tasks}
        held = [value for value in axis.values if repr(value) in present]
        if len(held) < len(axis.values):
            found.append(f"{axis.name}: {_values(held)}")
    return "; ".join(found)


def _in_turn(plan: Plan) -> Iterator[str]:
    """Yield how long the scripts take one after the other, as on a single node."""
    shapes = plan.shapes
    if len(shapes) < 2 or any(s.task.estimate_s is None or len(s.shards) > 1 for s in shapes):
        return
    each = [s.waves * (s.task.estimate_s or 0) + margin_s(s.job.time_limit_s) for s in shapes]
    waves = sum(shape.waves for shape in shapes)
    told = f"{_number(waves, 'wave')}, {format_duration(sum(each))}"
    yield f"time of all {len(shapes)} jobs one after the other: {told}"


def _on_one_gpu(plan: Plan, shape: Shape) -> str:
    """Return how tasks that share a GPU fit into its memory; empty where nothing is known."""
    job, task = shape.job, shape.task
    if not 0 < task.gpus < 1 or not task.gpu_memory_bytes or not job.gpus_per_node:
        return ""
    beside = -(-shape.slots // (job.gpus_per_node * job.nodes))
    needed = f"{beside} x {format_size(task.gpu_memory_bytes)}"
    text = f"GPU memory: {needed} = {format_size(beside * task.gpu_memory_bytes)}"
    profile: Mapping[str, Json] = plan.spec.profile or {}
    for partition in profile.get("partitions") or ():
        memory = (partition.get("gpu") or {}).get("memory")
        if partition["name"] == job.partition and memory is not None:
            # more tasks than fit were never given slots
            return f"{text} <= {format_size(size_bytes(memory))}"
    return f"{text} on each GPU"


def _hours(plan: Plan) -> Iterator[str]:
    budget: Mapping[str, Json] = plan.spec.data.get("budget") or {}
    for label, name, total in (
        ("GPU hours", "gpu_hours", plan.gpu_hours),
        ("core hours", "core_hours", plan.core_hours),
    ):
        limit = f" (budget {budget[name]:g})" if name in budget else ""
        if total is None:
            yield f"{label}: unknown without an estimate and a number of cores{limit}"
        elif total == 0:
            yield f"{label}: none{limit}"
        else:
            parts = hours_sum(plan.shapes, name)
            yield f"{label}: at most {hours_text(total)}{limit} = {parts}"


def _values(values: Sequence[Json]) -> str:
    shown = [str(value) for value in values]
    return ", ".join(shown) if len(shown) <= 10 else f"{', '.join(shown[:6])}, …, {shown[-1]}"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _size(size: int | None) -> str:
    return "-" if size is None else format_size(size)


def _time(seconds: float | None) -> str:
    return "-" if seconds is None else format_duration(seconds)
