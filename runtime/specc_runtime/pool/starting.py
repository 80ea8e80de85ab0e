"""Start the process of an attempt: forked from the pool, or from the warm parent.

Everything an attempt inherits is decided here; the pool only learns that it runs.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any, List, Sequence, Set

from ..attempts import worker
from ..books.books import Books
from ..fixtures.fixtures import Fixtures
from ..signals import Signals
from ..slots.slots import Slot
from .running import Place, Running, Todo


class Starter:
    """Turns a task and a slot into a running attempt."""

    def __init__(self, place: Place, books: Books, fixtures: Fixtures, signals: Signals) -> None:
        self._place = place
        self._books = books
        self._fixtures = fixtures
        self._signals = signals
        self._used: Set[int] = set()

    def start(self, todo: Todo, slot: Slot, others: Sequence[Running]) -> Running:
        """Start an attempt. Raises OSError when its records can't be written.

        others: the attempts that run already. The `pid` of a warm parent's child is None until it
        says hello.
        """
        file = self._books.records(slot)
        records_fd = file.open()
        neighbours = [running.task_id for running in others]
        running = Running(todo, slot, self._books.output(slot, todo), neighbours)
        running.first = slot.number not in self._used
        self._used.add(slot.number)
        limit_s = self._place.shape["task"]["time_limit_s"]
        if limit_s is not None:
            running.limit = running.started + limit_s
        order = self._place.order(todo, slot, neighbours, file.name, file.offset)
        ends = [records_fd, running.report_write_fd, running.output.write_fd]
        if not self._ask_warm_parent(order, ends):
            running.pid = self._fork(order, ends, running, others)
        running.close_child_ends()
        return running

    def _ask_warm_parent(self, order: Any, ends: Sequence[int]) -> bool:
        spawner = self._fixtures.spawner
        if spawner is None:
            return False
        try:
            spawner.spawn(order, ends)
        except OSError as error:
            self._books.log.warning(f"the warm parent does not answer: {error}")
            return False
        return True

    def _fork(
        self, order: Any, ends: Sequence[int], running: Running, others: Sequence[Running]
    ) -> int:
        pool = os.getpid()
        pid = os.fork()
        if pid == 0:
            worker.run_forked(
                order,
                records_fd=ends[0],
                report_fd=ends[1],
                output_fd=ends[2],
                close=[running.report_fd, running.output.fd, *self._own_fds(others)],
                parent=pool,
            )
        # child and pool both do it: whoever is first, the group is known; the child may have ended
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        return pid

    def _own_fds(self, others: Sequence[Running]) -> List[int]:
        pipes = [fd for each in others for fd in (each.report_fd, each.output.fd)]
        return [self._books.journal.fd, *self._signals.fds, *pipes]
