"""What the kernel counts for the control group of this process: CPU, its throttling, memory, waits.

Version 1 and 2. The root group is the whole machine and tells nothing of us, so it is left out.
"""

from __future__ import annotations

import os
from typing import Dict, List, Optional, Union

from . import cgroup
from .base import OpenFile, Unavailable, Value, missing, present, read_text
from .pressure import Pressure

ROOT = "the process is in the root group, which is the whole machine"
NAMES = (
    "cgroup_cpu_s",
    "cgroup_cpu_periods",
    "cgroup_cpu_throttled",
    "cgroup_cpu_throttled_s",
    "cgroup_memory_high",
    "cgroup_memory_max",
    "cgroup_oom_kills",
)


class GroupCounters:
    """Keeps the files of the group open and reads them again."""

    def __init__(self, *, proc_root: str = "/proc", sysfs_root: str = "/sys") -> None:
        where = {"proc_root": proc_root, "sysfs_root": sysfs_root}
        self._cpu = _not_root(cgroup.find("cpu", **where))
        usage = _not_root(cgroup.find("cpuacct", **where))
        memory = _not_root(cgroup.find("memory", **where))
        self._usage = _open(usage, "cpuacct.usage", "cpu.stat")
        self._usage_group = usage
        self._limits = [
            OpenFile(f"{folder}/cpu.stat") for folder in _limiting(self._cpu, _limits_cpu)
        ]
        self._memory_group = memory
        limiting = _limiting(memory, _limits_memory)
        own = "" if isinstance(memory, Unavailable) else memory.folder
        nearest = limiting[0] if limiting else own
        self._events = OpenFile(f"{nearest}/memory.events")
        self._failures = OpenFile(f"{nearest}/memory.failcnt")
        self._oom = OpenFile(f"{nearest}/memory.oom_control")
        self._pressure: Union[Pressure, Unavailable]
        if isinstance(memory, Unavailable):
            self._pressure = memory
        elif memory.version == 1:
            self._pressure = Unavailable("psi", "control groups of version 1 have no pressure")
        else:
            self._pressure = Pressure(memory.folder, "{}.pressure")

    def read(self) -> Dict[str, Value]:
        """Read the counters: the names of NAMES, and `cgroup_psi_…` as in `pressure`."""
        found = {"cgroup_cpu_s": self._cpu_s(), **self._throttling(), **self._memory()}
        if isinstance(self._pressure, Unavailable):
            reason = missing(self._pressure.reason)
            pressure = dict.fromkeys(Pressure.NAMES, reason)
        else:
            pressure = self._pressure.read()
        found.update((f"cgroup_{name}", value) for name, value in pressure.items())
        return found

    def _cpu_s(self) -> Value:
        group = self._usage_group
        if isinstance(group, Unavailable):
            return missing(group.reason)
        text, reason = self._usage.read()
        if text is None:
            return missing(reason or "unreadable")
        if group.version == 1:
            return present(round(int(text) / 1e9, 3)) if text.strip().isdigit() else missing(text)
        usage = _counts(text).get("usage_usec")
        return missing("cpu.stat has no usage_usec") if usage is None else present(usage / 1e6)

    def _throttling(self) -> Dict[str, Value]:
        names = ("cgroup_cpu_periods", "cgroup_cpu_throttled", "cgroup_cpu_throttled_s")
        if isinstance(self._cpu, Unavailable):
            return dict.fromkeys(names, missing(self._cpu.reason))
        if not self._limits:
            return dict.fromkeys(names, missing("no limit on CPU time is set: nothing to exceed"))
        periods = throttled = 0
        waited_s = 0.0
        for file in self._limits:
            text, reason = file.read()
            if text is None:
                return dict.fromkeys(names, missing(reason or "unreadable"))
            counts = _counts(text)
            if "nr_throttled" not in counts:
                return dict.fromkeys(names, missing(f"{file.path} has no nr_throttled"))
            periods += counts.get("nr_periods", 0)
            throttled += counts["nr_throttled"]
            # version 2 counts in us, version 1 in ns
            waited_s += counts.get("throttled_usec", 0) / 1e6
            waited_s += counts.get("throttled_time", 0) / 1e9
        values = (periods, throttled, round(waited_s, 6))
        return {name: present(value) for name, value in zip(names, values)}

    def _memory(self) -> Dict[str, Value]:
        names = ("cgroup_memory_high", "cgroup_memory_max", "cgroup_oom_kills")
        group = self._memory_group
        if isinstance(group, Unavailable):
            return dict.fromkeys(names, missing(group.reason))
        if group.version == 1:
            failures, reason = self._failures.read(64)
            kills = _counts(self._oom.read(512).text or "").get("oom_kill")
            tried = (failures or "").strip()
            return {
                names[0]: missing("control groups of version 1 have no memory.high"),
                names[1]: present(int(tried))
                if tried.isdigit()
                else missing(reason or "no count in memory.failcnt"),
                names[2]: missing("memory.oom_control has no oom_kill counter")
                if kills is None
                else present(kills),
            }
        text, reason = self._events.read(1024)
        counts = _counts(text or "")
        keys = dict(zip(names, ("high", "max", "oom_kill")))
        return {
            name: present(counts[key])
            if key in counts
            else missing(reason or f"memory.events has no {key}")
            for name, key in keys.items()
        }


def _not_root(group: Union[cgroup.Cgroup, Unavailable]) -> Union[cgroup.Cgroup, Unavailable]:
    if isinstance(group, Unavailable):
        return group
    if group.version == 2:
        # a namespace calls its own group "/" too; only the true root has no type
        root = not os.path.exists(f"{group.folder}/cgroup.type")
    else:
        root = group.path == "/"
    return Unavailable("cgroup", ROOT) if root else group


def _open(group: Union[cgroup.Cgroup, Unavailable], first: str, second: str) -> OpenFile:
    if isinstance(group, Unavailable):
        return OpenFile("")
    return OpenFile(f"{group.folder}/{first if group.version == 1 else second}")


def _limiting(group: Union[cgroup.Cgroup, Unavailable], limits: "_Limits") -> List[str]:
    """List the folders of the group and its visible ancestors that set a limit, nearest first."""
    if isinstance(group, Unavailable):
        return []
    return [folder for folder in group.lineage() if limits(group.version, folder)]


class _Limits:
    """Tells whether a folder sets a limit of one kind, whose file has a name in each version."""

    def __init__(self, first: str, second: str) -> None:
        self._names = (first, second)

    def __call__(self, version: int, folder: str) -> bool:
        text: Optional[str] = read_text(f"{folder}/{self._names[version - 1]}").text
        if text is None:
            return False
        number = text.split()[0] if text else ""
        return number.isdigit() and (version == 2 or int(number) < cgroup.UNLIMITED_V1)


_limits_cpu = _Limits("cpu.cfs_quota_us", "cpu.max")
_limits_memory = _Limits("memory.limit_in_bytes", "memory.max")


def _counts(text: str) -> Dict[str, int]:
    """Read lines "name count"."""
    found: Dict[str, int] = {}
    for line in text.splitlines():
        name, _, count = line.partition(" ")
        if count.strip().isdigit():
            found[name] = int(count)
    return found
