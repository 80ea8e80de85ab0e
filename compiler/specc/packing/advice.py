"""Say what a plan could do otherwise: more jobs side by side, and how long they would take. Pure.

Nothing here changes a plan: without job.max_running a shape gets as few jobs as its time limit
allows, whatever the cluster.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from specc.language.units import format_duration
from specc.model import JobShape, Json, Shape
from specc.packing.shards import margin_s

UNKNOWN_CLUSTER = 8
"""Jobs at a time that are suggested where no profile says how many a partition can hold."""


def spread_advice(shape: Shape, profile: Mapping[str, Json] | None, *, blocked: bool) -> str | None:
    """Return what job.max_running would do for a shape whose jobs run several waves.

    None where the spec states max_running, where tasks run in one wave, where nobody knows how
    long a task takes, or where whole repetitions stay together (`blocked`).
    """
    estimate, job = shape.task.estimate_s, shape.job
    tasks = sum(len(shard.task_ids) for shard in shape.shards)
    if blocked or job.max_running is not None or shape.waves < 2 or estimate is None:
        return None
    jobs = min(_at_once(job, profile), math.ceil(tasks / shape.slots))
    waves = math.ceil(math.ceil(tasks / jobs) / shape.slots)
    if jobs <= len(shape.shards) or waves >= shape.waves:
        return None
    now, then = (_whole(count, estimate, job) for count in (shape.waves, waves))
    return (
        f"job.max_running: {jobs} would use {jobs} jobs of {_waves(waves)}, {then} instead of {now}"
    )


def _at_once(job: JobShape, profile: Mapping[str, Json] | None) -> int:
    """Return how many such jobs a partition can hold: by nodes, cores, GPUs and its own limit."""
    partitions = {each["name"]: each for each in (profile or {}).get("partitions", ())}
    partition = partitions.get(job.partition or "")
    if partition is None:
        return UNKNOWN_CLUSTER
    beside = [1] if job.exclusive else []
    if not job.exclusive and job.cpus_per_node:
        beside.append(partition["cores_per_node"] // job.cpus_per_node)
    if job.gpus_per_node:
        beside.append(partition["gpus_per_node"] // job.gpus_per_node)
    fit = max(1, min(beside, default=1)) * (partition["nodes"] // job.nodes)
    return int(max(1, min(fit, partition.get("max_running") or fit)))


def _whole(waves: int, estimate_s: float, job: JobShape) -> str:
    return format_duration(waves * estimate_s + margin_s(job.time_limit_s))


def _waves(count: int) -> str:
    return f"{count} wave{'' if count == 1 else 's'}"
