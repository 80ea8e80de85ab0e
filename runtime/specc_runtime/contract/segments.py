"""Segments: stretches of records files that a journal vouches for.

`check_segment` and `read_segment` read the stretch and nothing else of the file.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import Any, Mapping, Optional

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
        return os.path.join(run, self.launch, self.file)


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


def check_segment(run: str, segment: Segment) -> Optional[str]:
    """Compare a segment with its file; None when every byte is there, else what is wrong."""
    digest = hashlib.sha256()
    rows = 0
    last = b"\n"
    left = segment.bytes
    try:
        with open(segment.path(run), "rb") as file:
            file.seek(segment.offset)
            while left:
                block = file.read(min(left, _BLOCK))
                if not block:
                    return f"{segment.launch}/{segment.file} ends {left} bytes too early"
                digest.update(block)
                rows += block.count(b"\n")
                last = block[-1:]
                left -= len(block)
    except OSError as error:
        return f"{segment.launch}/{segment.file}: {error.strerror}"
    if digest.hexdigest() != segment.sha256:
        return f"{segment.launch}/{segment.file} does not match its hash at byte {segment.offset}"
    if rows != segment.rows or last != b"\n":
        return f"{segment.launch}/{segment.file} holds {rows} rows, not {segment.rows}"
    return None


def read_segment(run: str, segment: Segment) -> bytes:
    """Return the rows of a segment as bytes, checked. Raises Damage."""
    wrong = check_segment(run, segment)
    if wrong is not None:
        raise Damage(segment.path(run), None, wrong)
    with open(segment.path(run), "rb") as file:
        file.seek(segment.offset)
        return file.read(segment.bytes)
