"""Find the control group of a process in version 1, version 2 and a mixture, and read its files.

Reading only. A path may lie under a mount that shows a part of the tree (a container), so the
mount's own root is taken off first.
"""

from __future__ import annotations

import os
from typing import List, NamedTuple, Optional, Union

from .base import Unavailable, Value, missing, present, read_int, read_text

UNLIMITED_V1 = 2**62
"""Version 1 writes "no limit" as the largest page-aligned 63-bit number."""


class Cgroup(NamedTuple):
    """Where one controller of a process lives in the file system."""

    version: int
    """1 or 2."""
    path: str
    """Path inside the hierarchy, as /proc/<pid>/cgroup says it."""
    folder: str
    """The group's own folder."""
    mount: str
    """The topmost folder that can be seen; `folder` is it or lies below."""

    def lineage(self) -> List[str]:
        """List the group's folder and its visible ancestors, nearest first."""
        folders = [self.folder]
        while folders[-1] != self.mount and len(folders) < 64:
            folders.append(os.path.dirname(folders[-1]))
        return folders

    def nearest(self, name: str) -> Optional[str]:
        """Find the file `name` in the group or its nearest ancestor that has it."""
        for folder in self.lineage():
            path = f"{folder}/{name}"
            if os.path.exists(path):
                return path
        return None


class _Mount(NamedTuple):
    root: str
    folder: str
    kind: str
    options: List[str]


def find(
    controller: str, *, proc_root: str = "/proc", sysfs_root: str = "/sys", pid: str = "self"
) -> Union[Cgroup, Unavailable]:
    """Find the group of a process for a controller ("memory", "cpu", "cpuset")."""
    text, reason = read_text(f"{proc_root}/{pid}/cgroup")
    if text is None:
        return Unavailable("cgroup", reason or "unreadable")
    mountinfo = f"{proc_root}/{pid}/mountinfo"
    unified = None
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controller in controllers.split(","):
            return _locate(1, controller, path, mountinfo, sysfs_root)
        if number == "0" and not controllers:
            unified = path
    if unified is None:
        return Unavailable("cgroup", f"{proc_root}/{pid}/cgroup names no group for {controller}")
    return _locate(2, controller, unified, mountinfo, sysfs_root)


def _locate(
    version: int, controller: str, path: str, mountinfo: str, sysfs_root: str
) -> Union[Cgroup, Unavailable]:
    mount = _mount(version, controller, mountinfo, sysfs_root)
    if mount is None:
        return Unavailable("cgroup", f"the version {version} hierarchy is not mounted")
    inside = path
    if mount.root != "/":
        outside = path != mount.root and not path.startswith(mount.root + "/")
        inside = "/" if outside else path[len(mount.root) :]
    # "/.." is how the kernel shows a group above the root of this cgroup namespace
    if inside.startswith("/.."):
        inside = "/"
    folder = (mount.folder + inside).rstrip("/")
    if not os.path.isdir(folder):
        folder = mount.folder
    return Cgroup(version, path, folder, mount.folder)


def _mount(version: int, controller: str, mountinfo: str, sysfs_root: str) -> Optional[_Mount]:
    kind = "cgroup" if version == 1 else "cgroup2"
    text = read_text(mountinfo).text or ""
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        fields, types = left.split(), right.split()
        if len(fields) < 5 or len(types) < 3 or types[0] != kind:
            continue
        options = types[2].split(",")
        if version == 2 or controller in options:
            # a fake tree is mounted nowhere: its sysfs root takes the place of /sys
            folder = fields[4]
            if sysfs_root != "/sys" and folder.startswith("/sys/"):
                folder = sysfs_root + folder[len("/sys") :]
            return _Mount(fields[3], folder.rstrip("/"), kind, options)
    return None


def memory_limit(group: Cgroup) -> Value:
    """Read the memory limit in force [bytes]: the smallest along the visible path."""
    name = "memory.limit_in_bytes" if group.version == 1 else "memory.max"
    limits: List[int] = []
    seen = False
    for folder in group.lineage():
        text = read_text(f"{folder}/{name}").text
        seen = seen or text is not None
        if text is not None and text.isdigit() and int(text) < UNLIMITED_V1:
            limits.append(int(text))
    if limits:
        return present(min(limits))
    return missing("no limit is set" if seen else f"no {name} in {group.folder} or above")


def memory_peak(group: Cgroup) -> Value:
    """Read the peak memory of the group since it was made [bytes]; page cache is in it."""
    name = "memory.max_usage_in_bytes" if group.version == 1 else "memory.peak"
    path = group.nearest(name)
    if path is None:
        return missing(f"no {name} in {group.folder} or above")
    value = read_int(path)
    # the root group of version 1 is not accounted: it reads 0
    return missing(f"{path} is not accounted") if value.value == 0 else value


def oom_kills(group: Cgroup) -> Value:
    """Read how many processes of the group the kernel killed for want of memory [1]."""
    name = "memory.oom_control" if group.version == 1 else "memory.events"
    path = group.nearest(name)
    if path is None:
        return missing(f"no {name} in {group.folder} or above")
    text, reason = read_text(path)
    for line in (text or "").splitlines():
        key, _, count = line.partition(" ")
        if key == "oom_kill" and count.strip().isdigit():
            return present(int(count))
    return missing(reason or f"{path} has no oom_kill counter (kernel before 4.13)")


def cpu_quota(group: Cgroup) -> Value:
    """Read the CPU bandwidth limit in force [CPUs], e.g. 1.5: the smallest along the path."""
    quotas: List[float] = []
    for folder in group.lineage():
        if group.version == 1:
            quota = read_text(f"{folder}/cpu.cfs_quota_us").text or ""
            period = read_text(f"{folder}/cpu.cfs_period_us").text or ""
        else:
            quota, _, period = (read_text(f"{folder}/cpu.max").text or "").partition(" ")
        if quota.isdigit() and period.isdigit() and int(period):
            quotas.append(int(quota) / int(period))
    return present(min(quotas)) if quotas else missing("no limit is set")
