"""Resources of a task and of a job: from what the spec says to numbers, and how the one packs
into the other. Pure; sizes in bytes, times in seconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from specc.language.units import duration_s, size_bytes
from specc.model import JobShape, Json, TaskShape


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """The resources of one class of points, derived values filled in."""

    task: TaskShape
    job: JobShape
    environment: str | None
    sharing: bool


def task_shape(task: Mapping[str, Json]) -> TaskShape:
    """Return the numbers of a valid task block."""
    return TaskShape(
        gpus=task["gpus"],
        gpu_memory_bytes=_size(task, "gpu_memory"),
        cpus=int(task["cpus"]),
        memory_bytes=_size(task, "memory"),
        estimate_s=_duration(task, "estimate"),
        time_limit_s=_duration(task, "time_limit"),
        stall_limit_s=_duration(task, "stall_limit"),
        nodes=int(task["nodes"]),
        processes_per_node=int(task["processes_per_node"]),
    )


def job_shape(job: Mapping[str, Json], task: TaskShape, *, one_at_a_time: bool) -> JobShape:
    """Return the numbers of a valid job block; what it leaves open follows from the task.

    GPUs: enough for one task (a share of a GPU asks for a whole one). Cores and memory: enough for
    the tasks that then run side by side; with `exclusive` the node's, so they stay open.
    """
    processes = task.processes_per_node
    gpus = int(job.get("gpus_per_node", math.ceil(task.gpus * processes)))
    cpus = job.get("cpus_per_node")
    memory = _size(job, "memory")
    beside = (
        1
        if one_at_a_time
        else per_node(
            task,
            gpus=gpus if task.gpus else None,
            cpus=cpus,
            memory_bytes=memory,
            gpu_memory_bytes=None,
        )
    )
    beside = max(beside, 1)
    if cpus is None and not job["exclusive"]:
        cpus = beside * task.cpus * processes
    if memory is None and task.memory_bytes is not None and not job["exclusive"]:
        memory = beside * task.memory_bytes
    return JobShape(
        nodes=max(int(job["nodes"]), task.nodes),
        gpus_per_node=gpus,
        cpus_per_node=None if cpus is None else int(cpus),
        memory_bytes=memory,
        time_limit_s=duration_s(job["time_limit"]),
        max_running=job.get("max_running"),
        exclusive=job["exclusive"],
        partition=job.get("partition"),
        sbatch=tuple(
            (name, "" if value is True else str(value)) for name, value in job["sbatch"].items()
        ),
    )


def per_node(
    task: TaskShape,
    *,
    gpus: int | None,
    cpus: int | None,
    memory_bytes: int | None,
    gpu_memory_bytes: int | None,
) -> int:
    """Return how many tasks fit side by side on a node; None stands for "does not limit".

    A task that shares a GPU stays on one GPU: three tasks of 0.4 need two GPUs, not 1.2.
    Where nothing limits, one task.
    """
    processes = task.processes_per_node
    limits = []
    if cpus is not None:
        limits.append(cpus // (task.cpus * processes))
    if memory_bytes is not None and task.memory_bytes:
        limits.append(memory_bytes // task.memory_bytes)
    if gpus is not None and task.gpus:
        limits.append(_on_gpus(task, gpus, gpu_memory_bytes))
    return min(limits, default=1)


def slots(
    task: TaskShape, job: JobShape, *, partition: Mapping[str, Json] | None, one_at_a_time: bool
) -> int:
    """Return how many tasks run at a time in one array element; 0 when not even one fits."""
    node_cpus, node_memory, gpu_memory = job.cpus_per_node, job.memory_bytes, None
    if partition is not None:
        gpu_memory = _size(partition.get("gpu") or {}, "memory")
        if job.exclusive:
            node_cpus = node_cpus or partition["cores_per_node"]
            node_memory = node_memory or _size(partition, "memory_per_node")
    beside = per_node(
        task,
        gpus=job.gpus_per_node,
        cpus=node_cpus,
        memory_bytes=node_memory,
        gpu_memory_bytes=gpu_memory,
    )
    if not beside:
        return 0
    return 1 if one_at_a_time else beside * max(job.nodes // task.nodes, 1)


def _on_gpus(task: TaskShape, gpus: int, gpu_memory_bytes: int | None) -> int:
    if task.gpus >= 1:
        return int(gpus // (math.ceil(task.gpus) * task.processes_per_node))
    sharing = math.floor(1 / task.gpus + 1e-9)
    if gpu_memory_bytes is not None and task.gpu_memory_bytes:
        sharing = min(sharing, gpu_memory_bytes // task.gpu_memory_bytes)
    return gpus * sharing // task.processes_per_node


def _size(block: Mapping[str, Json], name: str) -> int | None:
    return size_bytes(block[name]) if block.get(name) is not None else None


def _duration(block: Mapping[str, Json], name: str) -> float | None:
    return duration_s(block[name]) if block.get(name) is not None else None
