"""Bring the nodes of a wide task together: start a process on each, wait for it, let it go.

On this machine it is forked from the leader; on other nodes one `srun` starts it, as a step that
shares what the job holds. Which it was makes no difference to what follows.
"""

from __future__ import annotations

import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from ..attempts.attempt import TaskError
from ..slots.places import SRUN
from . import ranks
from .link import Door, Link, LinkLost, first_resolvable

FIRST_PYTHON = "SPECC_FIRST_PYTHON"
"""Set by the launch: the interpreter that the job script chose, before any environment."""
_ARRIVAL_S = 900.0
"""Every node may have to build its environment first."""
_FAREWELL_S = 5.0
_LOOK_EVERY_S = 0.1
# what a step needs to know of its job; the rest describes the step around, or options of srun
_KEPT = re.compile(
    r"SLURM_(CONF\w*|CLUSTER_NAME|JOBID|JOB_\w+|ARRAY_\w+|SUBMIT_\w+|RESTART_COUNT)$"
)
_OF_SLURM = ("SLURM_", "SRUN_", "PMI_", "PMIX_")


@dataclass(frozen=True)
class Node:
    """A node that has come, and the line to it."""

    rank: int
    """0, 1, … in the order of the task's nodes."""
    name: str
    """What Slurm calls it; the machine's own name outside Slurm."""
    host: str
    link: Link

    def fields(self) -> Dict[str, Any]:
        return {"node": self.name, "host": self.host}


class Gathering:
    """The nodes of one attempt, for the length of a `with` block."""

    def __init__(self, order: Mapping[str, Any], private_fds: Sequence[int]) -> None:
        """private_fds: descriptors of the leader that no other process may hold."""
        self._order = order
        self._private_fds = tuple(private_fds)
        span = order["span"]
        self._names: Tuple[str, ...] = tuple(span["nodes"])
        self._by_srun = span["launcher"] == SRUN
        self.emulated = not self._by_srun and len(self._names) > 1
        """One machine stands for all nodes."""
        self._nodes: List[Node] = []
        self._forked: List[int] = []
        self._srun: Optional["subprocess.Popen[bytes]"] = None

    def __enter__(self) -> "Gathering":
        self._door = Door(only_here=not self._by_srun)
        if self._by_srun:
            self._start_step()
        else:
            for number in range(len(self._names)):
                self._fork(number)
        return self

    def wait(self) -> List[Node]:
        """Return the nodes once all have come. Raises TaskError (node)."""
        end = time.monotonic() + _ARRIVAL_S
        with selectors.DefaultSelector() as selector:
            selector.register(self._door, selectors.EVENT_READ)
            while len(self._nodes) < len(self._names):
                if selector.select(_LOOK_EVERY_S):
                    self._let_in()
                elif (why := self._gone()) is not None:
                    raise self._incomplete(why)
                elif time.monotonic() >= end:
                    raise self._incomplete(f"after {_ARRIVAL_S:g} s")
        self._nodes.sort(key=lambda node: node.rank)
        if [node.rank for node in self._nodes] != list(range(len(self._names))):
            raise self._incomplete("two nodes have the same number")
        return self._nodes

    def master_address(self) -> str:
        """Return where rank 0 is to be reached from every node."""
        if not self._by_srun:
            return "127.0.0.1"
        first = self._nodes[0]
        return first_resolvable([first.name, first.host]) or first.link.peer

    def _let_in(self) -> None:
        link = self._door.admit()
        if link is None:
            return
        try:
            told = link.next()
            link.send(order=self._order)
        except LinkLost:
            link.close()
            return
        self._nodes.append(Node(told["node_rank"], told["node"], told["host"], link))

    def _gone(self) -> Optional[str]:
        """Say what ended of that which was to bring the nodes; None while it runs."""
        if self._srun is not None and self._srun.poll() is not None:
            return f"srun ended with code {self._srun.returncode}"
        for pid in self._forked:
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                return f"process {pid} ended"
        return None

    def _incomplete(self, why: str) -> TaskError:
        came = sorted(node.name for node in self._nodes)
        missing = [name for name in self._names if name not in came]
        return TaskError(
            "node",
            f"{len(came)} of {len(self._names)} nodes came ({why})",
            "its output says what went wrong on the node; start the job again on other nodes",
            evidence={"came": came, "missing": missing},
        )

    def _fork(self, number: int) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            self._forked.append(pid)
            return
        code = 70
        try:
            # what ends the leader's process group must leave this one to end its ranks in order
            os.setsid()
            os.environ[ranks.KEY] = self._door.key()
            os.environ[ranks.NODE_RANK] = str(number)
            self._door.close()
            for fd in self._private_fds:
                os.close(fd)
            code = ranks.serve(os.environ)
        except LinkLost:
            code = 0  # the leader is gone
        finally:
            os._exit(code)

    def _start_step(self) -> None:
        srun = shutil.which("srun")
        if srun is None:
            raise TaskError(
                "node",
                "srun is not here, so other nodes can't be reached",
                "a container needs Slurm's commands in it for tasks on several nodes",
                transient=False,
            )
        self._srun = subprocess.Popen(
            [srun, *step_options(self._names, os.environ), *self._command()],
            env={**step_environment(os.environ), ranks.KEY: self._door.key()},
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # srun kills its step at once when it is signalled itself
        )

    def _command(self) -> List[str]:
        package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        main = os.path.join(package, "__main__.py")
        python = os.environ.get(FIRST_PYTHON) or sys.executable
        what = ["--bundle", self._order["bundle"], "--shape", self._order["span"]["shape"]]
        return [python, "-I", "-B", "-X", "utf8", main, "rank", *what]

    def __exit__(self, *_: object) -> None:
        for node in self._nodes:
            node.link.close()  # tells it to end whatever is left there
        self._door.close()
        end = time.monotonic() + _FAREWELL_S
        while self._any_alive() and time.monotonic() < end:
            time.sleep(0.005)
        if self._srun is not None and self._srun.poll() is None:
            self._srun.kill()
            self._srun.wait()
        for pid in self._forked:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def _any_alive(self) -> bool:
        if self._srun is not None:
            return self._srun.poll() is None
        for pid in list(self._forked):
            if os.waitpid(pid, os.WNOHANG)[0]:
                self._forked.remove(pid)
        return bool(self._forked)


def step_options(nodes: Sequence[str], environ: Mapping[str, str]) -> List[str]:
    """Return srun's options for a step of one process on each node, beside the runtime's own."""
    number = len(nodes)
    options = [
        *("--overlap", f"--nodes={number}", f"--ntasks={number}", "--ntasks-per-node=1"),
        *(f"--nodelist={','.join(nodes)}", "--mem=0", "--export=ALL", "--input=none"),
        *("--kill-on-bad-exit=1", "--job-name=ranks"),
    ]
    cpus = least_cpus(environ.get("SLURM_JOB_CPUS_PER_NODE", ""))
    return [*options, f"--cpus-per-task={cpus}"] if cpus else options


def least_cpus(text: str) -> Optional[int]:
    """Return the least of Slurm's CPUs of each node, "8(x2),4"; None for another text."""
    parts = re.fullmatch(r"\d+(\(x\d+\))?(,\d+(\(x\d+\))?)*", text)
    if parts is None:
        return None
    return min(int(part.partition("(")[0]) for part in text.split(","))


def step_environment(environ: Mapping[str, str]) -> Dict[str, str]:
    """Return the environment for srun, without what the step around left of its own."""
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith(_OF_SLURM) or _KEPT.match(name)
    }
