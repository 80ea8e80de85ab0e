"""Signals of a launch: remembered by their handlers, looked at by the pool when it is ready."""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import Any, Dict, List, Optional, Tuple

from .limits import signal_name

_STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP)


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
        for number in _STOPS:
            self._before[number] = signal.signal(number, self._catch)
        # without a handler the wakeup descriptor would not be written to
        self._before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, _ignore)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)

    def _catch(self, number: int, frame: Optional[FrameType]) -> None:
        del frame
        self._arrived.append(signal_name(number))

    def waiting(self) -> bool:
        """True when a signal arrived that `take` has not handed out."""
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
