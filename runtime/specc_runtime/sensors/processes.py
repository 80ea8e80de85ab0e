"""A process and its descendants: who they are, and how much memory they hold together.

The tree is walked seldom and the files of its members are kept open, so that a sample costs one
read per process. Shared pages count once for each process that maps them.
"""

from __future__ import annotations

import os
from typing import Dict, List

from .base import OpenFile, Value, missing, present

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
MAX_PROCESSES = 512
"""A task that forks more is cut off here: each open file costs, and the limit is often 1024."""


class ProcessTree:
    """One process and its living descendants, one child (and what comes from it) left out."""

    def __init__(self, pid: int, *, without: int = 0, proc_root: str = "/proc") -> None:
        self._pid = pid
        self._without = without
        self._proc = proc_root
        self._statm: Dict[int, OpenFile] = {}
        self.cut = False
        """True when the last `refresh` found more members than are followed."""
        self.refresh()

    @property
    def pids(self) -> List[int]:
        """The members found by the last `refresh`."""
        return list(self._statm)

    def refresh(self) -> None:
        """Walk the tree again: take in new processes, let go of ended ones."""
        found = self._walk()
        for pid in [pid for pid in self._statm if pid not in found]:
            self._statm.pop(pid).close()
        for pid in found:
            if pid not in self._statm:
                self._statm[pid] = OpenFile(f"{self._proc}/{pid}/statm")

    def rss_bytes(self) -> Value:
        """Add up the resident sets [bytes]; ended members count nothing."""
        total = 0
        reason = None
        for pid, file in list(self._statm.items()):
            text, reason_or_none = file.read(128)
            fields = (text or "").split()
            if len(fields) > 1 and fields[1].isdigit():
                total += int(fields[1]) * PAGE_BYTES
            elif pid == self._pid:
                reason = reason_or_none or "no resident set in statm"
        if reason is not None or not total:
            return missing(reason or f"process {self._pid} holds no memory: it has ended")
        return present(total)

    def close(self) -> None:
        """Close all files."""
        for file in self._statm.values():
            file.close()
        self._statm.clear()

    def _walk(self) -> List[int]:
        found = [self._pid]
        for pid in found:
            found.extend(child for child in self._children(pid) if child != self._without)
            if len(found) > MAX_PROCESSES:
                break
        self.cut = len(found) > MAX_PROCESSES
        return found[:MAX_PROCESSES]

    def _children(self, pid: int) -> List[int]:
        children: List[int] = []
        try:
            threads = os.listdir(f"{self._proc}/{pid}/task")
        except OSError:
            return children
        for thread in threads:
            # a child belongs to the thread that started it
            try:
                fd = os.open(f"{self._proc}/{pid}/task/{thread}/children", os.O_RDONLY)
            except OSError:
                continue
            try:
                children.extend(int(child) for child in os.read(fd, 65536).split())
            except (OSError, ValueError):
                pass
            finally:
                os.close(fd)
        return children
