"""Signals of a launch: remembered by their handlers, looked at by the pool when it is ready.

Before there is a pool, a signal raises Stopped where the process stands; the first one only, so
that a second one does not cut the cleaning up short.
"""

from __future__ import annotations

import os
import signal
import time
from types import FrameType
from typing import Any, Dict, List, Optional, Tuple

from .contract import categories
from .limits import signal_name

_STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP)
_SEEN: List[str] = []
"""Signals that this process got, whoever caught them."""


class Stopped(BaseException):
    """A signal ended the launch before a pool could take it. Nobody may swallow it."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    @property
    def exit_code(self) -> int:
        if self.name == "SIGINT":
            return categories.EXIT_INTERRUPTED
        return categories.EXIT_TRY_AGAIN


def raise_on_stop() -> None:
    """From now on a signal that ends a launch raises Stopped. Undoes `hold_back`."""
    for number in _caught():
        signal.signal(number, _raise)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)


def hold_back() -> None:
    """Keep signals waiting until `raise_on_stop`, also across an exec, which forgets handlers."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)


def check() -> None:
    """Raise Stopped when a signal arrived, also one whose exception got lost."""
    if _SEEN:
        raise Stopped(_SEEN[0])


def stopped() -> bool:
    """True once a signal that ends a launch arrived."""
    return bool(_SEEN)


def _caught() -> List[signal.Signals]:
    """List the signals to catch: nohup's wish to live on without a terminal is kept."""
    ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    return [number for number in _STOPS if number != signal.SIGHUP or not ignored]


def _raise(number: int, frame: Optional[FrameType]) -> None:
    del frame
    _SEEN.append(signal_name(number))
    if len(_SEEN) == 1:
        raise Stopped(_SEEN[0])


def _ignore(number: int, frame: Optional[FrameType]) -> None:
    del number, frame


class Signals:
    """Catch the signals that end a launch, and wake a selector for them and for ended children."""

    def __init__(self) -> None:
        self._arrived: List[str] = []
        read_end, write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.fd = read_end
        """Readable when something arrived."""
        self.fds: Tuple[int, ...] = (read_end, write_end)
        self._before: Dict[int, Any] = {}
        for number in _caught():
            self._before[number] = signal.signal(number, self._catch)
        # without a handler the wakeup descriptor would not be written to
        self._before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, _ignore)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)

    def _catch(self, number: int, frame: Optional[FrameType]) -> None:
        del frame
        self._arrived.append(signal_name(number))
        _SEEN.append(signal_name(number))

    def waiting(self) -> bool:
        """True when a signal arrived that `take` has not handed out."""
        return bool(self._arrived)

    def other_than(self, name: str) -> bool:
        """Tell whether any other signal ever arrived."""
        return any(seen != name for seen in _SEEN)

    def wait(self, seconds: float) -> bool:
        """Wait until a signal has arrived, at most so long; True when one has."""
        end = time.monotonic() + seconds
        while not self._arrived and time.monotonic() < end:
            time.sleep(0.01)
        return bool(self._arrived)

    def take(self) -> List[str]:
        """Return the names of the signals that arrived since the last call, in order."""
        taken, self._arrived = self._arrived, []
        return taken

    def drain(self) -> None:
        """Empty the wakeup descriptor."""
        try:
            while os.read(self.fd, 4096):
                pass
        except BlockingIOError:
            return

    def close(self) -> None:
        """Put the former handlers back."""
        signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        for fd in self.fds:
            os.close(fd)
