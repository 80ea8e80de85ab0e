"""One holder at a time for a shard (or an environment that is being built).

A lease is a folder of generations made by mkdir: `<folder>/000001`, …; the highest one counts.
It ends when its holder writes `released`, or when others find it dead and make the next one.
Clocks of two machines are never compared, and no file locks are used.
"""

from __future__ import annotations

import json
import os
import socket
import time
from typing import Any, Dict, List, Optional

from ..slurm_env import Allocation, boot_id, job_is_live

BEAT_S = 5.0
_WATCH_S = 4 * BEAT_S


class Held(Exception):
    """Somebody else holds the lease; the message says who."""


class Lease:
    """A lease that this process holds. `beat` it every `BEAT_S` seconds, then `release` it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._count = 0
        self._last = time.monotonic()
        self._fd = os.open(
            os.path.join(path, "heartbeat"), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644
        )
        self._tick()

    def beat(self) -> bool:
        """Show that the holder lives. False when the lease was lost meanwhile: stop at once."""
        now = time.monotonic()
        if now - self._last < BEAT_S:
            return True
        # only a holder that was not seen can have been taken for dead; a look costs an operation
        slept = now - self._last > _WATCH_S / 2
        self._last = now
        seen = self._tick()
        return not (
            (slept or not seen)
            and os.path.exists(_generation(os.path.dirname(self.path), self.number + 1))
        )

    @property
    def number(self) -> int:
        return int(os.path.basename(self.path))

    def _tick(self) -> bool:
        self._count += 1
        try:
            os.pwrite(self._fd, f"{self._count:020d}\n".encode(), 0)
            os.fsync(self._fd)
        except OSError:
            return False  # a full disk must not end the run; others may then take the lease over
        return True

    def release(self) -> None:
        """Give the lease back."""
        os.close(self._fd)
        try:
            os.close(os.open(os.path.join(self.path, "released"), os.O_CREAT | os.O_WRONLY, 0o644))
        except OSError:
            return


def take(folder: str, allocation: Allocation, *, watch_s: float = _WATCH_S) -> Lease:
    """Take a lease. Raises Held when another holder is alive, or was quicker."""
    os.makedirs(folder, exist_ok=True)
    last = max(_numbers(folder), default=0)
    if last:
        complaint = _alive(_generation(folder, last), allocation, watch_s)
        if complaint is not None:
            raise Held(complaint)
    mine = _generation(folder, last + 1)
    try:
        os.mkdir(mine)
    except FileExistsError:
        raise Held("another launch took it in this moment") from None
    with open(os.path.join(mine, "owner.json"), "w", encoding="utf-8") as file:
        json.dump(_me(allocation), file)
    return Lease(mine)


def _me(allocation: Allocation) -> Dict[str, Any]:
    return {
        "job_id": allocation.job_id,
        "restart": allocation.restart,
        "host": socket.gethostname(),
        "boot_id": boot_id(),
        "pid_space": _link("/proc/self/ns/pid"),
        "pid": os.getpid(),
        "start_ticks": _start_ticks(os.getpid()),
    }


def _alive(path: str, allocation: Allocation, watch_s: float) -> Optional[str]:
    """Say who holds a generation; None when it is free to take over."""
    if os.path.exists(os.path.join(path, "released")):
        return None
    owner = _owner(path)
    if owner is not None:
        me = _me(allocation)
        who = f"process {owner.get('pid')} on {owner.get('host')}, job {owner.get('job_id')}"
        if owner.get("job_id") and owner["job_id"] == me["job_id"]:
            restart = owner.get("restart")
            if isinstance(restart, int) and restart < allocation.restart:
                return None
        same = [owner.get(key) == me[key] for key in ("host", "boot_id", "pid_space")]
        if all(same) and me["boot_id"]:
            pid = owner.get("pid")
            lives = isinstance(pid, int) and _start_ticks(pid) == owner.get("start_ticks")
            return who if lives else None
        if owner.get("job_id"):
            live = job_is_live(str(owner["job_id"]))
            if live:
                return who
    else:
        who = "a launch that is just starting"
    return who if _moves(path, watch_s) else None


def _moves(path: str, watch_s: float) -> bool:
    beat = os.path.join(path, "heartbeat")
    first = _read(beat)
    end = time.monotonic() + watch_s
    while time.monotonic() < end:
        time.sleep(min(0.5, watch_s / 4))
        if _read(beat) != first:
            return True
    return False


def _owner(path: str) -> Optional[Dict[str, Any]]:
    try:
        value = json.loads(_read(os.path.join(path, "owner.json")))
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def _numbers(folder: str) -> List[int]:
    return [int(name) for name in os.listdir(folder) if name.isdigit()]


def _generation(folder: str, number: int) -> str:
    return os.path.join(folder, f"{number:06d}")


def _start_ticks(pid: int) -> Optional[str]:
    """Start time of a living process, which tells it from a later one with its pid."""
    stat = _read(f"/proc/{pid}/stat")
    fields = stat.rpartition(")")[2].split()
    # field 3 is the state; a zombie holds nothing
    if len(fields) < 20 or fields[0] in ("Z", "X"):
        return None
    return fields[19]


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
