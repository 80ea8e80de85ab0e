"""Run the tasks of one shard on the slots of this machine.

One process, one thread: a selector wakes for reports, output, ended children and signals. The
pool outlives whatever its attempts do.
"""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections import deque
from typing import Callable, Deque, Dict, Iterable, List, Optional, Sequence, Set

from .. import limits
from ..books.books import Books
from ..books.journal import FULL
from ..causes.cgroup import OomCounter
from ..causes.verdict import SPARED, STOPPED, verdict
from ..contract.giving_up import may_retry
from ..fixtures.fixtures import Fixtures
from ..shard.deadline import DEADLINE, Deadline
from ..signals import Signals
from ..slots.health import Health, first_faults, settle_at
from ..slots.slots import Slot
from .running import Place, Running, Todo
from .starting import Starter
from .usage import Usage

_LOOK_EVERY_S = 1.0
_SIGNAL_S = 0.2
# a job that Slurm suspends sleeps with all its tasks
_SLEPT_S = 5.0
DISK_FULL = "the disk is full"


class Pool:
    """The scheduler of one launch."""

    def __init__(
        self,
        place: Place,
        *,
        slots: Sequence[Slot],
        todo: Iterable[Todo],
        books: Books,
        fixtures: Fixtures,
        signals: Signals,
        end: Deadline,
        beat: Callable[[], bool],
        keep: Iterable[int],
    ) -> None:
        """`keep`: children that are no attempts; they are left alone."""
        self._place = place
        self._free = list(slots)
        self._health = Health(slots)
        self._queue: Deque[Todo] = deque(todo)
        self._books = books
        self._fixtures = fixtures
        self._starter = Starter(place, books, fixtures, signals)
        self._signals = signals
        self._end = end
        self._beat = beat
        self._keep: Set[int] = set(keep)
        self._running: List[Running] = []
        self._ended: Dict[int, int] = {}
        self._usage = Usage()
        self._oom = OomCounter()
        self._looked = time.monotonic()
        self._selector = selectors.DefaultSelector()
        self._selector.register(signals.fd, selectors.EVENT_READ)
        self.stopping: Optional[str] = None
        """Why no more work is handed out; None while it is."""
        self.failed = 0
        self.again = 0
        """Tasks that a later launch should take up: stopped, or never started."""

    def run(self) -> None:
        """Run until nothing is left to do. Raises JournalLost, with every attempt killed."""
        try:
            while True:
                self._look_around()
                self._hand_out()
                if not self._running and (self.stopping is not None or not self._queue):
                    break
                self._wait()
            for todo in self._queue:
                self._books.not_run(todo, f"not started: {self.stopping}")
            self.again += len(self._queue)
            self._books.tick((), last=True)
        finally:
            for running in self._running:
                running.kill()
            self._selector.close()

    def _hand_out(self) -> None:
        while self._free and self._queue and self.stopping is None and self._fixtures.ready:
            picked = self._health.pick(self._queue, self._free, self._running)
            if picked is None:
                return
            place, slot = picked
            todo = self._queue[place]
            del self._queue[place]
            self._free.remove(slot)
            self._start(todo, slot)

    def _start(self, todo: Todo, slot: Slot) -> None:
        try:
            running = self._starter.start(todo, slot, self._running)
        except OSError as error:
            self._queue.appendleft(todo)
            self._free.append(slot)
            self._stop_handing_out(DISK_FULL if error.errno in FULL else str(error))
            return
        for other in self._running:
            other.beside.append(running.task_id)
        self._running.append(running)
        self._selector.register(running.report_fd, selectors.EVENT_READ, running)
        self._selector.register(running.output.fd, selectors.EVENT_READ, running)
        if running.pid is not None:
            self._books.started(running)

    def _wait(self) -> None:
        now = time.monotonic()
        due = [now + (_LOOK_EVERY_S if self._fixtures.ready else _SIGNAL_S)]
        for running in self._running:
            due.extend(when for when in (running.next_deadline(), settle_at(running)) if when)
        for key, _ in self._selector.select(max(0.0, min(due) - now)):
            source: Optional[Running] = key.data
            if source is None:
                self._signals.drain()
            elif key.fd == source.report_fd:
                self._hear(source)
            elif not source.output.read():
                self._selector.unregister(key.fd)
        self._reap()

    def _hear(self, running: Running) -> None:
        for report in running.read_reports():
            what = report["what"]
            if what == "hello" and running.pid is None:
                running.pid = report["pid"]
                self._books.started(running)
                if running.stopped_by is not None:
                    limits.signal_group(report["pid"], signal.SIGTERM)
            elif what == "checkpoint":
                running.todo.resume = {key: report[key] for key in ("segments", "progress")}
                self._books.checkpoint(running, report)
            elif what == "log":
                about = {"task_id": running.task_id, **report["fields"]}
                self._books.log.info(report["message"], about=about)
        if running.reports_ended:
            self._forget(running.report_fd)

    def _forget(self, fd: int) -> None:
        if fd in self._selector.get_map():
            self._selector.unregister(fd)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = self._usage.reap()
            except ChildProcessError:
                break
            if pid == 0:
                break
            if not self._fixtures.ended(pid):
                self._ended[pid] = status
        for running in self._over():
            if not self._health.may_settle(running, self._running):
                self._finish(running, self._ended.pop(running.pid or 0, None))
        if not self._running:
            self._ended.clear()
            self._usage.forget()

    def _over(self) -> List[Running]:
        """List the attempts whose process has ended, likely culprits of a device's fault first."""
        over = []
        for running in self._running:
            if running.pid in self._ended or running.never_came:
                self._hear(running)
                running.ended = running.ended or time.monotonic()
                over.append(running)
        return first_faults(over)

    def _finish(self, running: Running, status: Optional[int]) -> None:
        self._hear(running)
        running.kill()  # what it left behind in its group
        if self._place.slurm.in_slurm and (running.last is None or running.last["what"] != "done"):
            # Slurm signals every process of a step: the attempt may have died of it already
            self._signals.wait(_SIGNAL_S)
            self._take_signals()
        running.output.read()
        self._forget(running.report_fd)
        self._forget(running.output.fd)
        self._running.remove(running)
        self._free.append(running.slot)
        last = running.last
        # whoever said no last word may have died in the middle of a row
        self._books.records(running.slot).settle(None if last is None else last["end"])
        if last is not None and last["what"] == "done":
            self._books.completed(running, {**last, **self._usage.of(running.pid, last)})
        else:
            self._fail(running, status)
        running.close()
        if not self._running:
            # nothing runs that an adopted process could belong to
            limits.kill_children(self._keep.union(self._fixtures.pids()))

    def _fail(self, running: Running, status: Optional[int]) -> None:
        if running.pid is None:
            running.pid = os.getpid()  # it was never seen; the line needs the process that lost it
            self._books.started(running)
        fields = verdict(
            running,
            status,
            oom_kills=self._oom.new(),
            slurm=self._place.slurm,
            task=self._place.shape["task"],
            neighbour_fault=self._health.neighbour_fault(running),
            fixture_fault=self._fixtures.fault_since(running.started),
            deadline_alone=self._place.own_job and running.first and not running.saved,
        )
        self._set_aside(self._health.failed(running, fields["category"]))
        if fields["category"] == "disk":
            self._stop_handing_out(DISK_FULL)
        tried = running.todo.used + (fields["category"] not in SPARED)
        again = fields["category"] in SPARED or may_retry(self._place.on_failure, tried, fields)
        retry = self.stopping is None and again and fields["category"] not in STOPPED
        used = self._usage.of(running.pid, running.last)
        self._books.failed(running, {**fields, **used}, will_retry=retry)
        if retry:
            # whoever made a device fault, or suffered from one, does so to nobody the next time
            alone = running.todo.alone or fields["category"] in ("gpu", "gpu_neighbour")
            self._queue.append(running.todo.next(tried, alone=alone))
        elif self.stopping is not None and again:
            self.again += 1
        else:
            self.failed += 1

    def _set_aside(self, gpus: Iterable[str]) -> None:
        for gpu in gpus:
            self._books.gpu_set_aside(gpu, self._health.set_aside[gpu])
        if self._health.none_left:
            self._stop_handing_out("every GPU of this launch is set aside")

    def _take_signals(self) -> None:
        for name in self._signals.take():
            self._books.journal.write("signal", name=name, seconds_left=self._end.seconds_left())
            if self.stopping == name == "SIGINT":
                for running in self._running:
                    running.kill()
            if not self._end.takes(name):
                self._place.slurm.ask()
                self._stop(name)

    def _look_around(self) -> None:
        self._take_signals()
        self._look_at_the_end()
        if not self._beat():
            self._stop("another launch took the lease over")
        if self._books.journal.full or self._books.unsafe is not None:
            self._stop_handing_out(self._books.unsafe or DISK_FULL)
        self._oom.look()
        self._fixtures.look(stopping=self.stopping is not None)
        if self._fixtures.broken is not None:
            self._stop_handing_out(self._fixtures.broken)
        grace_s, stall_s = self._place.grace_s, self._place.shape["task"].get("stall_limit_s")
        now = time.monotonic()
        slept_s, self._looked = now - self._looked, now
        if slept_s > _SLEPT_S and self._running:
            self._books.log.warning(f"nothing went on here for {slept_s:.0f} s; tasks get it back")
        for running in self._running:
            if slept_s > _SLEPT_S:
                running.put_off(slept_s)
            # a look at the file may be a question to a server
            rows_bytes = 0 if stall_s is None else self._books.records(running.slot).size()
            running.keep_limits(stall_s, rows_bytes, grace_s)
        self._books.tick(self._running)

    def _look_at_the_end(self) -> None:
        if self._end.is_here():
            self._stop(DEADLINE)
        elif self._queue and (no_more := self._end.no_more()) is not None:
            self._stop_handing_out(no_more)

    def _stop(self, reason: str) -> None:
        self._stop_handing_out(reason)
        left = self._end.seconds_left()
        grace_s = self._place.grace_s
        if left is not None:
            grace_s = min(grace_s, max(0.5, left - 2))
        for running in self._running:
            running.stop(reason, grace_s)

    def _stop_handing_out(self, reason: str) -> None:
        if self.stopping is None:
            self.stopping = reason
            self._books.log.warning(f"no further task is started: {reason}")
