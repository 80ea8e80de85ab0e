"""Read what the kernel counts for this process's memory: kills, peak and limit of its cgroup.

Both cgroup versions. What can't be read is None, and never 0.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from typing import Callable, List, Optional, Sequence, Tuple

RECENT_S = 5.0
"""How long a kill may explain an attempt's end: two attempts can die of one shortage."""

_SLURM_JOB = re.compile(r"job_\d+")
_FULL = 0.99


@dataclass(frozen=True)
class MemoryFolder:
    """One level of the cgroup tree that this process is counted in."""

    path: str
    unified: bool
    """True for cgroup version 2."""

    def kills(self) -> Optional[int]:
        """Processes that the kernel killed for memory; version 2 counts those of levels below."""
        name = "memory.events" if self.unified else "memory.oom_control"
        return _field(os.path.join(self.path, name), "oom_kill")

    def peak_bytes(self) -> Optional[int]:
        """The most memory ever held, cached files included."""
        return _number(self.path, "memory.peak" if self.unified else "memory.max_usage_in_bytes")

    def limit_bytes(self) -> Optional[int]:
        """The limit; None without one."""
        limit = _number(self.path, "memory.max" if self.unified else "memory.limit_in_bytes")
        # version 1 says "unlimited" with the largest multiple of a page below 2**63
        return None if limit is None or limit >= 1 << 62 else limit


@dataclass(frozen=True)
class MemoryUse:
    """Peak and limit of the tightest level that says both."""

    peak_bytes: int
    limit_bytes: int

    @property
    def full(self) -> bool:
        return self.peak_bytes >= _FULL * self.limit_bytes


def memory_folders(
    proc: str = "/proc/self/cgroup", root: str = "/sys/fs/cgroup"
) -> Tuple[MemoryFolder, ...]:
    """Return this process's own level, and those above it that belong to the same Slurm job."""
    try:
        with open(proc, encoding="utf-8") as file:
            lines = [line.rstrip("\n").split(":", 2) for line in file]
    except OSError:
        return ()
    for line in lines:
        if len(line) != 3:
            continue
        _, controllers, path = line
        if controllers == "":
            found = _levels(root, path, "memory.events", unified=True)
        elif "memory" in controllers.split(","):
            found = _levels(root + "/memory", path, "memory.oom_control", unified=False)
        else:
            continue
        if found:
            return found
    return ()


def memory_use(folders: Sequence[MemoryFolder]) -> Optional[MemoryUse]:
    """Return peak and limit of the level with the lowest limit; None where nothing says both."""
    uses: List[MemoryUse] = []
    for folder in folders:
        peak, limit = folder.peak_bytes(), folder.limit_bytes()
        if peak is not None and limit:
            uses.append(MemoryUse(peak, limit))
    return min(uses, key=lambda use: use.limit_bytes) if uses else None


class OomCounter:
    """Counts the kernel's memory kills around this process, for a short while after each."""

    def __init__(
        self,
        folders: Optional[Sequence[MemoryFolder]] = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folders = memory_folders() if folders is None else tuple(folders)
        self._clock = clock
        self._last = self._read()
        self._recent: List[Tuple[float, int]] = []

    @property
    def counts(self) -> bool:
        """False where the kernel tells no number of kills."""
        return self._last is not None

    def look(self) -> None:
        """Take note of kills, so that they are old by the time another attempt ends."""
        now = self._read()
        if now is not None and self._last is not None and now > self._last:
            self._recent.append((self._clock(), now - self._last))
        self._last = now

    def new(self) -> int:
        """Return how many kills were seen within the last RECENT_S; 0 where it can't be known."""
        self.look()
        oldest = self._clock() - RECENT_S
        self._recent = [seen for seen in self._recent if seen[0] >= oldest]
        return sum(number for _, number in self._recent)

    def _read(self) -> Optional[int]:
        counts = [folder.kills() for folder in self.folders]
        known = [count for count in counts if count is not None]
        if not known:
            return None
        # version 2 counts what happens below as well, version 1 does not
        return known[-1] if self.folders[0].unified else sum(known)


def _levels(root: str, path: str, proof: str, *, unified: bool) -> Tuple[MemoryFolder, ...]:
    if not os.path.exists(os.path.join(root + path, proof)):
        # a container sees the host's path, and its own level as the root
        path = "/"
        if not os.path.exists(os.path.join(root, proof)):
            return ()
    parts = [part for part in path.split("/") if part]
    jobs = [place for place, part in enumerate(parts) if _SLURM_JOB.fullmatch(part)]
    top = jobs[-1] + 1 if jobs else len(parts)
    folders = [os.path.join(root, *parts[:end]) for end in range(len(parts), top - 1, -1)]
    return tuple(MemoryFolder(folder, unified) for folder in folders)


def _number(folder: str, name: str) -> Optional[int]:
    try:
        with open(os.path.join(folder, name), encoding="ascii") as file:
            text = file.read().strip()
    except (OSError, ValueError):
        return None
    return int(text) if text.isdigit() else None


def _field(path: str, name: str) -> Optional[int]:
    try:
        with open(path, encoding="ascii") as file:
            lines = [line.split() for line in file]
    except (OSError, ValueError):
        return None
    values = [line[1] for line in lines if len(line) == 2 and line[0] == name]
    return int(values[0]) if values and values[0].isdigit() else None
