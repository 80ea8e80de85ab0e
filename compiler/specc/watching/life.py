"""Find out whether a launch that has not said its end still lives, where that can be told.

Only a process of this very machine and this very start of it can be looked at. Of any other the
answer is None, and a file's age is never taken for an answer: clocks differ, and disks lag.
"""

from __future__ import annotations

import socket
from pathlib import Path

from specc_runtime.contract.leases import Holder


def lives_here(holder: Holder | None) -> bool | None:
    """Return whether the holder of a shard is a living process of this machine; None elsewhere."""
    if holder is None or not holder.owner.get("boot_id"):
        return None
    mine = {
        "host": socket.gethostname(),
        "boot_id": _read(Path("/proc/sys/kernel/random/boot_id")).strip(),
        "pid_space": _link(Path("/proc/self/ns/pid")),
    }
    if any(holder.owner.get(name) != value for name, value in mine.items()):
        return None
    if holder.released:
        return False
    pid = holder.owner.get("pid")
    return isinstance(pid, int) and _start_ticks(pid) == holder.owner.get("start_ticks")


def _start_ticks(pid: int) -> str | None:
    """Return the start time of a living process, which tells it from a later one with its pid."""
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    # field 3 is the state; a zombie does nothing any more
    if len(fields) < 20 or fields[0] in ("Z", "X"):
        return None
    return fields[19]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""
