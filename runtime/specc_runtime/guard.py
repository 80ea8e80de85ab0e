"""A process that outlives a killed pool by a moment, and ends what the pool could not.

A daemon leaves the process tree on purpose, and a server has children of its own: the kernel's
signal at a parent's death reaches neither.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Callable, Optional

from . import limits

_LOOK_S = 2.0
_IGNORED = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGCHLD)


class Guard:
    """Runs `rites` when the process that made it dies without `dismiss`."""

    def __init__(self, rites: Callable[[], None]) -> None:
        pool = os.getpid()
        pid = os.fork()
        if pid == 0:
            _watch(pool, rites)
        self.pid: Optional[int] = pid

    def dismiss(self) -> None:
        """End it; what it guards was ended in order."""
        if self.pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        self.pid = None


def _watch(pool: int, rites: Callable[[], None]) -> None:
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        # Slurm's and the terminal's signals are the pool's business
        for number in _IGNORED:
            signal.signal(number, signal.SIG_DFL if number == signal.SIGCHLD else signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
        _let_go()
        limits.die_with_parent(signal.SIGHUP)
        while os.getppid() == pool:
            signal.sigtimedwait([signal.SIGHUP], _LOOK_S)
        rites()
    finally:
        os._exit(0)


def _let_go() -> None:
    """Close everything that the pool had open: its journal, and whatever waits for its end."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            with contextlib.suppress(OSError):
                os.close(int(name))
