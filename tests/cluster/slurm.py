"""A real Slurm in a folder: munged, slurmctld and one slurmd for each node, all on this machine.

Needs the Debian packages munge, slurmctld, slurmd and slurm-client; works as root and as an
ordinary user, asks no systemd, and writes nothing outside its folder. The nodes only claim their
CPUs, memory and GPUs: a GPU is a link to /dev/null, and nothing holds a job to its memory.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import slurm_accounting
import slurm_daemons
from slurm_daemons import wait_until
from slurm_shape import Shape, user, write_configuration

__all__ = ["Element", "Shape", "Slurm", "a_slurm", "missing_programs", "needs_slurm", "wait_until"]

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "setpriv")
_START_S = 30.0
_SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"
# below those that the kernel gives to connections and to srun
_PORTS = range(10000, 32000)


def missing_programs(*, accounting: bool = False) -> list[str]:
    """Name the programs that this machine lacks for a Slurm of its own."""
    needed = PROGRAMS + (slurm_accounting.PROGRAMS if accounting else ())
    return [name for name in needed if shutil.which(name, path=_path()) is None]


def needs_slurm(*, accounting: bool = False) -> None:
    """Skip a test where Slurm is not installed, and say so; in CI it fails."""
    import pytest

    missing = missing_programs(accounting=accounting)
    if missing:
        what = f"no Slurm here ({', '.join(missing)}); to install it: sudo make test-deps"
        if os.environ.get("CI") == "true":
            pytest.fail(what)
        pytest.skip(what)


def _path() -> str:
    return f"{os.environ.get('PATH', os.defpath)}:{_SYSTEM_PATH}"


@dataclass(frozen=True)
class Element:
    """One element of an array job, as squeue tells of it."""

    state: str
    """RUNNING, COMPLETED, FAILED, …"""
    exit_code: int
    """What its script exited with; 0 while it has not, and when a signal ended it."""


class Slurm:
    """A cluster in a folder, running or not. `environment` is all that its users need."""

    def __init__(self, folder: Path, shape: Shape, *, outlives_us: bool = False) -> None:
        self.folder = folder
        self.shape = shape
        self.nodes = shape.node_names
        self._outlives_us = outlives_us

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PATH": _path(), "SLURM_CONF": str(self.folder / "slurm.conf")}

    def ask(self, *command: str | Path, check: bool = True) -> str:
        """Run one of Slurm's commands and return what it printed."""
        words = [str(word) for word in command]
        ended = subprocess.run(
            words, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert ended.returncode == 0 or not check, f"{words}: {ended.stderr}{ended.stdout}"
        return ended.stdout

    def elements(self, job: str) -> dict[int, Element]:
        """Return the elements of an array job by their index, also those that ended."""
        found = {}
        for line in self.ask("squeue", "-h", "-r", "-t", "all", "-j", job, "-o", "%K").split():
            index = int(line)
            told = self.ask("scontrol", "-o", "show", "job", f"{job}_{index}")
            words = dict(word.partition("=")[::2] for word in told.split())
            found[index] = Element(words["JobState"], int(words["ExitCode"].partition(":")[0]))
        return found

    def start(self) -> None:
        """Start the daemons and wait for all nodes. Raises AssertionError with their last words."""
        ports = _free_ports(self.shape.ports_needed())
        write_configuration(self.folder, self.shape, ports)
        munge_files = [
            f"--{file}-file={self.folder}/munge.{file}" for file in ("key", "log", "pid", "seed")
        ]
        self._launch(
            "munged", "--foreground", "--force", f"--socket={self.folder}/munge.socket",
            *munge_files,
        )  # fmt: skip
        self._until("munged", (self.folder / "munge.socket").is_socket)
        if self.shape.accounting:
            self._start_accounting(*ports[1:3])
        self._launch("slurmctld", "-D", "-i")
        self._until("slurmctld", lambda: "UP" in self.ask("scontrol", "ping", check=False))
        for node in self.nodes:
            self._launch_node(node)
        self._until("slurmd", self.idle)

    def _start_accounting(self, port: int, database_port: int) -> None:
        folder, environment = self.folder, self.environment
        slurm_accounting.prepare(folder, environment, port=port, database_port=database_port)
        self._launch(*slurm_accounting.database_command(folder, port=database_port))
        self._until("mariadbd", lambda: slurm_accounting.answers(folder, environment))
        slurm_accounting.make_tables(folder, environment)
        self._launch("slurmdbd", "-D")
        self._until("slurmdbd", lambda: "error" not in self._said("sacctmgr", "-n", "show", "user"))

    def _said(self, *command: str) -> str:
        ended = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        return (ended.stdout + ended.stderr) if ended.returncode == 0 else "error"

    def idle(self) -> bool:
        states = self.ask("sinfo", "-h", "-N", "-p", "main", "-o", "%T", check=False).split()
        return states == ["idle"] * len(self.nodes)

    def node_state(self, node: str) -> str:
        """Return what Slurm thinks of a node: idle, mixed, allocated, down, …"""
        return self.ask("sinfo", "-h", "-N", "-p", "main", "-n", node, "-o", "%T").strip()

    def kill_node(
        self, node: str, *, also_jobs: bool = True, reason: str = "killed by a test"
    ) -> None:
        """Let a node fail: SIGKILL to its daemon and all that it started, and Slurm is told.

        also_jobs: False leaves its jobs running, as on a node that is only cut off.
        """
        (daemon,) = [d for d in slurm_daemons.recorded(self.folder) if d.name == f"slurmd {node}"]
        slurm_daemons.kill(daemon, signal.SIGKILL)
        if also_jobs:
            slurm_daemons.kill_what_a_node_runs(self.folder, node)
        # Slurm itself would take SlurmdTimeout to see it
        self.ask("scontrol", "update", f"nodename={node}", "state=down", f"reason={reason}")

    def start_node(self, node: str) -> None:
        """Bring a killed node back, and wait until it takes jobs."""
        self._launch_node(node)
        told = self.ask("scontrol", "-o", "show", "node", node).split()
        (port,) = [word.partition("=")[2] for word in told if word.startswith("Port=")] or ["6818"]
        self._until("slurmd", lambda: _listens(int(port)))
        # refused where the daemon's first word has brought the node back already
        self.ask("scontrol", "update", f"nodename={node}", "state=resume", check=False)
        back = ("idle", "mixed", "allocated", "completing")
        self._until("slurmd", lambda: self.node_state(node) in back)

    def stop(self) -> None:
        """End all jobs, then the daemons that `start` started, and nothing else."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            # while the controller still answers: a job's steps are no children of the daemons
            self.ask("scancel", "--user", user(), check=False)
            running = ("squeue", "-h", "-t", "R,CG,S")
            wait_until(lambda: not self.ask(*running, check=False), 15)
        # nodes before the controller, munge last
        for daemon in reversed(slurm_daemons.recorded(self.folder)):
            if not daemon.name.startswith("slurmd "):
                break
            slurm_daemons.kill(daemon, signal.SIGTERM)
        for daemon in reversed(slurm_daemons.recorded(self.folder)):
            slurm_daemons.stop([daemon])
        slurm_daemons.kill_what_a_node_runs(self.folder)

    def _launch_node(self, node: str) -> None:
        self._launch("slurmd", "-D", "-N", node, name=f"slurmd {node}", SLURMD_NODENAME=node)

    def _launch(self, *command: str, name: str = "", **more: str) -> None:
        # a killed test run must not leave daemons behind
        bound = [] if self._outlives_us else ["setpriv", "--pdeathsig", "TERM"]
        words = [*bound, *command]
        slurm_daemons.launch(self.folder, name or command[0], words, {**self.environment, **more})

    def _until(self, name: str, ready: Callable[[], bool]) -> None:
        if not wait_until(ready, _START_S):
            words = [
                file.read_text(encoding="utf-8", errors="replace")[-2000:]
                for file in (*self.folder.glob(f"{name}*.log"), *self.folder.glob(f"{name}*.out"))
            ]
            raise AssertionError(f"{name} did not start:\n" + "\n".join(words))


def _listens(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


def _free_ports(number: int) -> list[int]:
    """Find ports that nobody listens on; another may take them before our daemons do."""
    with contextlib.ExitStack() as held:
        found: list[int] = []
        while len(found) < number:
            taken = held.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                taken.bind(("127.0.0.1", random.choice(_PORTS)))
                found.append(taken.getsockname()[1])
        return found


@contextlib.contextmanager
def a_slurm(
    *,
    nodes: int = 4,
    cpus: int = 8,
    gpus: int = 2,
    gpu_type: str = "",
    grace_s: int = 3,
    accounting: bool = False,
    lines: tuple[str, ...] = (),
) -> Iterator[Slurm]:
    """Run a cluster for the length of a block; `Shape` says what the words mean."""
    shape = Shape(
        nodes=nodes, cpus=cpus, gpus=gpus, gpu_type=gpu_type, grace_s=grace_s,
        accounting=accounting, lines=lines,
    )  # fmt: skip
    # pytest's own folders are too long for the path of a unix socket
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    slurm = Slurm(folder, shape)
    try:
        slurm.start()
        yield slurm
    finally:
        slurm.stop()
        shutil.rmtree(folder)
