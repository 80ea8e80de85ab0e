"""Memory of a process and of its control group on the host.

The numbers answer different questions and are kept apart: VmHWM is the peak of one process (it
can be reset after warm-up), the group's peak counts every process in it and the page cache.
"""

from __future__ import annotations

import os
from typing import Any, Dict, Optional, Union

from . import cgroup
from .base import (
    Unavailable,
    Value,
    add_value,
    missing,
    present,
    read_text,
    why,
)

RESET_PEAK = b"5"
"""Written to clear_refs it sets VmHWM back to the present RSS (proc(5), Linux >= 4.0)."""


class Memory:
    """Reads the memory of one process."""

    def __init__(
        self,
        process: str,
        group: Union[cgroup.Cgroup, Unavailable],
    ) -> None:
        self._process = process
        self.group = group

    def rss_bytes(self) -> Value:
        """Read the resident set [bytes]."""
        return self._status("VmRSS")

    def rss_peak_bytes(self) -> Value:
        """Read the highest resident set since the start or the last `reset_peak` [bytes]."""
        return self._status("VmHWM")

    def reset_peak(self) -> Optional[str]:
        """Set VmHWM back to the present RSS. Returns None, or the reason why it did not work."""
        path = f"{self._process}/clear_refs"
        before = self.rss_peak_bytes().value
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        except OSError as error:
            return why(error)
        try:
            os.write(fd, RESET_PEAK)
        except OSError as error:
            return f"{path}: {why(error)}"
        finally:
            os.close(fd)
        peak, now = self.rss_peak_bytes().value, self.rss_bytes().value
        # some sandboxes take the write and do nothing
        if peak is not None and now is not None and peak == before and peak > 1.1 * now:
            return "the kernel took the request but left VmHWM where it was"
        return None

    def cgroup_peak_bytes(self) -> Value:
        """Read the peak of the control group [bytes], page cache and other processes included."""
        if isinstance(self.group, Unavailable):
            return missing(self.group.reason)
        return cgroup.memory_peak(self.group)

    def cgroup_limit_bytes(self) -> Value:
        """Read the limit at which the kernel kills [bytes]."""
        if isinstance(self.group, Unavailable):
            return missing(self.group.reason)
        return cgroup.memory_limit(self.group)

    def oom_kills(self) -> Value:
        """Read how many processes of the group were killed for want of memory so far [1]."""
        if isinstance(self.group, Unavailable):
            return missing(self.group.reason)
        return cgroup.oom_kills(self.group)

    def peaks(self) -> Dict[str, Any]:
        """Give the host part of a `memory` record: rss_peak_bytes, cgroup_peak_bytes, reasons."""
        row: Dict[str, Any] = {}
        add_value(row, "rss_peak_bytes", self.rss_peak_bytes())
        add_value(row, "cgroup_peak_bytes", self.cgroup_peak_bytes())
        return row

    def _status(self, key: str) -> Value:
        text, reason = read_text(f"{self._process}/status")
        for line in (text or "").splitlines():
            name, _, rest = line.partition(":")
            fields = rest.split()
            if name == key and fields and fields[0].isdigit():
                return present(int(fields[0]) * 1024)
        return missing(reason or f"{self._process}/status has no {key}")


def open(
    *, proc_root: str = "/proc", sysfs_root: str = "/sys", pid: str = "self"
) -> Union[Memory, Unavailable]:
    """Open the memory sensor of a process; unavailable where there is no /proc/<pid>/status."""
    process = f"{proc_root}/{pid}"
    status = read_text(f"{process}/status")
    if status.text is None:
        return Unavailable("memory", status.reason or "unreadable")
    group = cgroup.find("memory", proc_root=proc_root, sysfs_root=sysfs_root, pid=pid)
    return Memory(process, group)
