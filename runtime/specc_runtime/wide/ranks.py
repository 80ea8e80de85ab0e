"""The node's side of a wide task: run its ranks here, and tell the leader how they fare.

One process for each node and attempt, with one thread. It lives as long as its line to the leader:
when that ends, for whatever reason, every rank here is killed.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import time
from typing import Any, Dict, List, Mapping, Optional, Sequence

from .. import limits
from ..attempts import worker
from ..books.output import Output, OutputFile
from ..causes.cgroup import OomCounter
from ..pool.usage import counted
from ..slots.places import ProcessPlace, own_node, process_places
from ..slots.slots import NoDevice
from . import clock_offset
from .link import Link, LinkLost, Message, knock
from .ports import FreePort
from .rank_files import Reports, open_records, rank_order

KEY = "SPECC_LEADER"
"""Variable that holds the key to the leader's door."""
NODE_RANK = "SPECC_NODE_RANK"
"""Variable with this node's number, where Slurm does not say it."""
_LOOK_EVERY_S = 1.0
_CLEAR_S = 5.0
_OF_A_STEP = ("SLURM_STEP", "SLURM_SRUN", "SLURM_CPU_BIND", "SRUN_", "PMI", "SLURM_GTIDS")
_OF_A_TASK = (
    *("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID", "SLURM_NTASKS", "SLURM_NPROCS"),
    *("SLURM_NTASKS_PER_NODE", "SLURM_NNODES", "SLURM_TASKS_PER_NODE", "SLURM_TASK_PID"),
)


class Rank:
    """One process of the task, as its node sees it."""

    def __init__(self, number: int, output: Output) -> None:
        self.number = number
        self.output = output
        self.pid = 0
        self.status: Optional[int] = None
        """As os.waitpid returned it; None while it runs."""
        self.usage: Optional[Dict[str, Any]] = None
        self.last: Optional[Dict[str, Any]] = None
        """Its report of how it ended: done, failed or stopped."""
        self.told = False
        self.reports = Reports()


