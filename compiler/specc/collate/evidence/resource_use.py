"""How near its limits each resource was while a task was timed, from samples and Slurm. Pure.

The statistics are those of `specc.analysis.bottleneck_table`. What can't be told has its reason.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import isfinite
from types import MappingProxyType

from specc.analysis.bottleneck_table import STATISTICS
from specc.analysis.strangers import TOO_BRIEF
from specc.collate.evidence.hardware import Samples
from specc.collate.evidence.stretches import Stretch, gpus_of, has_own_group, within
from specc.collate.values import TaskResult
from specc.kinds.base import Window
from specc.model import Json

MIB = 2**20
LEAST_SEGMENTS = 1000
"""Fewer TCP segments say nothing of how many are lost."""
_HELD_BACK = frozenset(
    {
        *("sw_power_cap", "hw_slowdown", "sw_thermal_slowdown"),
        *("hw_thermal_slowdown", "hw_power_brake_slowdown"),
    }
)
_LARGEST = frozenset({"gpu_memory_pct", "host_memory_pct"})
_SUMMED = frozenset({"oom_kills"})
_GPU = frozenset({"gpu_compute", "gpu_power", "gpu_memory"})
_COUNTER = {
    "own_cpu_pct": "own_cpu_s",
    "cpu_throttled_pct": "cgroup_cpu_throttled",
    "cpu_wait_pct": "psi_cpu_some_s",
    "busiest_thread_pct": "own_busiest_thread_pct",
    "memory_wait_pct": "psi_memory_some_s",
    "major_faults_per_s": "own_major_faults",
    "swap_mib_per_s": "swap_in_bytes",
    "disk_busy_pct": "disks",
    "io_wait_pct": "psi_io_some_s",
    "network_pct": "networks",
    "tcp_retransmit_pct": "tcp_retransmits",
}
"""Statistic -> the counter that is behind it, whose absence a launch explains."""
SAMPLED = frozenset(
    {*_COUNTER, "cpu_util_pct", "host_memory_pct", "gpu_util_pct", "gpu_capped_pct"}
    | {"gpu_power_pct", "gpu_memory_pct"}
)
_WITH_GPU = tuple(one.name for one in STATISTICS if one.name in SAMPLED)
_WITHOUT_GPU = tuple(
    one.name for one in STATISTICS if one.name in SAMPLED and one.resource not in _GPU
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """The statistics of one task, or of all tasks of a cell."""

    values: Mapping[str, float] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()
    """Resources that the task doesn't use."""


def use_of(
    task: TaskResult,
    windows: Sequence[Window],
    samples: Samples | None,
    launch: Mapping[str, Json],
) -> Use:
    """Return what one task used while it was timed.

    windows: of the task.   samples: of its launch; None without any.   launch: its launch.json.
    """
    if samples is None:
        return _nothing_known("nothing was sampled", gpu=bool(task.gpu))
    mine = [window for window in windows if window.attempt == task.attempt]
    if not mine:
        return _nothing_known("when it was timed is not recorded", gpu=bool(task.gpu))
    absent = frozenset[str]() if task.gpu else _GPU
    wanted = _WITH_GPU if task.gpu else _WITHOUT_GPU
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for window in mine:
        seconds = (window.end_ns - window.start_ns) / 1e9
        stretch = within(window, samples)
        for name, value in _statistics(task, stretch, samples, launch):
            found[name].append((value, seconds))
    values = _all_together(found)
    missing = {
        name: samples.unavailable.get(_COUNTER.get(name, name), _why(name, samples))
        for name in wanted
        if name not in values
    }
    return Use(values=values, missing=missing, absent=absent)


@cache
def _nothing_known(reason: str, *, gpu: bool) -> Use:
    """Return the use of every task of which nothing is known for this reason."""
    wanted = _WITH_GPU if gpu else _WITHOUT_GPU
    absent = frozenset[str]() if gpu else _GPU
    return Use(missing=MappingProxyType(dict.fromkeys(wanted, reason)), absent=absent)


def of_cell(uses: Iterable[Use]) -> Use:
    """Return the mean over the tasks of a cell, the largest where a peak is meant."""
    each = list(uses)
    if each and not each[0].values and all(use is each[0] for use in each):
        return each[0]
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for use in each:
        for name, value in use.values.items():
            found[name].append((value, 1.0))
    values = _all_together(found)
    missing = {name: text for use in each for name, text in use.missing.items()}
    return Use(
        values=values,
        missing={name: text for name, text in missing.items() if name not in values},
        absent=frozenset.intersection(*(use.absent for use in each)) if each else frozenset(),
    )


def _all_together(found: Mapping[str, list[tuple[float, float]]]) -> dict[str, float]:
    """Return one value for each statistic; none where absurd samples leave no finite one."""
    values = {name: _together(name, each) for name, each in found.items()}
    return {name: value for name, value in values.items() if isfinite(value)}


def _together(name: str, values: Sequence[tuple[float, float]]) -> float:
    """Return one value for several (value, weight): their mean, largest or sum."""
    if name in _LARGEST:
        return max(value for value, _ in values)
    if name in _SUMMED:
        return sum(value for value, _ in values)
    weights = sum(weight for _, weight in values)
    if not weights:
        return values[0][0]
    return sum(value * weight for value, weight in values) / weights


def _why(name: str, samples: Samples) -> str:
    if name in _COUNTER and not any(samples.counters):
        return "not sampled by the runtime that ran it"
    if name == "network_pct":
        return "no line rate is known, or timed for less than 3 s at a time"
    if name == "tcp_retransmit_pct":
        return f"fewer than {LEAST_SEGMENTS} segments were sent while this was timed"
    return TOO_BRIEF


