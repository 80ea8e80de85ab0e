"""Ask the kernel for what keeps the pool alive and its attempts on a leash (Linux only).

Everything here is best effort: a refusal is returned as False and never raised.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from typing import Container, List, Optional, Sequence

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PR_SET_CHILD_SUBREAPER = 36
_FALLOC_FL_KEEP_SIZE = 1  # linux/falloc.h
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(number: int = signal.SIGKILL) -> bool:
    """Have the kernel send this process a signal when its parent ends."""
    return bool(_libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0) == 0)


def adopt_orphans() -> bool:
    """Become the parent of all descendants whose own parent ends."""
    return bool(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def set_oom_score(score: int) -> bool:
    """Tell the OOM killer whom to take first: 1000 = me, negative needs privilege."""
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write(str(score))
    except OSError:
        return False
    return True


def reserve_room(fd: int, offset: int, length: int) -> Optional[int]:
    """Reserve disk blocks behind the end of a file without changing its size.

    Returns 0, or the errno (ENOSPC, EDQUOT, EOPNOTSUPP); None where the call does not exist.
    """
    try:
        call = _libc.fallocate
    except AttributeError:
        return None
    call.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_longlong, ctypes.c_longlong]
    if call(fd, _FALLOC_FL_KEEP_SIZE, offset, length) == 0:
        return 0
    return ctypes.get_errno()


def pin_to(cpus: Optional[Sequence[int]]) -> bool:
    """Run this process on these CPUs only; None leaves it as it is."""
    if not cpus:
        return True
    try:
        os.sched_setaffinity(0, cpus)
    except OSError:
        return False
    return True


def signal_group(pid: int, number: int) -> bool:
    """Send a signal to a process group; False when nobody is left in it."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def children() -> List[int]:
    """Return the pids of this process's children, adopted ones included."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


def inheritors(variable: str) -> List[int]:
    """Return the pids of living processes that were started with `NAME=value` as a variable."""
    wanted = variable.encode()
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:
                # a process that ended has none, also before its parent took note
                if wanted in file.read().split(b"\0"):
                    found.append(int(name))
    return found


def kill_children(keep: Container[int]) -> None:
    """Kill this process's children, adopted ones included, but those in `keep`."""
    for pid in children():
        if pid not in keep:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
