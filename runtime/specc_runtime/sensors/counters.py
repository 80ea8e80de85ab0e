"""The counters of a row of hardware.jsonl: what the machine, our control group and we have used.

Everything counts up from some start; only differences mean anything. Read about once a second.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from .base import OpenFile, Value, allowed_cpus, missing, present
from .group_counters import GroupCounters
from .own_use import OwnUse
from .pressure import Pressure, Swapping
from .processes import ProcessTree
from .traffic import Disks, Networks, Segments

MAX_CPUS = 16
"""Thermal counters are read of at most so many CPUs, evenly spread."""


class Counters:
    """Reads all of them; what can't be read is None and has its reason beside."""

    def __init__(
        self, tree: ProcessTree, pid: int, *, proc_root: str = "/proc", sysfs_root: str = "/sys"
    ) -> None:
        self._own = OwnUse(tree, pid, proc_root=proc_root)
        self._group = GroupCounters(proc_root=proc_root, sysfs_root=sysfs_root)
        self._pressure = Pressure(f"{proc_root}/pressure")
        self._swapping = Swapping(proc_root)
        self._segments = Segments(proc_root)
        self._disks = Disks(proc_root, sysfs_root)
        self._networks = Networks(proc_root, sysfs_root)
        self._heat = _heat_files(sysfs_root)

    def read(self) -> Tuple[Dict[str, Any], Dict[str, str]]:
        """Return the fields of `counters`, and the reason of each that is None."""
        own = self._own.read()
        values = {
            "own_cpu_s": own.cpu_s,
            "own_major_faults": own.major_faults,
            "own_busiest_thread_pct": own.busiest_thread_pct,
            **self._group.read(),
            **self._pressure.read(),
            **self._swapping.read(),
            **self._segments.read(),
            "cpu_throttles": self._throttles(),
        }
        row: Dict[str, Any] = {name: value.value for name, value in values.items()}
        reasons = {name: str(v.reason) for name, v in values.items() if v.value is None}
        devices: List[Tuple[str, Any]] = [("disks", self._disks), ("networks", self._networks)]
        for name, sensor in devices:
            row[name] = sensor.read()
            if row[name] is None:
                reasons[name] = str(sensor.reason)
        return row, reasons

    def _throttles(self) -> Value:
        total: Optional[int] = None
        for file in self._heat:
            text = (file.read(64).text or "").strip()
            if text.isdigit():
                total = (total or 0) + int(text)
        if total is None:
            return missing("the kernel shows no thermal_throttle counters")
        return present(total)


def _heat_files(sysfs_root: str) -> List[OpenFile]:
    cpus = allowed_cpus()
    step = -(-len(cpus) // MAX_CPUS) or 1
    root = f"{sysfs_root}/devices/system/cpu"
    files: List[OpenFile] = []
    for cpu in cpus[::step]:
        for level in ("core", "package"):
            file = OpenFile(f"{root}/cpu{cpu}/thermal_throttle/{level}_throttle_count")
            # a virtual machine has none: not asked again every second
            if file.read(64).text is not None:
                files.append(file)
    return files
