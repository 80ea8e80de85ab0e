"""Tell what else used a machine while a task was timed there. Pure.

It speaks only where the samples prove it. Where the launch counted its own CPU time, others are
what remains of the busy time; where it did not, foreign load is a lower bound. Processes on a GPU
count only where the task's own one could be told from them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from specc.collate.evidence.hardware import Samples
from specc.collate.evidence.stretches import (
    LEAST_COVERED_S,
    Stretch,
    gpus_of,
    has_own_group,
    launch_name,
    within,
)
from specc.collate.values import TaskResult
from specc.kinds.base import Window
from specc.model import Json

LEAST_CPUS = 0.5
LEAST_SHARE = 0.1
"""Foreign load counts from half a CPU on that is also a tenth of all: services of the system and
our own sampling stay below."""
LEAST_STOPPED = 0.05
LEAST_WAITED = 0.01
"""A CPU limit counts from a twentieth of its periods on that also cost a hundredth of the time."""
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
    known = {launch_name(one): one for one in launches}
    found: dict[int, dict[str, None]] = defaultdict(dict)
    for window in windows:
        task = tasks[window.task]
        key = (task.run_path or "", task.launch or "")
        # rows of an earlier attempt come from another launch, and maybe from another machine
        if key not in samples or window.attempt != task.attempt:
            continue
        stretch = within(window, samples[key])
        for text in _evidence(window, task, stretch, known.get(key) or {}):
            found[window.task].setdefault(text)
    return {
        place: tuple(("CONTAMINATED", text) for text in texts) for place, texts in found.items()
    }


def _evidence(
    window: Window, task: TaskResult, stretch: Stretch, launch: Mapping[str, Json]
) -> Iterator[str]:
    machine = launch.get("hardware") or {}
    cpus = (machine.get("cpu") or {}).get("allowed_count")
    if isinstance(cpus, int):
        # what the launch used itself is no disturbance, unless other tasks of it ran beside
        own = None if task.beside else stretch.own_cpus(in_job=has_own_group(launch))
        yield from _others(window, stretch, cpus, own)
    yield from _stopped(stretch)
    if (heat := stretch.grown("cpu_throttles")) is not None and heat > 0:
        yield f"the CPU was slowed down for heat {heat:.0f} times while this was timed"
    rows = list(stretch.gpu_rows(gpus_of(task.gpu, machine)))
    if window.own_on_gpu:
        others = [max(one.get("foreign_processes") or 0 for one in row) for row in rows]
        if any(others):
            held = sum(n > 0 for n in others)
            yield f"{max(others)} other processes on the GPU in {held} of {len(rows)} samples"
    slowed = [_SLOWED & {name for one in row for name in one.get("throttle") or ()} for row in rows]
    if any(slowed):
        names = ", ".join(sorted(set().union(*slowed)))
        yield f"the GPU was slowed ({names}) in {sum(map(bool, slowed))} of {len(rows)} samples"


def _others(window: Window, stretch: Stretch, cpus: int, own: float | None) -> Iterator[str]:
    """Yield what others used of the CPUs, where it is too much.

    own: CPUs that all of the launch kept busy; None when that is not what is asked, or not known.
    """
    limit = max(LEAST_CPUS, LEAST_SHARE * cpus)
    busy = None if own is None else stretch.busy_cpus(cpus, stretch.counted)
    if own is not None and busy is not None:
        if busy - own >= limit:
            yield (
                f"others kept {busy - own:.1f} of {cpus} CPUs busy while this was timed"
                f" ({busy:.1f} were busy, {own:.1f} of them by this launch)"
            )
        return
    # all that the task used may have been used within the covered part
    busy, covered_s = stretch.busy_cpus(cpus), stretch.covered_s
    if window.cpu_s is None or busy is None or covered_s < LEAST_COVERED_S:
        return
    least = busy - window.cpu_s / covered_s
    if least >= limit:
        yield f"others kept at least {least:.1f} of {cpus} CPUs busy while this was timed"


def _stopped(stretch: Stretch) -> Iterator[str]:
    """Yield how often the control group's CPU limit stopped the job, where it is too often."""
    names = ("cgroup_cpu_periods", "cgroup_cpu_throttled", "cgroup_cpu_throttled_s")
    periods, stopped, waited_s = (stretch.grown(name) for name in names)
    if not periods or stopped is None or waited_s is None:
        return
    if stopped >= LEAST_STOPPED * periods and waited_s >= LEAST_WAITED * stretch.counted_s:
        yield (
            f"the CPU limit of the control group stopped the job in {stopped:.0f} of {periods:.0f}"
            f" periods ({waited_s:.1f} s of waiting in {stretch.counted_s:.1f} s)"
        )
