"""What a process and its descendants have used of the CPUs, ended ones included.

The kernel adds an ended child's time to whoever waited for it. What ended without that is kept as
it was last seen, so that the sum never falls: it is low by what such a process used in its last
second, and by all of it where it lived between two readings.
"""

from __future__ import annotations

import os
import time
from typing import Dict, List, NamedTuple, Optional, Tuple

from .base import Value, missing, present
from .processes import MAX_PROCESSES, ProcessTree

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
BUSY_CORES = 0.5
"""Threads are told apart only in processes that keep at least so much of a core busy."""
MAX_THREADS = 64
"""A process with more threads is not looked into: one file each would cost too much."""


class _Stat(NamedTuple):
    ticks: int
    """User and system time of the process itself, ended threads included."""
    children_ticks: int
    major_faults: int
    threads: int


class Use(NamedTuple):
    """What a tree of processes has used since each of them started."""

    cpu_s: Value
    """CPU time [s]."""
    major_faults: Value
    """Page faults that had to wait for a disk [1]."""
    busiest_thread_pct: Value
    """Share of a core that the busiest thread kept busy since the last reading [0..100]."""


class OwnUse:
    """Reads /proc/<pid>/stat of the members of a tree; the tree is refreshed by its owner."""

    def __init__(self, tree: ProcessTree, root: int, *, proc_root: str = "/proc") -> None:
        self._tree = tree
        self._root = root
        self._proc = proc_root
        self._before: Dict[int, int] = {}
        self._threads: Dict[Tuple[int, str], int] = {}
        self._t_ns = 0
        self._last = self._last_faults = self._lost = self._lost_faults = 0
        self.read()

    def read(self) -> Use:
        """Read the sums of this moment."""
        stats = self._stats()
        if self._root not in stats:
            reason = f"{self._proc}/{self._root}/stat can't be read"
            return Use(missing(reason), missing(reason), missing(reason))
        if self._tree.cut:
            reason = f"more than {MAX_PROCESSES} processes, which are not all followed"
            return Use(missing(reason), missing(reason), missing(reason))
        now_ns = time.monotonic_ns()
        ticks = sum(one.ticks + one.children_ticks for one in stats.values())
        faults = sum(one.major_faults for one in stats.values())
        # an orphan's time goes to nobody when its adopter does not wait for it
        self._lost += max(0, self._last - ticks)
        self._lost_faults += max(0, self._last_faults - faults)
        self._last, self._last_faults = ticks, faults
        busiest = self._busiest(stats, (now_ns - self._t_ns) / 1e9)
        self._before = {pid: one.ticks for pid, one in stats.items()}
        self._t_ns = now_ns
        return Use(
            present(round((ticks + self._lost) / TICKS_PER_S, 2)),
            present(faults + self._lost_faults),
            busiest,
        )

    def _stats(self) -> Dict[int, _Stat]:
        """Read every member, parents first: what a child leaves behind is then never seen twice."""
        found: Dict[int, _Stat] = {}
        for last_time in (False, True):
            found = {}
            pids = self._tree.pids
            for pid in pids:
                stat = _read_stat(f"{self._proc}/{pid}/stat")
                if stat is not None:
                    found[pid] = stat
            if last_time or len(found) == len(pids):
                break
            # one ended after its parent was read: its time is found with the parent next time
            self._tree.refresh()
        return found

    def _busiest(self, stats: Dict[int, _Stat], seconds: float) -> Value:
        most: Optional[float] = None
        threads: Dict[Tuple[int, str], int] = {}
        for pid, stat in stats.items():
            before = self._before.get(pid)
            cores = 0.0 if before is None else (stat.ticks - before) / TICKS_PER_S / seconds
            if stat.threads == 1 or cores < BUSY_CORES:
                # of several threads none was busier than all of them together
                most = max(most or 0.0, cores)
            elif stat.threads <= MAX_THREADS:
                now = self._of_threads(pid)
                threads.update(now)
                known = [n - self._threads[key] for key, n in now.items() if key in self._threads]
                most = max(most or 0.0, max(known, default=0) / TICKS_PER_S / seconds)
        self._threads = threads
        if most is None:
            return missing(f"every process has more than {MAX_THREADS} threads")
        return present(round(min(100.0, 100.0 * most), 1))

    def _of_threads(self, pid: int) -> Dict[Tuple[int, str], int]:
        folder = f"{self._proc}/{pid}/task"
        try:
            names: List[str] = os.listdir(folder)
        except OSError:
            return {}
        read = {name: _read_stat(f"{folder}/{name}/stat") for name in names[:MAX_THREADS]}
        return {(pid, name): stat.ticks for name, stat in read.items() if stat is not None}


def _read_stat(path: str) -> Optional[_Stat]:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        data = os.read(fd, 4096)
    except OSError:
        return None
    finally:
        os.close(fd)
    # the name, in brackets, may hold blanks and brackets itself
    fields = data.rpartition(b")")[2].split()
    try:
        return _Stat(
            int(fields[11]) + int(fields[12]),
            int(fields[13]) + int(fields[14]),
            int(fields[9]) + int(fields[10]),
            int(fields[17]),
        )
    except (IndexError, ValueError):
        return None
