"""A TCP port on this machine where the ranks of a task can meet."""

from __future__ import annotations

import errno
import random
import socket

_LOWEST = 20_000
_TRIES = 200


class FreePort:
    """A port that was free, kept from others until the ranks start.

    Taken from below the range that the kernel gives to outgoing connections, so that none of
    those gets it between `release` and the moment when rank 0 listens.
    """

    def __init__(self) -> None:
        """Raises OSError when no port is free."""
        for last in reversed(range(_TRIES)):
            self._socket = socket.socket()
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                # when none of those is free, any
                self._socket.bind(
                    ("", random.randrange(_LOWEST, _first_of_kernel()) if last else 0)
                )
            except OSError:
                self._socket.close()
                if not last:
                    raise
                continue
            break
        self.number = int(self._socket.getsockname()[1])

    def release(self) -> None:
        """Let the ranks have it."""
        self._socket.close()

    def is_taken(self) -> bool:
        """Tell whether somebody has it, to be asked when no rank lives any more."""
        with socket.socket() as probe:
            # connections of the ranks that linger in TIME_WAIT are nobody
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("", self.number))
                probe.listen(1)
            except OSError as error:
                return error.errno == errno.EADDRINUSE
        return False


def _first_of_kernel() -> int:
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
            first = int(file.read().split()[0])
    except (OSError, ValueError, IndexError):
        first = 32_768
    return first if first > _LOWEST + 1000 else 60_000
