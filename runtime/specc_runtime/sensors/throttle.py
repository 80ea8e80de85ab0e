"""Clocks and throttling at the two ends of a window, to tell whether the machine kept its speed.

Frequencies are the kernel's scaling_cur_freq of the CPUs this process may use, throttle counts are
the thermal counters of those CPUs, GPU states come from NVML. A virtual machine shows none of them.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Union

from .base import Unavailable, Value, allowed_cpus, missing, present, read_int
from .nvml import Gpu

MAX_CPUS = 16
"""Frequencies are read from at most so many CPUs, evenly spread: each read asks the CPU itself."""


class Throttle:
    """Reads the state; two states make a window."""

    def __init__(
        self, sysfs_root: str, cpus: List[int], gpus: Sequence[Union[Gpu, Unavailable]]
    ) -> None:
        self._root = f"{sysfs_root}/devices/system/cpu"
        step = -(-len(cpus) // MAX_CPUS) or 1
        self._sampled = cpus[::step]
        self._cpus = cpus
        self._gpus = [gpu for gpu in gpus if isinstance(gpu, Gpu)]

    def read(self) -> Dict[str, Any]:
        """Read the state of this moment.

        cpu_mhz {min, mean, max} or null, core_throttle_count and package_throttle_count (sums over
        the CPUs, since boot) or null, each with its reason; gpus [{uuid, sm_clock_mhz,
        temperature_c, throttle}].
        """
        state: Dict[str, Any] = {}
        found = [read_int(self._file(cpu, "cpufreq/scaling_cur_freq")) for cpu in self._sampled]
        mhz = [float(value.value) / 1000 for value in found if value.value is not None]
        state["cpu_mhz"] = (
            {"min": min(mhz), "mean": sum(mhz) / len(mhz), "max": max(mhz)} if mhz else None
        )
        if not mhz:
            state["cpu_mhz_reason"] = "the kernel shows no scaling_cur_freq (a virtual machine?)"
        for level in ("core", "package"):
            count = self._count(level)
            state[f"{level}_throttle_count"] = count.value
            if count.value is None:
                state[f"{level}_throttle_count_reason"] = count.reason
        state["gpus"] = [_gpu_state(gpu) for gpu in self._gpus]
        return state

    def _count(self, level: str) -> Value:
        counts = [
            read_int(self._file(cpu, f"thermal_throttle/{level}_throttle_count")).value
            for cpu in self._cpus
        ]
        seen = [int(count) for count in counts if count is not None]
        if not seen:
            return missing("the kernel shows no thermal_throttle counters")
        return present(sum(seen))

    def _file(self, cpu: int, name: str) -> str:
        return f"{self._root}/cpu{cpu}/{name}"


def between(start: Dict[str, Any], end: Dict[str, Any]) -> Dict[str, Any]:
    """Join two states to the `throttle` of a `window` record.

    `core_throttles`, `package_throttles`: events within the window, null where not counted.
    `gpu_reasons`: every reason for lower clocks seen at either end.
    """
    reasons = {
        reason
        for state in (start, end)
        for gpu in state["gpus"]
        for reason in gpu["throttle"] or []
    }
    return {
        "start": start,
        "end": end,
        "core_throttles": _difference(start, end, "core_throttle_count"),
        "package_throttles": _difference(start, end, "package_throttle_count"),
        "gpu_reasons": sorted(reasons),
    }


def open(
    *,
    sysfs_root: str = "/sys",
    gpus: Sequence[Union[Gpu, Unavailable]] = (),
    cpus: Optional[List[int]] = None,
) -> Throttle:
    """Open the state of these CPUs (default: those this process may use) and GPUs."""
    return Throttle(sysfs_root, allowed_cpus() if cpus is None else cpus, gpus)


def _difference(start: Dict[str, Any], end: Dict[str, Any], name: str) -> Optional[int]:
    if start[name] is None or end[name] is None:
        return None
    return int(end[name]) - int(start[name])


def _gpu_state(gpu: Gpu) -> Dict[str, Any]:
    throttle = gpu.throttle()
    return {
        "uuid": gpu.uuid,
        "sm_clock_mhz": gpu.sm_clock_mhz().value,
        "temperature_c": gpu.temperature_c().value,
        "throttle": None if isinstance(throttle, Unavailable) else throttle,
        "throttle_reason": throttle.reason if isinstance(throttle, Unavailable) else None,
    }
