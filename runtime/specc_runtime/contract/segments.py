"""Segments: stretches of records files that a journal vouches for.

`check_segment` and `read_segment` read the stretch and nothing else of the file.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from io import FileIO
from typing import Any, Callable, Mapping, Optional

from .fields import HEX64, Damage, count, matching, record

LAUNCH_PATH = matching(r"[A-Za-z0-9._-]+-[0-9]{4,}/launch-[0-9]{3,}", "<shard_id>/<launch>")
LAUNCH_NAME = matching(r"launch-[0-9]{3,}", "launch-<three digits>")
RECORDS_FILE = matching(
    r"records\.[0-9]+\.[0-9]+(\.rank[0-9]+)?\.jsonl", "records.<slot>.<n>[.rank<r>].jsonl"
)

SEGMENT = record(
    {
        "launch": LAUNCH_PATH,
        "file": RECORDS_FILE,
        "offset": count,
        "bytes": count,
        "rows": count,
        "sha256": HEX64,
    }
)

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Segment:
    """`rows` lines that stand at `offset` of `<launch>/<file>` and hash to `sha256`."""

    launch: str
    """`<shard_id>/<launch>`, relative to the run's folder."""
    file: str
    offset: int
    bytes: int
    rows: int
    sha256: str

    def path(self, run: str) -> str:
        """Path of the records file below the run's folder."""
        return f"{run}/{self.launch}/{self.file}"


def segment_from(value: Mapping[str, Any]) -> Segment:
    """Build a segment from a value that passed `SEGMENT`."""
    return Segment(
        launch=value["launch"],
        file=value["file"],
        offset=int(value["offset"]),
        bytes=int(value["bytes"]),
        rows=int(value["rows"]),
        sha256=value["sha256"],
    )


Complaint = Callable[[str, Segment], Optional[str]]
"""Compares a segment below a run's folder with its file: None when every byte is there."""


class SegmentFiles:
    """Compare segments with their files, and keep the file of the last one open for the next.

    Ten thousand small tasks share a few files, and opening costs more than reading them.
    """

    def __init__(self) -> None:
        self._path: Optional[str] = None
        self._file: Optional[FileIO] = None

    def __enter__(self) -> "SegmentFiles":
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def complaint(self, run: str, segment: Segment) -> Optional[str]:
        """Return what is wrong with a segment; None when every byte is there."""
        path = segment.path(run)
        try:
            if self._file is None or path != self._path:
                self._close()
                self._file, self._path = open(path, "rb", buffering=0), path
            return _compare(self._file, segment)
        except OSError as error:
            self._close()
            return f"{segment.launch}/{segment.file}: {error.strerror}"

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None


def _compare(file: FileIO, segment: Segment) -> Optional[str]:
    digest = hashlib.sha256()
    rows = 0
    last = b"\n"
    left = segment.bytes
    while left:
        # one call of the system for a short segment; a seek would make it two
        place = segment.offset + segment.bytes - left
        block = os.pread(file.fileno(), min(left, _BLOCK), place)
        if not block:
            return f"{segment.launch}/{segment.file} ends {left} bytes too early"
        digest.update(block)
        rows += block.count(b"\n")
        last = block[-1:]
        left -= len(block)
    if digest.hexdigest() != segment.sha256:
        return f"{segment.launch}/{segment.file} does not match its hash at byte {segment.offset}"
    if rows != segment.rows or last != b"\n":
        return f"{segment.launch}/{segment.file} holds {rows} rows, not {segment.rows}"
    return None


def check_segment(run: str, segment: Segment) -> Optional[str]:
    """Compare a segment with its file; None when every byte is there, else what is wrong."""
    with SegmentFiles() as files:
        return files.complaint(run, segment)


def read_segment(run: str, segment: Segment) -> bytes:
    """Return the rows of a segment as bytes, checked. Raises Damage."""
    wrong = check_segment(run, segment)
    if wrong is not None:
        raise Damage(segment.path(run), None, wrong)
    with open(segment.path(run), "rb") as file:
        file.seek(segment.offset)
        return file.read(segment.bytes)
