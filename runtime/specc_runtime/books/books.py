"""The books of a launch: what the pool writes down about each attempt, and when.

Owns the journal's task lines, the records and output files of each slot, and the progress.
"""

from __future__ import annotations

import os
import time
from typing import Any, Dict, List, Mapping, Optional, Sequence, Set

from ..contract.categories import STOPPED
from ..log import Log
from ..pool.running import Running, Todo
from ..slots.slots import Slot
from .journal import Journal
from .output import Output, OutputFile
from .progress import Progress
from .records import SlotFile

_SYNC_EVERY_S = 1.0


class Books:
    """Everything that a pool leaves behind in its launch folder."""

    def __init__(
        self, folder: str, slots: Sequence[Slot], *, journal: Journal, log: Log, progress: Progress
    ) -> None:
        self.journal = journal
        self.log = log
        self._progress = progress
        self._slots = tuple(slots)
        self._files = {slot.number: SlotFile(folder, slot.number) for slot in slots}
        self._outputs = {
            slot.number: OutputFile(os.path.join(folder, f"output.{slot.number}.log"))
            for slot in slots
        }
        self._completed = 0
        self._advanced: Dict[str, bool] = {}
        self.unsafe: Optional[str] = None
        """Why rows may not have reached the disk; None while all have."""
        self._unsynced: Set[int] = set()
        self._next_sync = 0.0

    def records(self, slot: Slot) -> SlotFile:
        return self._files[slot.number]

    def output(self, slot: Slot, todo: Todo) -> Output:
        """Open the collector of what an attempt prints."""
        title = f"task {todo.row.task_id} attempt {todo.attempt}"
        return Output(self._outputs[slot.number], title)

    def started(self, running: Running) -> None:
        self._write(
            "task_started",
            running,
            pid=running.pid,
            gpu=running.slot.gpu,
            neighbours=running.neighbours,
            output=running.output.place(),
        )

    @property
    def gained(self) -> int:
        """What another launch would go on from: tasks completed, and tasks left at a new point.

        Where an earlier launch has been already, the next one would come as well, and no further.
        """
        return self._completed + sum(self._advanced.values())

    def checkpoint(self, running: Running, report: Mapping[str, Any]) -> None:
        running.saved = True
        segments, progress = report["segments"], report["progress"]
        self._advanced[running.task_id] = progress not in running.todo.reached
        self._write("task_checkpoint", running, segments=segments, progress=progress)
        self.journal.sync()

    def completed(self, running: Running, report: Mapping[str, Any]) -> None:
        self._completed += 1
        self._unsynced.add(running.slot.number)
        names = ("segments", "duration_s", "artefacts", "usage")
        told = {name: report[name] for name in names if name in report}
        self._write("task_completed", running, **told, **_ending(running))
        self._progress.task_completed()

    def failed(self, running: Running, fields: Mapping[str, Any], *, will_retry: bool) -> None:
        self._write("task_failed", running, will_retry=will_retry, **fields, **_ending(running))
        about = {"task_id": running.task_id, "category": fields["category"]}
        self.log.info(f"a task failed: {fields['message']}", about=about)
        if fields["category"] in STOPPED and not will_retry:
            self._progress.task_stopped()
        elif not will_retry:
            self._progress.task_failed()

    def not_run(self, todo: Todo, reason: str) -> None:
        self.journal.write("task_not_run", task_id=todo.row.task_id, reason=reason)
        self._progress.not_run += 1

    def gpu_set_aside(self, gpu: str, reason: str) -> None:
        self.journal.write("gpu_set_aside", gpu=gpu, reason=reason)
        self.log.warning(f"GPU {gpu} is set aside: {reason}")

    def _write(self, event: str, running: Running, **fields: Any) -> None:
        self.journal.write(
            event,
            task_id=running.task_id,
            attempt=running.todo.attempt,
            slot=running.slot.number,
            **fields,
        )

    def tick(self, running: Sequence[Running], *, last: bool = False) -> None:
        """Sync and show progress, where due."""
        now = time.monotonic()
        if last or now >= self._next_sync:
            self._unsynced.update(attempt.slot.number for attempt in running)
            self._sync(now)
        if last or self._progress.due(now):
            self._progress.show(self._slot_states(running), last=last)

    def _sync(self, now: float) -> None:
        """Bring rows to the disk first, then the lines that vouch for them."""
        for slot in self._unsynced:
            try:
                self._files[slot].sync()
            except OSError as error:
                self._is_unsafe(slot, error)
        self._unsynced.clear()
        self.journal.sync()
        # a slow disk is asked less often, so that it never takes more than a tenth of the time
        self._next_sync = now + max(_SYNC_EVERY_S, 10 * (time.monotonic() - now))

    def _is_unsafe(self, slot: int, error: OSError) -> None:
        self.unsafe = f"rows may not have reached the disk: {error}"
        self.log.warning(f"records of slot {slot}: {error}")

    def _slot_states(self, running: Sequence[Running]) -> List[Dict[str, Any]]:
        busy = {attempt.slot.number: attempt for attempt in running}
        return [_slot_state(slot, busy.get(slot.number)) for slot in self._slots]

    def close(self) -> None:
        """Close the files of all slots; the journal stays open."""
        for slot, file in self._files.items():
            try:
                file.close()
            except OSError as error:
                self._is_unsafe(slot, error)
        for output in self._outputs.values():
            output.close()


def _ending(running: Running) -> Dict[str, Any]:
    """Give what every end of an attempt is told with."""
    return {"output": running.output.place(), "beside": sorted(set(running.beside))}


def _slot_state(slot: Slot, running: Optional[Running]) -> Dict[str, Any]:
    return {
        "slot": slot.number,
        "gpu": slot.gpu,
        "state": "idle" if running is None else "running",
        "task_id": None if running is None else running.task_id,
        "since_epoch_ns": None if running is None else running.started_epoch_ns,
    }
