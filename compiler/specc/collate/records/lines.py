"""Count, find and choose lines in bytes, without a Python object for each."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path

import numpy as np

_COUNTED = 1 << 18
_NEWLINE = ord("\n")


def chosen(data: bytes, lines: Sequence[int]) -> bytes:
    """Return the lines with these numbers, in order and counted from 0."""
    text = np.frombuffer(data, dtype=np.uint8)
    starts = [0] if 0 in lines[:1] else []
    # a line starts behind the end of the one before
    wanted = deque(line - 1 for line in lines if line > 0)
    before = 0
    for start in range(0, len(text), _COUNTED):
        if not wanted:
            break
        block = text[start : start + _COUNTED] == _NEWLINE
        after = before + int(np.count_nonzero(block))
        if wanted[0] < after:
            ends = np.flatnonzero(block) + start
            while wanted and wanted[0] < after:
                starts.append(int(ends[wanted.popleft() - before]) + 1)
        before = after
    return b"".join(data[start : data.index(b"\n", start) + 1] for start in starts)


def end_of_line(data: bytes, line: int) -> int:
    """Return the place behind the line with this number, counted from 1."""
    ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == _NEWLINE)
    return int(ends[line - 1]) + 1


def lines_in(data: bytes) -> int:
    """Count the lines; several times as fast as bytes.count."""
    text = np.frombuffer(data, dtype=np.uint8)
    return sum(
        int(np.count_nonzero(text[start : start + _COUNTED] == _NEWLINE))
        for start in range(0, len(text), _COUNTED)
    )


def lines_before(path: Path, offset: int) -> int:
    """Count the lines that end before a place in a file."""
    lines = 0
    with path.open("rb") as file:
        while offset > 0 and (block := file.read(min(offset, 1 << 20))):
            lines += lines_in(block)
            offset -= len(block)
    return lines
