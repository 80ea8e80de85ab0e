"""Deal the tasks of one shape out to shards, and reckon how long a shard takes.

Pure. A shard is one array element: it runs `slots` tasks at a time, wave after wave.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

from specc.model import Array, JobShape, Task, TaskShape

SUFFIX = ".sbatch"
MARGIN_SHARE = 0.05
MARGIN_MOST_S = 300.0
"""Part of job.time_limit kept for verifying, building the environment and stopping in order:
a twentieth, at most five minutes. An environment is built once per site, so most jobs need less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """How the tasks of a shape lie in shards."""

    shards: tuple[tuple[Task, ...], ...]
    waves: int
    """Rounds of tasks in the fullest shard."""
    split: int
    """Shards that one repetition had to be split into; 1 when each lies in one."""
    whole_waves: int
    """Rounds that an unsplit repetition would take."""


def margin_s(time_limit_s: float) -> float:
    """Return the part of a job's time that holds no tasks [s]."""
    return min(MARGIN_SHARE * time_limit_s, MARGIN_MOST_S)


def waves_in(job: JobShape, task: TaskShape) -> int | None:
    """Return how many rounds of tasks a job has time for; None without an estimate."""
    if not task.estimate_s:
        return None
    usable = job.time_limit_s - margin_s(job.time_limit_s)
    return math.floor(usable / task.estimate_s + 1e-9)


def limit_needed_s(waves: int, estimate_s: float) -> float:
    """Return the smallest job.time_limit [s], in whole minutes, that holds so many waves."""
    work = waves * estimate_s
    by_share = work / (1 - MARGIN_SHARE)
    needed = by_share if by_share - work <= MARGIN_MOST_S else work + MARGIN_MOST_S
    return 60.0 * math.ceil(needed / 60 - 1e-9)


def order_tasks(tasks: Sequence[Task], *, order: str, seed: int) -> list[list[Task]]:
    """Return the tasks of each repetition, in the order in which they start.

    The seeded shuffle sorts by a hash of seed, repetition and task: a study that grows keeps the
    relative order of the tasks it had, and no library's idea of randomness enters.
    """
    repetitions: dict[int, list[Task]] = {}
    for task in tasks:
        repetitions.setdefault(task.repetition, []).append(task)
    if order == "random":
        for number, members in repetitions.items():
            members.sort(key=_Shuffle(seed, number))
    return [repetitions[number] for number in sorted(repetitions)]


def pack(
    repetitions: Sequence[Sequence[Task]],
    *,
    slots: int,
    waves_fit: int | None,
    max_running: int | None,
    blocked: bool,
    most: int | None = None,
) -> Packing:
    """Deal tasks to shards of equal size, give or take one.

    As few shards as the time limit allows, but as many as may run at once, up to `most`.
    waves_fit: rounds a job has time for, at least 1; None when nobody knows.
    blocked: a shard holds one whole repetition, or a part of one where it takes too long; several
    whole ones where that alone keeps within `most`.
    most: shards that one array takes; more are made only where fewer would take too long.
    """
    capacity = None if waves_fit is None else slots * waves_fit
    largest = max(len(members) for members in repetitions)
    if blocked:
        parts = [_shards_for(len(r), capacity) for r in repetitions]
        shards = [
            shard
            for members, count in zip(repetitions, parts, strict=True)
            for shard in _deal(members, count)
        ]
        if most is not None and max(parts) == 1:
            fit = None if waves_fit is None else waves_fit // math.ceil(largest / slots)
            shards = _joined(shards, most, fit)
    else:
        tasks = [task for members in repetitions for task in members]
        wanted = min(max_running or 1, math.ceil(len(tasks) / slots), most or len(tasks))
        parts = [1]
        shards = _deal(tasks, max(_shards_for(len(tasks), capacity), wanted))
    fullest = max(len(shard) for shard in shards)
    return Packing(
        shards=tuple(shards),
        waves=math.ceil(fullest / slots),
        split=max(parts),
        whole_waves=math.ceil(largest / slots),
    )


def arrays(
    script: str, shards: int, *, most: int | None, max_running: int | None
) -> tuple[Array, ...]:
    """Return the arrays that so many shards need, of equal size, give or take one.

    script: name of the first one's script; the others count on from it.
    most: elements that one array takes; None for no limit.
    """
    count = 1 if most is None else math.ceil(shards / most)
    size, larger = divmod(shards, count)
    share, more = divmod(max_running or 0, count)
    made, first = [], 0
    for place in range(count):
        elements = size + (place < larger)
        at_once = max(1, share + (place < more)) if max_running else None
        made.append(
            Array(
                script=script
                if not place
                else f"{script.removesuffix(SUFFIX)}-{place + 1}{SUFFIX}",
                first=first,
                count=elements,
                max_running=at_once,
            )
        )
        first += elements
    return tuple(made)


def _joined(shards: list[tuple[Task, ...]], most: int, fit: int | None) -> list[tuple[Task, ...]]:
    """Return the shards, several in one where there are more than `most` and time for `fit`."""
    together = math.ceil(len(shards) / most)
    if fit is not None:
        together = min(together, max(fit, 1))
    return [
        tuple(task for shard in shards[start : start + together] for task in shard)
        for start in range(0, len(shards), together)
    ]


def _shards_for(count: int, capacity: int | None) -> int:
    return 1 if capacity is None else math.ceil(count / capacity)


def _deal(tasks: Sequence[Task], count: int) -> list[tuple[Task, ...]]:
    size, larger = divmod(len(tasks), count)
    shards, start = [], 0
    for place in range(count):
        end = start + size + (place < larger)
        shards.append(tuple(tasks[start:end]))
        start = end
    return shards


class _Shuffle:
    """Sort key of a seeded shuffle."""

    def __init__(self, seed: int, repetition: int) -> None:
        self._start = f"{seed}:{repetition}:"

    def __call__(self, task: Task) -> bytes:
        return hashlib.sha256((self._start + task.task_id).encode()).digest()
