"""Records files: the pool opens them, one attempt at a time appends rows to one.

A file is handed on to the next attempt of its slot only while every byte of it is vouched for;
after a writer that died uncleanly the slot gets a new file.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from typing import Any, Dict, Mapping, Optional

_encode = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False
).encode


class SlotFile:
    """The pool's side: the records file that the attempts of one slot share."""

    def __init__(self, folder: str, slot: int) -> None:
        self._folder = folder
        self._slot = slot
        self._number = -1
        self.fd: Optional[int] = None
        self.offset = 0
        """End of the last clean attempt [bytes]."""

    @property
    def name(self) -> str:
        return f"records.{self._slot}.{self._number}.jsonl"

    def open(self) -> int:
        """Return a descriptor to append to. Raises OSError."""
        if self.fd is None:
            self._number += 1
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            self.fd = os.open(os.path.join(self._folder, self.name), flags, 0o644)
            self.offset = 0
        return self.fd

    def size(self) -> int:
        """Bytes in the open file; 0 without one."""
        return 0 if self.fd is None else os.fstat(self.fd).st_size

    def settle(self, end: Optional[int]) -> None:
        """After an attempt: go on behind `end`, or with a new file where the end is not known."""
        if self.fd is None:
            return
        size = os.fstat(self.fd).st_size
        if end == size or (end is None and size == self.offset):
            self.offset = size
        else:
            self.close()

    def sync(self) -> None:
        if self.fd is not None:
            os.fsync(self.fd)

    def close(self) -> None:
        # over a network it is here that a full disk is told of; the descriptor is gone all the same
        fd, self.fd = self.fd, None
        if fd is not None:
            os.close(fd)


class RecordWriter:
    """The attempt's side: appends rows, each with one write, and hashes them on the way."""

    def __init__(self, fd: int, *, launch: str, file: str, offset: int, head: Mapping[str, Any]):
        self.fd = self._fd = fd
        self._launch = launch
        self._file = file
        self._start = offset
        self._digest = hashlib.sha256()
        self._rows = 0
        self._bytes = 0
        self._head = _encode(dict(head))[1:-1]
        self._prefixes: Dict[str, str] = {}

    def write(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Append one row. Raises OSError (disk full), ValueError (NaN), TypeError (not JSON)."""
        prefix = self._prefixes.get(kind)
        if prefix is None:
            prefix = f'{{"type":{_encode(kind)},{self._head},"t_ns":'
            self._prefixes[kind] = prefix
        rest = _encode(fields)
        # rest is "{}" or "{…}": its brace is replaced by what joins it to the prefix
        text = f"{prefix}{time.monotonic_ns()}{',' if len(rest) > 2 else ''}{rest[1:]}\n"
        line = text.encode("utf-8", "backslashreplace")
        written = os.write(self._fd, line)
        if written != len(line):
            # the disk is full: the next write says so, and the rest of the row is no data
            os.write(self._fd, line[written:])
        self._digest.update(line)
        self._rows += 1
        self._bytes += len(line)

    @property
    def end(self) -> int:
        """Size that the file has when nobody else wrote to it."""
        return self._start + self._bytes

    @property
    def rows(self) -> int:
        return self._rows

    def segment(self) -> Dict[str, Any]:
        """Describe all rows written so far."""
        return {
            "launch": self._launch,
            "file": self._file,
            "offset": self._start,
            "bytes": self._bytes,
            "rows": self._rows,
            "sha256": self._digest.hexdigest(),
        }

    def sync(self) -> None:
        os.fsync(self._fd)
