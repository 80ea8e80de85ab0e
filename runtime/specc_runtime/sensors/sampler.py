"""Sample the machine beside a run: a process of its own that appends rows to hardware.jsonl.

It holds one file on the results file system and writes to it about once a second, whatever the
interval. It ends with its parent. No sensor and no full disk ends it: a sensor that vanishes is
said once, in the row where it did, and rows wait while they cannot be written.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from typing import Any, Dict, List, Optional, Union

from . import nvml
from .base import Unavailable, Value, why
from .counters import Counters
from .load import Load
from .processes import ProcessTree

WRITE_EVERY_NS = 1_000_000_000
REFRESH_EVERY_NS = 900_000_000
"""The tree of processes and the counters are read about once a second: a little less than that, so
that a row a second has them every time."""
GPU_EVERY_NS = 500_000_000
"""Every read is a driver call, and the power sensor averages over a second anyway."""
MAX_WAITING_BYTES = 1 << 20
PR_SET_PDEATHSIG = 1  # linux/prctl.h
FIRST_ROW_S = 0.1
STOP_TIMEOUT_S = 5.0

PACKAGE_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BOOT = "import sys; sys.path.insert(0, sys.argv.pop(1)); from {} import main; main(sys.argv[1:])"


class Sampler:
    """A running sampler."""

    def __init__(self, process: Optional[subprocess.Popen[bytes]], reason: Optional[str]) -> None:
        self._process = process
        self.reason = reason
        """Why there is no sampler; None when it was started."""

    @property
    def pid(self) -> Optional[int]:
        return self._process.pid if self._process is not None else None

    def stop(self) -> None:
        """Let it write its last rows and wait for its end; kill it if that takes too long."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def start(path: str, interval_s: float, pid: int) -> Sampler:
    """Start sampling into `path` every `interval_s`.

    pid: the process whose descendants count as ours, the pool. A sampler that cannot be started
    is no reason to stop a run: the handle then carries the reason.
    """
    boot = BOOT.format(__name__)
    command = [sys.executable, "-I", "-B", "-c", boot, PACKAGE_ROOT]
    try:
        process = subprocess.Popen(
            [*command, path, repr(interval_s), str(pid), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except OSError as error:
        return Sampler(None, why(error))
    return Sampler(process, None)


class Rows:
    """Takes one sample after another."""

    def __init__(self, pid: int, *, proc_root: str = "/proc", nvml_module: Any = None) -> None:
        self._load = Load(proc_root)
        self._tree = ProcessTree(pid, without=os.getpid(), proc_root=proc_root)
        self._counters = Counters(self._tree, pid, proc_root=proc_root)
        self._gpus = _open_gpus(nvml_module)
        self._gpu_ns = self._refresh_ns = 0
        self._said: Dict[str, str] = {}

    def sample(self) -> Dict[str, Any]:
        """Take one row of hardware.jsonl.

        `unavailable` [{sensor, reason}] stands in it only when a sensor went missing since the
        last one. `gpus` and `counters` are null in a row between two readings of them.
        """
        now_ns = time.monotonic_ns()
        counters: Optional[Dict[str, Any]] = None
        counters_missing: Dict[str, str] = {}
        if now_ns - self._refresh_ns >= REFRESH_EVERY_NS:
            self._tree.refresh()
            counters, counters_missing = self._counters.read()
            self._refresh_ns = now_ns
        readings = {
            "cpu_util_pct": self._load.cpu_util_pct(),
            "memory_available_bytes": self._load.memory_available_bytes(),
            "rss_bytes": self._tree.rss_bytes(),
        }
        row: Dict[str, Any] = {"t_ns": now_ns, "epoch_ns": time.time_ns()}
        row.update((name, reading.value) for name, reading in readings.items())
        row["gpus"] = None if self._gpus else []
        row["counters"] = self._without_the_known_gaps(counters)
        parts_missing: Dict[str, str] = counters_missing
        if self._gpus and now_ns - self._gpu_ns >= GPU_EVERY_NS:
            own = self._tree.pids
            row["gpus"] = [gpu.sample(own) for gpu in self._gpus]
            self._gpu_ns = now_ns
            for gpu_row in row["gpus"]:
                if "reason" in gpu_row:
                    parts_missing[f"nvml {gpu_row['uuid']}"] = str(gpu_row["reason"])
        lost = self._newly_lost(readings, parts_missing)
        if lost:
            row["unavailable"] = lost
        return row

    def _without_the_known_gaps(
        self, counters: Optional[Dict[str, Any]]
    ) -> Optional[Dict[str, Any]]:
        """Leave out what an earlier row has said to be missing: rows of a day are many."""
        if counters is None:
            return None
        return {k: v for k, v in counters.items() if v is not None or k not in self._said}

    def _newly_lost(
        self, readings: Dict[str, Value], parts_missing: Dict[str, str]
    ) -> List[Dict[str, str]]:
        now = {name: str(r.reason) for name, r in readings.items() if r.value is None}
        now.update(parts_missing)
        new = [{"sensor": k, "reason": v} for k, v in now.items() if self._said.get(k) != v]
        self._said.update(now)
        return new


def _open_gpus(nvml_module: Any) -> List[nvml.Gpu]:
    library = nvml.open(nvml_module)
    if isinstance(library, Unavailable):
        return []
    entries = nvml.visible_entries(os.environ.get("CUDA_VISIBLE_DEVICES"))
    if entries is None:
        return library.all_gpus()
    opened: List[Union[nvml.Gpu, Unavailable]] = [library.gpu(entry) for entry in entries]
    return [gpu for gpu in opened if not isinstance(gpu, Unavailable)]


class RowFile:
    """An append-only file that takes rows in groups and outlives a full disk."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._waiting = b""
        self._written_ns = 0

    def add(self, row: Dict[str, Any]) -> None:
        """Take a row; write when the last write is a second ago."""
        line = json.dumps(row, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        # a disk that stays full: newer rows are dropped, the older ones are whole
        if len(self._waiting) + len(line) <= MAX_WAITING_BYTES:
            self._waiting += line
        if time.monotonic_ns() - self._written_ns >= WRITE_EVERY_NS:
            self.write()

    def write(self) -> None:
        """Write what waits; what the disk does not take goes on waiting."""
        try:
            while self._waiting:
                self._waiting = self._waiting[os.write(self._fd, self._waiting) :]
        except OSError:
            pass
        self._written_ns = time.monotonic_ns()

    def close(self) -> None:
        """Write the rest and close."""
        self.write()
        os.close(self._fd)


def main(arguments: List[str]) -> None:
    """Run the sampling process: path, interval [s], pid of the pool, pid of the parent."""
    path, interval_s, pid, parent = (
        arguments[0],
        float(arguments[1]),
        int(arguments[2]),
        int(arguments[3]),
    )
    # Ctrl-C reaches the whole group; sampling goes on until the parent says so
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # SIGUSR1 only wakes the loop, which then looks for its parent: the kernel sends it when the
    # parent's *thread* ends, which is not yet the end of the parent
    wake = {signal.SIGTERM, signal.SIGUSR1}
    signal.pthread_sigmask(signal.SIG_BLOCK, wake)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGUSR1), 0, 0, 0)
    file = RowFile(path)
    rows = Rows(pid)
    # utilisation needs a stretch of time before it
    due = time.monotonic() + min(interval_s, FIRST_ROW_S)
    while os.getppid() == parent:
        woken = signal.sigtimedwait(wake, max(0.0, due - time.monotonic()))
        if woken is None:
            file.add(rows.sample())
            due = max(due + interval_s, time.monotonic())
        elif woken.si_signo == signal.SIGTERM:
            break
    file.close()
