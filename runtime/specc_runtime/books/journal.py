"""Write events.jsonl. Only the pool does so.

A line is written at once (a killed pool loses none) and fsynced in groups by `sync`. Disk blocks
are reserved ahead, so that "the disk is full" can still be written down.
"""

from __future__ import annotations

import errno
import json
import os
import time
from typing import Any

from ..limits import reserve_room

_ROOM = 256 * 1024
"""Bytes kept ready behind the end of the file."""
FULL = (errno.ENOSPC, errno.EDQUOT)
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


class JournalLost(Exception):
    """The journal can't be written any more: the launch must end."""


class Journal:
    """events.jsonl of one launch."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644
        )
        self._seq = 0
        self._size = 0
        self._reserved = 0
        self._ballast = ""
        self.full = False
        """True once the file system refused more room: stop handing out work."""
        self.unsafe = False
        """True once lines may not have reached the disk."""
        self.dirty = False
        """Lines were written that are not fsynced yet."""
        self._reserve()

    @property
    def fd(self) -> int:
        return self._fd

    def write(self, event: str, **fields: Any) -> None:
        """Append one event. Raises JournalLost when even the reserve is used up."""
        head = {"event": event, "seq": self._seq}
        clock = {"t_ns": time.monotonic_ns(), "epoch_ns": time.time_ns()}
        line = (_encode({**head, **clock, **fields}) + "\n").encode("utf-8", "backslashreplace")
        self._append(line)
        self._seq += 1
        self._size += len(line)
        self.dirty = True
        if self._reserved - self._size < _ROOM // 2:
            self._reserve()

    def _append(self, line: bytes) -> None:
        for last in (False, True):
            try:
                if os.write(self._fd, line) == len(line):
                    return
            except OSError as error:
                if error.errno not in FULL:
                    raise JournalLost(str(error)) from error
            self.full = True
            os.ftruncate(self._fd, self._size)  # half a line must not stay before the next one
            if last or not self._release_ballast():
                break
        raise JournalLost(f"{self._path}: no room left on the disk")

    def _reserve(self) -> None:
        if self.full or self._ballast:
            return
        refused = reserve_room(self._fd, self._size, _ROOM)
        if refused == 0:
            self._reserved = self._size + _ROOM
        elif refused in FULL:
            self.full = True
        else:
            self._make_ballast()

    def _make_ballast(self) -> None:
        """Without fallocate: keep room by a file of zeros that is given up when needed."""
        self._ballast = self._path + ".reserve"
        self._reserved = 1 << 62
        try:
            with open(self._ballast, "wb") as file:
                file.write(bytes(_ROOM))
                os.fsync(file.fileno())
        except OSError:
            self.full = True

    def _release_ballast(self) -> bool:
        if not self._ballast:
            return False
        try:
            os.unlink(self._ballast)
        except OSError:
            return False
        return True

    def sync(self) -> None:
        """Bring all lines to the disk."""
        if not self.dirty:
            return
        self.dirty = False
        try:
            os.fsync(self._fd)
        except OSError as error:
            if error.errno not in FULL:
                raise JournalLost(str(error)) from error
            self.full = self.unsafe = True

    def close(self) -> None:
        self.sync()
        os.close(self._fd)
        self._release_ballast()