def _statistics(
    task: TaskResult, stretch: Stretch, samples: Samples, launch: Mapping[str, Json]
) -> Iterator[tuple[str, float]]:
    machine = launch.get("hardware") or {}
    cpus = (machine.get("cpu") or {}).get("allowed_count")
    if isinstance(cpus, int) and cpus:
        yield from _of_cpus(stretch, cpus, in_job=has_own_group(launch))
    yield from _of_memory(stretch, samples, machine)
    if seconds := stretch.counted_s:
        yield from _of_counters(stretch, seconds)
        yield from _of_devices(stretch, seconds)
    yield from _of_gpus(stretch, gpus_of(task.gpu, machine), machine)


def _of_cpus(stretch: Stretch, cpus: int, *, in_job: bool) -> Iterator[tuple[str, float]]:
    if (busy := stretch.busy_cpus(cpus)) is not None:
        yield "cpu_util_pct", 100 * busy / cpus
    if (own := stretch.own_cpus(in_job=in_job)) is not None:
        yield "own_cpu_pct", 100 * own / cpus
    periods, stopped = stretch.grown("cgroup_cpu_periods"), stretch.grown("cgroup_cpu_throttled")
    if periods and stopped is not None:
        yield "cpu_throttled_pct", 100 * stopped / periods
    if shares := stretch.gauge("own_busiest_thread_pct"):
        yield "busiest_thread_pct", sum(shares) / len(shares)


def _of_counters(stretch: Stretch, seconds: float) -> Iterator[tuple[str, float]]:
    for name in ("cpu", "memory", "io"):
        # of the job where the kernel tells it, else of the machine
        waited = [stretch.grown(f"{prefix}psi_{name}_some_s") for prefix in ("cgroup_", "")]
        known = [one for one in waited if one is not None]
        if known:
            yield f"{name}_wait_pct", min(100.0, 100 * known[0] / seconds)
    if (faults := stretch.grown("own_major_faults")) is not None:
        yield "major_faults_per_s", faults / seconds
    swapped = [stretch.grown(name) for name in ("swap_in_bytes", "swap_out_bytes")]
    if None not in swapped:
        yield "swap_mib_per_s", sum(one or 0.0 for one in swapped) / MIB / seconds
    if (kills := stretch.grown("cgroup_oom_kills")) is not None:
        yield "oom_kills", kills
    sent, again = stretch.grown("tcp_segments_sent"), stretch.grown("tcp_retransmits")
    if sent is not None and again is not None and sent >= LEAST_SEGMENTS:
        yield "tcp_retransmit_pct", 100 * again / sent


def _of_devices(stretch: Stretch, seconds: float) -> Iterator[tuple[str, float]]:
    if busy := stretch.device_growth("disks", "busy_s"):
        yield "disk_busy_pct", min(100.0, 100 * max(busy.values()) / seconds)
    limits = {
        str(one["name"]): one["limit_bytes_per_s"]
        for one in stretch.devices("networks")
        if one["limit_bytes_per_s"]
    }
    shares = [
        moved / seconds / limits[name]
        for way in ("rx_bytes", "tx_bytes")
        for name, moved in stretch.device_growth("networks", way).items()
        if name in limits
    ]
    if shares:
        yield "network_pct", 100 * max(shares)


def _of_memory(
    stretch: Stretch, samples: Samples, machine: Mapping[str, Json]
) -> Iterator[tuple[str, float]]:
    total = _size((machine.get("memory") or {}).get("total_bytes"))
    limits = machine.get("limits")
    limit = _size(limits.get("memory_bytes")) if isinstance(limits, dict) else None
    places = range(stretch.first, stretch.after)
    free = [one for n in places if samples.memory_available_bytes
            and (one := samples.memory_available_bytes[n]) is not None]  # fmt: skip
    held = [one for n in places if samples.rss_bytes and (one := samples.rss_bytes[n]) is not None]
    shares = []
    if total and free:
        shares.append(100 * (1 - min(free) / total))
    if limit and held and (not total or limit < total):
        shares.append(min(100.0, 100 * max(held) / limit))
    if shares:
        yield "host_memory_pct", max(shares)


def _size(value: Json) -> float | None:
    """Return a number above 0; None for anything else that a launch may say of its machine."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    return float(value) if number else None


def _of_gpus(
    stretch: Stretch, uuids: frozenset[str], machine: Mapping[str, Json]
) -> Iterator[tuple[str, float]]:
    rows = [one for row in stretch.gpu_rows(uuids) for one in row]
    known = {str(one.get("uuid")): one for one in machine.get("gpus") or ()}

    def shares(name: str, whole: str | None) -> list[float]:
        wholes = [100.0 if whole is None else _size(known[one["uuid"]].get(whole)) for one in rows]
        pairs = [(one.get(name), total) for one, total in zip(rows, wholes, strict=True)]
        return [100 * value / total for value, total in pairs if value is not None and total]

    if busy := shares("util_pct", None):
        yield "gpu_util_pct", sum(busy) / len(busy)
    if power := shares("power_w", "power_cap_w"):
        yield "gpu_power_pct", sum(power) / len(power)
    if memory := shares("memory_used_bytes", "memory_bytes"):
        yield "gpu_memory_pct", max(memory)
    told = [one["throttle"] for one in rows if one.get("throttle") is not None]
    if told:
        yield "gpu_capped_pct", 100 * sum(bool(_HELD_BACK & set(one)) for one in told) / len(told)
