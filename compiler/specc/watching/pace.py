"""How long a run will still take, from how long its tasks took. An estimate, and labelled one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean

from specc.watching.shards import ShardStatus
from specc_runtime.contract.runs import RunState


def time_left_s(state: RunState, shards: Sequence[ShardStatus], *, slots: int) -> float | None:
    """Return the time of the tasks left over the slots at work [s]; 0 when nothing is left.

    A task that is left counts as the mean of its shape, else of all. Whatever still waits in the
    queue is taken to get no more slots than these.
    None when nothing is at work, or no task has completed yet.
    """
    left: dict[str, int] = defaultdict(int)
    for shard in shards:
        if shard.state not in ("done", "failed"):
            left[_shape(shard.shard_id)] += shard.total - shard.completed - shard.failed
    count = sum(left.values())
    if not count:
        return 0.0
    took: dict[str, list[float]] = defaultdict(list)
    for task in state.tasks.values():
        if task.done is not None and task.done.duration_s is not None:
            took[_shape(task.done.launch.partition("/")[0])].append(task.done.duration_s)
    if not slots or not took or not any(shard.state == "running" for shard in shards):
        return None
    overall = fmean([seconds for each in took.values() for seconds in each])
    work = sum(
        number * (fmean(took[shape]) if shape in took else overall)
        for shape, number in left.items()
    )
    return round(work / min(slots, count), 1)


def _shape(shard_id: str) -> str:
    return shard_id.rpartition("-")[0]
