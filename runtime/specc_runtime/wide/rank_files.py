"""What one rank of a task is told, and what it writes to: its records file and its reports."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, List, Mapping, Tuple

from ..slots.places import ProcessPlace

_BLOCK = 1 << 16


class Reports:
    """The pipe through which a rank says what it does."""

    def __init__(self) -> None:
        self.fd, self.write_fd = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.fd, False)
        self.ended = False
        """True once all writers closed their end."""
        self._buffer = b""

    def read(self) -> List[Dict[str, Any]]:
        """Return the reports that have arrived."""
        while not self.ended:
            try:
                data = os.read(self.fd, _BLOCK)
            except BlockingIOError:
                break
            self.ended = not data
            self._buffer += data
        *lines, self._buffer = self._buffer.split(b"\n")
        return [json.loads(line) for line in lines]


def rank_order(
    order: Mapping[str, Any],
    rank: Mapping[str, Any],
    place: ProcessPlace,
    *,
    env: Mapping[str, str],
    records: Mapping[str, Any],
) -> Dict[str, Any]:
    """Return what the process of one rank is told: the order of its task, made its own."""
    resume = order["resume"]
    if resume and rank["rank"]:
        # rows of a checkpoint count once: rank 0 goes on with those of all
        resume = {**resume, "segments": []}
    return {
        **order,
        "span": None,
        "gpu": place.gpu,
        "cpus": place.cpus,
        "cpu_set": place.cpu_set,
        "env": env,
        "records": records,
        "resume": resume,
        "rank": rank,
    }


def open_records(order: Mapping[str, Any], rank: int) -> Tuple[int, Dict[str, Any]]:
    """Make a rank's own file in the launch folder; returns its descriptor and its description.

    Raises OSError.
    """
    # a task has an attempt of this number once in a launch: the name is free without asking
    number = order["task"]["index"] * 1000 + order["attempt"]
    name = f"records.{order['slot']}.{number}.rank{rank}.jsonl"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
    fd = os.open(os.path.join(order["launch_path"], name), flags, 0o644)
    return fd, {"file": name, "offset": 0}