class Crew:
    """The ranks of one attempt on this node."""

    def __init__(self, link: Link, order: Mapping[str, Any], node_rank: int) -> None:
        self._link = link
        self._order = order
        self._node_rank = node_rank
        self._span = order["span"]
        self._ranks: List[Rank] = []
        self._records: Dict[int, int] = {}
        self._kill_at: Optional[float] = None
        self._oom = OomCounter()
        self._port: Optional[FreePort] = None
        self._wake, wake_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._own_fds = [link.fileno(), self._wake, wake_end]
        signal.signal(signal.SIGCHLD, _ignore)
        signal.set_wakeup_fd(wake_end, warn_on_full_buffer=False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(link, selectors.EVENT_READ)
        self._selector.register(self._wake, selectors.EVENT_READ)

    def run(self) -> None:
        """Do what the leader says until the line ends; then nothing of the task is left here."""
        try:
            for message in self._link.waiting():
                self._obey(message)
            while True:
                for key, _ in self._selector.select(self._patience()):
                    self._handle(key)
                self._reap()
                if self._kill_at is not None and time.monotonic() >= self._kill_at:
                    self._signal(signal.SIGKILL)
                    self._kill_at = time.monotonic() + _LOOK_EVERY_S
        except LinkLost:
            pass
        finally:
            self._signal(signal.SIGKILL)
            _clear_away()

    def _patience(self) -> float:
        if self._kill_at is None:
            return _LOOK_EVERY_S
        return min(_LOOK_EVERY_S, max(0.0, self._kill_at - time.monotonic()))

    def _handle(self, key: selectors.SelectorKey) -> None:
        if key.fileobj is self._link:
            for message in self._link.receive():
                self._obey(message)
        elif key.fd == self._wake:
            _drain(self._wake)
        elif key.data is not None:
            rank, is_output = key.data
            alive = rank.output.read() if is_output else self._hear(rank)
            if not alive:
                self._selector.unregister(key.fd)

    def _obey(self, message: Message) -> None:
        what = message["do"]
        if what == "clock":
            clock_offset.answer(self._link)
        elif what == "start":
            self._start(message["env"])
        elif what == "stop":
            self._signal(signal.SIGTERM)
            self._kill_at = time.monotonic() + float(message["grace_s"])
        elif what == "port":
            self._port = FreePort()
            self._link.send(what="port", port=self._port.number)
        elif what == "port_taken":
            taken = self._port is not None and self._port.is_taken()
            self._link.send(what="port_taken", taken=taken)
        elif what == "prepare":
            self._link.send(what="ready", **self._prepare(message["pretended"]))

    def _prepare(self, pretended: Sequence[int]) -> Message:
        """Find a place for each rank before any is started."""
        try:
            which, nodes = pretended
            self._places = process_places(self._span, os.environ, pretended=(which, nodes))
        except NoDevice as error:
            return {"unfit": str(error)}
        return {"unfit": None, "gpus": [place.gpu for place in self._places]}

    def _start(self, env: Mapping[str, str]) -> None:
        if self._port is not None:
            self._port.release()
        for local_rank, place in enumerate(self._places):
            number = self._node_rank * len(self._places) + local_rank
            try:
                rank = self._fork(number, local_rank, place, env)
            except OSError as error:
                self._link.send(what="broken", rank=number, errno=error.errno, message=str(error))
                return
            self._ranks.append(rank)
            self._link.send(what="started", rank=number, pid=rank.pid)

    def _fork(
        self, number: int, local_rank: int, place: ProcessPlace, env: Mapping[str, str]
    ) -> Rank:
        records_fd, records = open_records(self._order, number)
        title = f"task {self._order['task']['task_id']} attempt {self._order['attempt']}"
        name = f"output.{self._order['slot']}.rank{number}.log"
        file = OutputFile(os.path.join(self._order["launch_path"], name))
        rank = Rank(number, Output(file, f"{title} rank {number} on {own_node(os.environ)}"))
        variables = {**place.env, **env, "RANK": str(number), "LOCAL_RANK": str(local_rank)}
        variables["NODE_RANK"] = variables["GROUP_RANK"] = str(self._node_rank)
        told = {
            "rank": number,
            "local_rank": local_rank,
            "node_rank": self._node_rank,
            "world_size": int(env["WORLD_SIZE"]),
            "local_world_size": len(self._places),
            "node": own_node(os.environ),
        }
        order = rank_order(self._order, told, place, env=variables, records=records)
        agent = os.getpid()
        rank.pid = os.fork()
        if rank.pid == 0:
            worker.run_forked(
                order,
                records_fd=records_fd,
                report_fd=rank.reports.write_fd,
                output_fd=rank.output.write_fd,
                close=[*self._own_fds, *self._read_ends(), rank.reports.fd, rank.output.fd],
                parent=agent,
            )
        with contextlib.suppress(OSError):  # the child does it too: whoever is first
            os.setpgid(rank.pid, rank.pid)
        os.close(rank.reports.write_fd)
        os.close(rank.output.write_fd)
        self._records[number] = records_fd
        self._selector.register(rank.reports.fd, selectors.EVENT_READ, (rank, False))
        self._selector.register(rank.output.fd, selectors.EVENT_READ, (rank, True))
        return rank

    def _read_ends(self) -> List[int]:
        ends = [fd for rank in self._ranks for fd in (rank.reports.fd, rank.output.fd)]
        return [*ends, *self._records.values()]

    def _hear(self, rank: Rank) -> bool:
        for report in rank.reports.read():
            if report["what"] in ("done", "failed", "stopped"):
                rank.last = report
            else:
                self._link.send(what="report", rank=rank.number, report=report)
        return not rank.reports.ended

    def _reap(self) -> None:
        while True:
            try:
                pid, status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            for rank in self._ranks:
                if rank.pid == pid:
                    rank.status, rank.usage = status, counted(used)
        for rank in self._ranks:
            if rank.status is not None and not rank.told:
                rank.told = True
                self._tell_end(rank, rank.status)

    def _tell_end(self, rank: Rank, status: int) -> None:
        self._hear(rank)
        limits.signal_group(rank.pid, signal.SIGKILL)  # what it left behind
        rank.output.read()
        error = _sync(self._records[rank.number])
        self._link.send(
            what="ended",
            rank=rank.number,
            t_ns=time.monotonic_ns(),
            last=rank.last,
            exit_code=None if os.WIFSIGNALED(status) else os.WEXITSTATUS(status),
            signal=limits.signal_name(os.WTERMSIG(status)) if os.WIFSIGNALED(status) else None,
            tail=rank.output.tail(),
            oom_kills=self._oom.new(),
            sync_errno=error,
            usage=rank.usage,
        )

    def _signal(self, number: int) -> None:
        for rank in self._ranks:
            if rank.status is None:
                limits.signal_group(rank.pid, number)


def _clear_away() -> None:
    """Kill whatever is left of the ranks, children of children that come here included."""
    end = time.monotonic() + _CLEAR_S
    while time.monotonic() < end:
        limits.kill_children(())
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _sync(fd: int) -> Optional[int]:
    """Bring a rank's rows to the disk; returns the errno of a refusal."""
    try:
        os.fsync(fd)
    except OSError as error:
        return error.errno
    return None


def _drain(fd: int) -> None:
    try:
        while os.read(fd, 4096):
            pass
    except BlockingIOError:
        return


def _ignore(*_: Any) -> None:
    """Catch a signal, so that a program started from here has it as it was."""


def serve(environ: "os._Environ[str]") -> int:
    """Join the leader whose key is in the environment, and work for it. Returns an exit code."""
    # Slurm signals every process of a job: the leader says here when to stop
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP):
        signal.signal(number, _ignore)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    limits.adopt_orphans()
    limits.set_oom_score(-500)
    link = knock(environ.pop(KEY))
    node_rank = int(environ.pop(NODE_RANK, None) or environ.get("SLURM_NODEID") or 0)
    for name in list(environ):
        if name in _OF_A_TASK or name.startswith(_OF_A_STEP):
            # they number what srun started here, which are no ranks
            del environ[name]
    link.send(
        what="here",
        node_rank=node_rank,
        node=own_node(environ),
        host=socket.gethostname(),
        pid=os.getpid(),
    )
    order = link.next()["order"]
    Crew(link, order, node_rank).run()
    return 0
