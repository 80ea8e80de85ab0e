"""Tell what else used a machine while a task was timed there. Pure.

It speaks only where the samples prove it: foreign CPU load is a lower bound, and processes on a
GPU count only where the task's own one could be told from them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from specc.collate.hardware import Samples
from specc.collate.values import TaskResult
from specc.kinds.base import Window
from specc.model import Json

LEAST_CPUS = 0.5
LEAST_SHARE = 0.1
"""Foreign load counts from half a CPU on that is also a tenth of all: services of the system and
our own sampling stay below."""
LEAST_COVERED_S = 1.0
"""The samples within a window must cover this much of it."""
_SLOWED = frozenset(
    {"hw_slowdown", "sw_thermal_slowdown", "hw_thermal_slowdown", "hw_power_brake_slowdown"}
)
"""Clock reasons that are no setting and no ordinary power limit (NVML's names)."""


def contaminated(
    tasks: Sequence[TaskResult],
    windows: Iterable[Window],
    samples: Mapping[tuple[str, str], Samples],
    launches: Iterable[Mapping[str, Json]],
) -> dict[int, tuple[tuple[str, str], ...]]:
    """Return place of the task -> ("CONTAMINATED", evidence) pairs; nothing for the others."""
    hardware = {(one["path"], _name(one)): one["hardware"] for one in launches}
    found: dict[int, dict[str, None]] = defaultdict(dict)
    for window in windows:
        task = tasks[window.task]
        key = (task.run_path or "", task.launch or "")
        # rows of an earlier attempt come from another launch, and maybe from another machine
        if key not in samples or window.attempt != task.attempt:
            continue
        machine = hardware.get(key) or {}
        for text in _evidence(window, task, samples[key], machine):
            found[window.task].setdefault(text)
    return {
        place: tuple(("CONTAMINATED", text) for text in texts) for place, texts in found.items()
    }


def _name(launch: Mapping[str, Json]) -> str:
    return f"{launch['shard_id']}/{launch['launch']}"


def _evidence(
    window: Window, task: TaskResult, samples: Samples, machine: Mapping[str, Json]
) -> Iterator[str]:
    first = bisect_left(samples.t_ns, window.start_ns)
    after = bisect_right(samples.t_ns, window.end_ns)
    cpus = (machine.get("cpu") or {}).get("allowed_count")
    if window.cpu_s is not None and isinstance(cpus, int):
        least = _foreign_cpus(window.cpu_s, samples, range(first, after), cpus)
        if least is not None and least >= max(LEAST_CPUS, LEAST_SHARE * cpus):
            yield f"others kept at least {least:.1f} of {cpus} CPUs busy while this was timed"
    mine = _uuids(task.gpu, machine)
    rows = [
        [one for one in samples.gpus[place] if one["uuid"] in mine] for place in range(first, after)
    ]
    rows = [row for row in rows if row]
    if window.own_on_gpu:
        others = [max(one.get("foreign_processes") or 0 for one in row) for row in rows]
        if any(others):
            held = sum(n > 0 for n in others)
            yield f"{max(others)} other processes on the GPU in {held} of {len(rows)} samples"
    slowed = [_SLOWED & {name for one in row for name in one.get("throttle") or ()} for row in rows]
    if any(slowed):
        names = ", ".join(sorted(set().union(*slowed)))
        yield f"the GPU was slowed ({names}) in {sum(map(bool, slowed))} of {len(rows)} samples"


def _foreign_cpus(cpu_s: float, samples: Samples, places: range, cpus: int) -> float | None:
    """Return the fewest CPUs that others can have kept busy; None when too little is sampled."""
    covered_s = busy_s = 0.0
    for before, place in pairwise(places):
        share = samples.cpu_util_pct[place]
        if share is not None:
            seconds = (samples.t_ns[place] - samples.t_ns[before]) / 1e9
            covered_s += seconds
            busy_s += seconds * cpus * share / 100
    # all that the task used may have been used within the covered part
    return (busy_s - cpu_s) / covered_s if covered_s >= LEAST_COVERED_S else None


def _uuids(gpu: str | None, machine: Mapping[str, Json]) -> frozenset[str]:
    """Return the GPUs of a task; none when the launch doesn't say which they are."""
    wanted = set((gpu or "").split(",")) - {""}
    known = [one for one in machine.get("gpus") or () if isinstance(one, dict)]
    return frozenset(
        str(one["uuid"])
        for one in known
        if one.get("uuid") and wanted & {str(one.get("entry")), str(one["uuid"])}
    )
