"""One running attempt, seen from the pool: its pipes, its last words, and how it is being ended."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import dataclass, replace
from typing import Any, Dict, List, Mapping, Optional, Tuple

from .. import limits
from ..books.output import Output
from ..causes.asking import Asking
from ..contract.tasks import TaskRow
from ..slots.slots import Slot

_BLOCK = 1 << 16
_HELLO_S = 60.0
_KILL_EVERY_S = 1.0


@dataclass
class Todo:
    """A task that waits for a slot."""

    row: TaskRow
    attempt: int
    """Number that its next attempt gets."""
    resume: Optional[Mapping[str, Any]]
    """{"segments", "progress"} of its last checkpoint; None without one."""
    alone: bool = False
    """True: no other attempt may be on its GPU at the same time."""
    used: int = 0
    """Attempts used up before, of those that `on_failure` counts."""
    reached: Tuple[Any, ...] = ()
    """The `progress` with which earlier launches left it."""

    def next(self, used: int, *, alone: bool) -> Todo:
        """Return the same task for its next attempt."""
        return replace(self, attempt=self.attempt + 1, used=used, alone=alone)


@dataclass(frozen=True)
class Place:
    """Where a launch stands: the same for all of its attempts."""

    bundle: str
    run: str
    launch: str
    """`<shard_id>/<launch>`."""
    launch_path: str
    kind: str
    inputs: Mapping[str, str]
    shape: Mapping[str, Any]
    on_failure: Mapping[str, Mapping[str, Any]]
    env: Mapping[str, str]
    grace_s: float
    slurm: Asking
    """Asked when a signal comes."""
    own_job: bool
    """True when the Slurm job runs this shard and nothing else."""

    def order(self, todo: Todo, slot: Slot, neighbours: List[str], file: str, offset: int) -> Any:
        """Build what an attempt's process is told (JSON)."""
        row = todo.row
        return {
            "kind": self.kind,
            "bundle": self.bundle,
            "run": self.run,
            "launch": self.launch,
            "launch_path": self.launch_path,
            "inputs": self.inputs,
            "task": {
                "task_id": row.task_id,
                "index": row.index,
                "axes": row.axes,
                "settings": row.settings,
                "repetition": row.repetition,
            },
            "attempt": todo.attempt,
            "slot": slot.number,
            "gpu": slot.gpu,
            "cpus": slot.cpus,
            "cpu_set": slot.cpu_set,
            "env": {**self.env, **slot.env},
            "neighbours": neighbours,
            "resume": todo.resume,
            "records": {"file": file, "offset": offset},
            "span": None if slot.span is None else {**vars(slot.span), **self._of_ranks()},
        }

    def _of_ranks(self) -> Mapping[str, Any]:
        return {"task": self.shape["task"], "shape": self.shape["name"], "grace_s": self.grace_s}


class Running:
    """An attempt from its start to the pool's verdict."""

    def __init__(self, todo: Todo, slot: Slot, output: Output, neighbours: List[str]) -> None:
        self.todo = todo
        self.slot = slot
        self.output = output
        self.neighbours = neighbours
        self.beside = list(neighbours)
        """Tasks that have run at the same time so far: those it found, and those that came."""
        self.pid: Optional[int] = None
        """None until a warm parent's child has told its own."""
        self.started = time.monotonic()
        self.started_epoch_ns = time.time_ns()
        self.first = False
        """True when nothing ran in its slot before it in this launch."""
        self.saved = False
        """True once it saved a checkpoint."""
        self.limit: Optional[float] = None
        """Monotonic time at which its time limit ends."""
        self.ended: Optional[float] = None
        """Monotonic time at which its process was seen to be over."""
        self.stopped_by: Optional[str] = None
        self.kill_at: Optional[float] = None
        self.last: Optional[Dict[str, Any]] = None
        """Its report of how it ended: done, failed or stopped."""
        self.reports_ended = False
        self._signs: Tuple[int, int, int] = (0, 0, 0)
        self._sign_at = self.started
        self._reports = 0
        self._buffer = b""
        read_end, self.report_write_fd = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(read_end, False)
        self.report_fd = read_end

    @property
    def task_id(self) -> str:
        return self.todo.row.task_id

    @property
    def never_came(self) -> bool:
        """True when a warm parent's child has not said hello and will not."""
        if self.pid is not None:
            return False
        return self.reports_ended or time.monotonic() - self.started > _HELLO_S

    def close_child_ends(self) -> None:
        """Close the ends that only the attempt writes to."""
        os.close(self.report_write_fd)
        os.close(self.output.write_fd)

    def read_reports(self) -> List[Dict[str, Any]]:
        """Return the reports that have arrived."""
        while not self.reports_ended:
            try:
                data = os.read(self.report_fd, _BLOCK)
            except BlockingIOError:
                break
            if not data:
                self.reports_ended = True
            self._buffer += data
        *lines, self._buffer = self._buffer.split(b"\n")
        found = []
        for line in lines:
            report: Dict[str, Any] = json.loads(line)
            if report["what"] in ("done", "failed", "stopped"):
                self.last = report
            found.append(report)
        self._reports += len(found)
        return found

    def is_stalled(self, limit_s: Optional[float], rows_bytes: int) -> bool:
        """Tell whether it has printed, recorded and reported nothing for `limit_s`.

        rows_bytes: size of its records file.   limit_s: None means that nobody asks.
        """
        if limit_s is None:
            return False
        signs = (self.output.taken, self._reports, rows_bytes)
        if signs != self._signs:
            self._signs, self._sign_at = signs, time.monotonic()
        return time.monotonic() - self._sign_at >= limit_s

    def keep_limits(self, stall_s: Optional[float], rows_bytes: int, grace_s: float) -> None:
        """Stop it when its time is over or it is stalled; kill what was asked to stop too long ago.

        stall_s, rows_bytes: as `is_stalled` takes them.
        """
        now = time.monotonic()
        if self.stopped_by is None and self.limit is not None and now >= self.limit:
            self.stop("time_limit", grace_s)
        elif self.stopped_by is None and self.is_stalled(stall_s, rows_bytes):
            self.stop("stall_limit", grace_s)
        elif self.kill_at is not None and now >= self.kill_at:
            self.kill()
            self.kill_at = now + _KILL_EVERY_S

    def put_off(self, seconds: float) -> None:
        """Give it time back in which it could not run."""
        self._sign_at += seconds
        self.limit = None if self.limit is None else self.limit + seconds
        self.kill_at = None if self.kill_at is None else self.kill_at + seconds

    def stop(self, reason: str, grace_s: float) -> None:
        """Ask it to end; `overdue` then tells when to stop asking."""
        if self.stopped_by is None:
            self.stopped_by = reason
            self.kill_at = time.monotonic() + grace_s
            if self.pid is not None:
                limits.signal_group(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End what is left of it at once."""
        if self.pid is not None:
            limits.signal_group(self.pid, signal.SIGKILL)

    def next_deadline(self) -> Optional[float]:
        """Monotonic time at which the pool must look at it again."""
        return self.limit if self.stopped_by is None else self.kill_at

    def close(self) -> None:
        os.close(self.report_fd)
        self.output.close()
