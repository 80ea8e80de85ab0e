"""What fixtures have in common: where a launch stands when they start, and their free ports."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

_TAIL_BYTES = 8192
_TAIL_LINES = 20
_LINE_LENGTH = 400


@dataclass(frozen=True)
class Stage:
    """The surroundings of a launch's fixtures."""

    bundle: str
    folder: str
    """The launch's folder."""
    inputs: Mapping[str, str]
    """Input name to its path, in the bundle or absolute."""
    gpus: Tuple[str, ...]
    """Entries of CUDA_VISIBLE_DEVICES that the slots use."""
    job_id: Optional[str]
    """Slurm's id of this job; None outside Slurm."""
    env: Mapping[str, str]
    """Variables of an attempt."""
    own_fds: Tuple[int, ...] = ()
    """Descriptors that a forked fixture must not keep."""


class NotUsable(Exception):
    """A fixture did not start; says why."""


def free_ports(names: Sequence[str]) -> Dict[str, int]:
    """Return for each name a TCP port that nobody listens on at this moment."""
    sockets: List[socket.socket] = []
    try:
        for _ in names:
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            sockets.append(sock)
            sock.bind(("127.0.0.1", 0))
        return {name: sock.getsockname()[1] for name, sock in zip(names, sockets)}
    finally:
        for sock in sockets:
            sock.close()


def tail(path: str) -> List[str]:
    """Return the last lines of a log, each cut to a readable length; empty without one."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    return [line[:_LINE_LENGTH] for line in lines[-_TAIL_LINES:]]
