"""Collect what an attempt prints: into output.<slot>.log up to a limit, and its last lines.

The pool reads, so a program that prints without end fills neither the disk nor the memory.
"""

from __future__ import annotations

import os
from typing import Any, Dict, List, Optional

LIMIT_BYTES = 1 << 20
"""Kept of one attempt."""
_TAIL_BYTES = 8192
_TAIL_LINES = 20
_LINE_LENGTH = 400
_BLOCK = 1 << 16
_MOST_BLOCKS = 16
"""Taken at a time: all that a full pipe holds, and no more of a program that never pauses."""


class OutputFile:
    """output.<slot>.log of one slot; attempts follow one another in it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd: Optional[int] = None
        self.size = 0
        """Bytes written so far; nobody else writes to it."""

    @property
    def name(self) -> str:
        return os.path.basename(self._path)

    def write(self, data: bytes) -> None:
        """Append; a disk that is full loses output, never the run."""
        try:
            if self._fd is None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
                self._fd = os.open(self._path, flags, 0o644)
            self.size += os.write(self._fd, data)
        except OSError:
            return

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class Output:
    """What one attempt printed."""

    def __init__(self, file: OutputFile, title: str) -> None:
        self._file = file
        self._title: Optional[str] = title
        self._offset = file.size
        self._left = LIMIT_BYTES
        self._tail = b""
        self.taken = 0
        """Bytes it has printed so far."""
        read_end, self.write_fd = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(read_end, False)
        self.fd = read_end

    def read(self) -> bool:
        """Take what is there; False once all writers closed their end."""
        for _ in range(_MOST_BLOCKS):
            try:
                data = os.read(self.fd, _BLOCK)
            except BlockingIOError:
                return True
            if not data:
                return False
            self._keep(data)
            if len(data) < _BLOCK:
                break
        return True

    def _keep(self, data: bytes) -> None:
        self.taken += len(data)
        self._tail = (self._tail + data)[-_TAIL_BYTES:]
        if self._left <= 0:
            return
        if self._title is not None:
            self._file.write(f"== {self._title}\n".encode())
            self._title = None
        self._file.write(data[: self._left])
        self._left -= len(data)
        if self._left <= 0:
            self._file.write(f"\n== cut off after {LIMIT_BYTES} bytes\n".encode())

    def place(self) -> Dict[str, Any]:
        """Return where in the launch folder stands what it has printed so far."""
        size = self._file.size - self._offset
        return {"file": self._file.name, "offset": self._offset, "bytes": size}

    def tail(self) -> List[str]:
        """Return the last lines, each cut to a readable length."""
        lines = self._tail.decode("utf-8", "replace").splitlines()
        return [line[:_LINE_LENGTH] for line in lines[-_TAIL_LINES:]]

    def close(self) -> None:
        os.close(self.fd)
