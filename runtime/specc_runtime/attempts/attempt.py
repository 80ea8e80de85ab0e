"""What a kind's `run(attempt)` is given: its task, its place, and where to put what it measures."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

from ..books.records import RecordWriter

INPUT_PREFIX = "input:"


class TaskError(Exception):
    """A failure that the kind can name. `category` is one of the contract's failure categories."""

    def __init__(
        self,
        category: str,
        message: str,
        suggestion: Optional[str] = None,
        *,
        transient: Optional[bool] = None,
        evidence: Optional[Mapping[str, Any]] = None,
    ) -> None:
        super().__init__(message)
        self.category = category
        self.message = message
        self.suggestion = suggestion
        """What to do about it; None lets the runtime suggest."""
        self.transient = transient
        """Whether another try may help; None: as the category's nature is."""
        self.evidence = dict(evidence or {})
        """Facts to keep beside the failure: exit_code, signal, errno, …"""


@dataclass(frozen=True)
class TaskView:
    """The task as the bundle states it."""

    task_id: str
    index: int
    axes: Mapping[str, Any]
    settings: Mapping[str, Any]
    """Complete: defaults written out. "input:<name>" texts are left for `Attempt.resolve`."""
    repetition: int


class Attempt:
    """One try of one task. Built in the attempt's own process."""

    def __init__(self, order: Mapping[str, Any], *, records_fd: int, report_fd: int) -> None:
        self.task = TaskView(**order["task"])
        self.number: int = order["attempt"]
        """1, 2, … over all launches of the run."""
        self.slot: int = order["slot"]
        self.gpu: Optional[str] = order["gpu"]
        """Entry (or entries, comma between) of CUDA_VISIBLE_DEVICES; None without a GPU."""
        self.cpus: int = order["cpus"]
        """CPUs this attempt may use."""
        self.neighbours: Sequence[str] = tuple(order["neighbours"])
        """Task ids that ran in other slots when this attempt started."""
        self.bundle = Path(order["bundle"])
        self.environment: Mapping[str, str] = order["env"]
        """Variables that were set for this attempt (already in os.environ)."""
        self.rank = 0
        """0, 1, … below `world_size`: which of the task's processes this is."""
        self.world_size = 1
        """Processes that do the task together."""
        self.local_rank = 0
        """0, 1, … below `local_world_size`, on this node."""
        self.local_world_size = 1
        self.node_rank = 0
        self.node: Optional[str] = None
        """This node's name among those of a wide task; None where a task is one process."""
        self._take_rank(order.get("rank"))
        self.output_fd = 1
        """Descriptor whose text ends in output.<slot>.log, capped; a child's stdout and stderr."""
        self._run = Path(order["run"])
        self._launch = Path(order["launch_path"])
        self._inputs: Mapping[str, str] = order["inputs"]
        self._resume: Optional[Mapping[str, Any]] = order["resume"]
        self._earlier: List[Dict[str, Any]] = []
        self._kept: List[str] = []
        self._report_fd = report_fd
        self._records = RecordWriter(
            records_fd,
            launch=order["launch"],
            file=order["records"]["file"],
            offset=order["records"]["offset"],
            head=self._head(),
        )
        self._write = self._records.write

    def _take_rank(self, told: Optional[Mapping[str, Any]]) -> None:
        if told is not None:
            self.rank, self.world_size = told["rank"], told["world_size"]
            self.local_rank, self.local_world_size = told["local_rank"], told["local_world_size"]
            self.node_rank, self.node = told["node_rank"], told["node"]

    def _head(self) -> Dict[str, Any]:
        """Return what stands in every row."""
        head: Dict[str, Any] = {"task_id": self.task.task_id, "attempt": self.number}
        return head if self.node is None else {**head, "rank": self.rank}

    def record(self, type: str, /, **fields: Any) -> None:
        """Append one measured row; it reaches the operating system before this returns."""
        self._write(type, fields)

    def resolve(self, value: Any) -> Any:
        """Turn "input:<name>[/rest]" into its Path; any other value is returned as it is."""
        if not isinstance(value, str) or not value.startswith(INPUT_PREFIX):
            return value
        name = value[len(INPUT_PREFIX) :]
        known = [key for key in self._inputs if name == key or name.startswith(key + "/")]
        if not known:
            raise TaskError("dataset_load", f"{value}: the bundle has no input of this name")
        key = max(known, key=len)
        return self.bundle.joinpath(self._inputs[key] + name[len(key) :])

    @property
    def input_names(self) -> Sequence[str]:
        """Names of the inputs that `resolve` knows."""
        return tuple(self._inputs)

    @property
    def state(self) -> Path:
        """Folder of this task that outlives launches (checkpoints); made on first use."""
        folder = self._run / "state" / self.task.task_id
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def keep(self, name: str) -> Path:
        """Return the path for a file to keep with the results. Raises ValueError outside it.

        Files of rank r > 0 stand in a folder `rank<r>` of their own.
        """
        parts = Path(name).parts
        if not parts or Path(name).is_absolute() or ".." in parts:
            raise ValueError(f"{name!r}: give a relative path without ..")
        if self.rank:
            name = f"rank{self.rank}/{name}"
        path = self._launch / "tasks" / self.task.task_id / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name not in self._kept:
            self._kept.append(name)
        return path

    def resume(
        self, segments: Optional[Sequence[Mapping[str, Any]]] = None
    ) -> Optional[Mapping[str, Any]]:
        """Go on from the last checkpoint: its rows then count as this attempt's own.

        segments: what `segments()` gave at an older checkpoint, for a kind that must go back to
        that one: later rows then no longer count. None: all rows that the last one vouched for.
        Returns the last checkpoint's progress; None when there is none.
        """
        if self._resume is None:
            return None
        chosen = self._resume["segments"] if segments is None else segments
        self._earlier = [dict(segment) for segment in chosen]
        progress: Mapping[str, Any] = self._resume["progress"]
        return progress

    def checkpoint(self, **progress: Any) -> None:
        """Vouch for all rows so far: they survive if this attempt dies and another resumes.

        Of several ranks each calls it, rank 0 last: its call counts, with its progress.
        """
        self._records.sync()
        self.vouch(self.segments(), progress)

    def vouch(self, segments: List[Dict[str, Any]], progress: Mapping[str, Any]) -> None:
        """Report a checkpoint of these segments. For the runtime's own use."""
        self.report("checkpoint", segments=segments, progress=progress)

    def log(self, message: str, **fields: Any) -> None:
        """Write a line to the launch's log.jsonl."""
        self.report("log", message=message, fields=fields)

    def segments(self) -> List[Dict[str, Any]]:
        """Segments of all rows that count, those of a resumed checkpoint first."""
        return [*self._earlier, self._records.segment()]

    @property
    def private_fds(self) -> Sequence[int]:
        """Descriptors that no process but this one may hold. For the runtime's own use."""
        return (self._report_fd, self._records.fd)

    def end(self) -> int:
        """Size of the records file that this attempt knows of [bytes]."""
        return self._records.end

    def report(self, what: str, **fields: Any) -> None:
        """Tell the pool something. For the runtime's own use."""
        line = json.dumps({"what": what, **fields}, default=str).encode() + b"\n"
        view = memoryview(line)
        while view:
            view = view[os.write(self._report_fd, view) :]

    def artefacts(self) -> List[Dict[str, Any]]:
        """Hash what `keep` gave out and is there; folders file by file."""
        found: List[Dict[str, Any]] = []
        for name in self._kept:
            root = self._launch / "tasks" / self.task.task_id / name
            files = sorted(root.rglob("*")) if root.is_dir() else [root]
            for path in files:
                if path.is_file():
                    relative = path.relative_to(self._launch).as_posix()
                    size, digest = _hash(path)
                    found.append({"path": relative, "bytes": size, "sha256": digest})
        return found


def _hash(path: Path) -> "tuple[int, str]":
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while True:
            block = file.read(1 << 20)
            if not block:
                return size, digest.hexdigest()
            digest.update(block)
            size += len(block)
