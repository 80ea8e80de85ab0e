"""A real Slurm in a folder: munged, slurmctld and one slurmd for each node, all on this machine.

Needs the Debian packages munge, slurmctld, slurmd and slurm-client; works as root and as an
ordinary user, asks no systemd, and writes nothing outside its folder. The nodes only claim their
CPUs, memory and GPUs: a GPU is a link to /dev/null, and nothing holds a job to its memory.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "setpriv")
CPUS = 8
GPUS = 2
_START_S = 30.0
_SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"
# 22.05: what the jobs of a test need to start within a second, and to stay visible when they ended
_CONFIGURATION = """\
ClusterName=specc
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=1
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
JobAcctGatherType=jobacct_gather/none
MinJobAge=3600
KillWait=2
InactiveLimit=0
PropagateResourceLimits=NONE
MailProg=/bin/true
DefMemPerCPU=500
GresTypes=gpu
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE DefaultTime=10:00 State=UP
"""
_NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} Boards=1"
    " SocketsPerBoard=1 CoresPerSocket={cpus} ThreadsPerCore=1 RealMemory=16000 Gres=gpu:{gpus}\n"
)


def missing_programs() -> list[str]:
    """Name the programs that this machine lacks for a Slurm of its own."""
    return [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]


def _path() -> str:
    return f"{os.environ.get('PATH', os.defpath)}:{_SYSTEM_PATH}"


def _user() -> str:
    # Slurm goes by the user's number, whatever $USER says
    return pwd.getpwuid(os.geteuid()).pw_name


@dataclass(frozen=True)
class Element:
    """One element of an array job, as squeue tells of it."""

    state: str
    """RUNNING, COMPLETED, FAILED, …"""
    exit_code: int
    """What its script exited with; 0 while it has not, and when a signal ended it."""


class Slurm:
    """A running cluster. `environment` is all that its users need."""

    def __init__(self, folder: Path, nodes: Sequence[str]) -> None:
        self.folder = folder
        self.nodes = tuple(nodes)
        self._daemons: list[subprocess.Popen[bytes]] = []

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
        self._write_configuration()
        munge_files = [
            f"--{file}-file={self.folder}/munge.{file}" for file in ("key", "log", "pid", "seed")
        ]
        self._launch(
            "munged", "--foreground", "--force", f"--socket={self.folder}/munge.socket",
            *munge_files,
        )  # fmt: skip
        self._until("munged", (self.folder / "munge.socket").is_socket)
        self._launch("slurmctld", "-D", "-i")
        self._until("slurmctld", lambda: "UP" in self.ask("scontrol", "ping", check=False))
        for node in self.nodes:
            self._launch("slurmd", "-D", "-N", node)
        self._until("slurmd", self.idle)

    def idle(self) -> bool:
        states = self.ask("sinfo", "-h", "-N", "-o", "%T", check=False).split()
        return states == ["idle"] * len(self.nodes)

    def stop(self) -> None:
        """End all jobs, then the daemons that `start` started, and nothing else."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            # while the controller still answers: a job's steps are no children of the daemons
            self.ask("scancel", "--user", _user(), check=False)
            wait_until(lambda: not self.ask("squeue", "-h", "-t", "R,CG,S", check=False), 15)
        for daemon in reversed(self._daemons):
            daemon.terminate()
        for daemon in reversed(self._daemons):
            try:
                daemon.wait(timeout=10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def _write_configuration(self) -> None:
        host = socket.gethostname().partition(".")[0]
        with _free_ports(1 + len(self.nodes)) as (controller_port, *ports):
            lines = _CONFIGURATION.format(
                host=host, controller_port=controller_port, folder=self.folder,
                user=_user(),
            )  # fmt: skip
            for name, port in zip(self.nodes, ports, strict=True):
                lines += _NODE.format(name=name, host=host, port=port, cpus=CPUS, gpus=GPUS)
        (self.folder / "slurm.conf").write_text(lines, encoding="utf-8")
        key = self.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(128))
        for folder in ("state", "spool"):
            (self.folder / folder).mkdir()
        for gpu in range(GPUS):
            # slurmd takes none but character devices for GPUs, and then sets CUDA_VISIBLE_DEVICES
            (self.folder / f"nvidia{gpu}").symlink_to("/dev/null")
        devices = f"{self.folder}/nvidia[0-{GPUS - 1}]"
        gres = [f"NodeName={n} Name=gpu File={devices} Flags=nvidia_gpu_env" for n in self.nodes]
        (self.folder / "gres.conf").write_text("\n".join(gres) + "\n", encoding="utf-8")

    def _launch(self, *command: str) -> None:
        # a killed test run must not leave daemons behind
        words = ["setpriv", "--pdeathsig", "TERM", *command]
        with (self.folder / f"{command[0]}.out").open("ab") as output:
            self._daemons.append(
                subprocess.Popen(
                    words, env=self.environment, stdin=subprocess.DEVNULL,
                    stdout=output, stderr=output, start_new_session=True,
                )
            )  # fmt: skip

    def _until(self, name: str, ready: Callable[[], bool]) -> None:
        if not wait_until(ready, _START_S):
            words = [
                file.read_text(encoding="utf-8", errors="replace")[-2000:]
                for file in (*self.folder.glob(f"{name}*.log"), *self.folder.glob(f"{name}*.out"))
            ]
            raise AssertionError(f"{name} did not start:\n" + "\n".join(words))


def wait_until(true: Callable[[], bool], seconds: float) -> bool:
    """Ask again and again whether something is true; False when it is not in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.1)
    return true()


@contextlib.contextmanager
def _free_ports(number: int) -> Iterator[list[int]]:
    """Find ports that nobody listens on; held until the block ends, so that they differ."""
    with contextlib.ExitStack() as held:
        found = []
        for _ in range(number):
            taken = held.enter_context(socket.socket())
            taken.bind(("127.0.0.1", 0))
            found.append(taken.getsockname()[1])
        yield found


@contextlib.contextmanager
def a_slurm(*, nodes: int) -> Iterator[Slurm]:
    """Run a cluster for the length of a block."""
    # pytest's own folders are too long for the path of a unix socket
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    # names that are addresses: a job may connect to the nodes that Slurm lists
    slurm = Slurm(folder, [f"127.0.0.{number}" for number in range(1, nodes + 1)])
    try:
        slurm.start()
        yield slurm
    finally:
        slurm.stop()
        shutil.rmtree(folder)
