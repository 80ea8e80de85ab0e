"""The health of the GPUs of one launch: who may run where, whose fault it was, what is set aside.

Under MPS a fatal fault of one client ends all clients of its GPU, and the driver does not say whose
it was: the first to report counts, and all of them are tried again, each alone on a GPU.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from ..pool.running import Running, Todo
from .slots import Slot

NEIGHBOUR_S = 10.0
"""So long after a fault the failure of a neighbour is put down to it."""
_SETTLE_S = 2.0
"""So long an end on a shared GPU waits for those that may have caused it.

A process needs a moment to say so and to end, and on a node with more to do than CPUs a long one.
"""
_FAULTS = 2
_MPS_ERRORS = range(805, 811)  # driver_types.h: errors of the MPS connection, 810 = terminated


class _Fault(NamedTuple):
    task_id: str
    at: float


class Health:
    """What is known of each GPU, by its entry of CUDA_VISIBLE_DEVICES."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        self._slots = tuple(slots)
        self._last: Dict[str, _Fault] = {}
        self._faulty: Dict[str, List[str]] = {}
        """Tasks that failed on a GPU by themselves."""
        self.set_aside: Dict[str, str] = {}
        """GPU -> why nothing more is started on it."""

    @property
    def none_left(self) -> bool:
        return all(self.set_aside.keys() & set(slot.entries) for slot in self._slots)

    def pick(
        self, queue: Iterable[Todo], free: Sequence[Slot], running: Sequence[Running]
    ) -> Optional[Tuple[int, Slot]]:
        """Return the place in the queue of the task to start now, and its slot; None to wait.

        The GPU with the fewest tasks comes first. A task that failed on one waits for another,
        where there is one: then its second failure tells whose fault it was.
        """
        open_slots = [slot for slot in free if not self.set_aside.keys() & set(slot.entries)]
        busy = Counter(entry for each in running for entry in each.slot.entries)
        guarded = {entry for each in running if each.todo.alone for entry in each.slot.entries}
        for place, todo in enumerate(queue):
            shunned = self._shunned(todo) if todo.alone else set()
            fitting = [s for s in open_slots if _fits(s, todo, busy, guarded | shunned)]
            if fitting:
                return place, min(fitting, key=lambda slot: _order(slot, busy))
            if not todo.alone:
                return None
        return None

    def _shunned(self, todo: Todo) -> Set[str]:
        """Return the GPUs that a task failed on; none where no slot is without them."""
        failed = {gpu for gpu, tasks in self._faulty.items() if todo.row.task_id in tasks}
        shut = failed.union(self.set_aside)
        return failed if any(not shut.intersection(slot.entries) for slot in self._slots) else set()

    def may_settle(self, ended: Running, running: Sequence[Running]) -> bool:
        """Tell whether the cause of an end on a shared GPU may still show itself."""
        assert ended.ended is not None
        if time.monotonic() - ended.ended >= _SETTLE_S or (ended.last or {}).get("what") == "done":
            return False
        if ended.stopped_by is not None or _device_error(ended) is not None:
            return False
        return any(
            each is not ended and each.ended is None and _share(each, ended) for each in running
        )

    def neighbour_fault(self, ended: Running) -> Optional[str]:
        """Return the task whose fault this attempt may have suffered from."""
        if ended.todo.alone:
            return None  # nobody was there; else it could be tried again for ever, at no cost
        now = time.monotonic()
        for entry in ended.slot.entries:
            fault = self._last.get(entry)
            if fault is None or fault.task_id == ended.task_id or ended.started > fault.at:
                continue
            if now - fault.at < NEIGHBOUR_S:
                return fault.task_id
        return None

    def failed(self, ended: Running, category: str) -> Tuple[str, ...]:
        """Take note of a failure by category "gpu". Returns the GPUs that are set aside by it."""
        if category != "gpu" or not ended.slot.entries:
            return ()
        error = _device_error(ended)
        lost: List[str] = []
        for entry in ended.slot.entries:
            self._last[entry] = _Fault(ended.task_id, time.monotonic())
            if error in _MPS_ERRORS:
                continue  # its daemon went away; the GPU did nothing
            self._faulty.setdefault(entry, []).append(ended.task_id)
            tasks = [task for task in self._faulty[entry] if not self._suspect(task, entry)]
            if len(tasks) >= _FAULTS and entry not in self.set_aside:
                self.set_aside[entry] = f"{len(tasks)} tasks failed on it by themselves"
                lost.append(entry)
        return tuple(lost)

    def _suspect(self, task_id: str, entry: str) -> bool:
        """Tell whether a task failed on other GPUs as well, so that it is the task's fault."""
        return any(task_id in tasks for gpu, tasks in self._faulty.items() if gpu != entry)


def settle_at(ended: Running) -> Optional[float]:
    """Return when an ended attempt waits no longer for its neighbours [monotonic s]."""
    return None if ended.ended is None else ended.ended + _SETTLE_S


def first_faults(ended: Iterable[Running]) -> List[Running]:
    """Order attempts that ended at one moment: those that can name a device's error first."""
    return sorted(ended, key=lambda each: (_rank(each), each.ended or 0.0))


def _rank(ended: Running) -> int:
    error = _device_error(ended)
    return 2 if error is None else int(error in _MPS_ERRORS)


def _device_error(ended: Running) -> Optional[int]:
    report = ended.last or {}
    error = (report.get("evidence") or {}).get("device_error")
    if isinstance(error, int):
        return error
    return 0 if report.get("category") == "gpu" else None


def _share(one: Running, other: Running) -> Set[str]:
    return set(one.slot.entries) & set(other.slot.entries)


def _order(slot: Slot, busy: Mapping[str, int]) -> Tuple[int, int]:
    return sum(busy.get(entry, 0) for entry in slot.entries), slot.number


def _fits(slot: Slot, todo: Todo, busy: Mapping[str, int], guarded: Set[str]) -> bool:
    entries = slot.entries
    if todo.alone and any(busy.get(entry) for entry in entries):
        return False
    return not guarded.intersection(entries)
