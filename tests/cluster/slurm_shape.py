"""What a Slurm of our own claims to have, as the texts that its daemons read. Starts nothing."""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# 22.05: what the jobs of a test need to start within a second, and to stay visible when they ended
_CONFIGURATION = """\
ClusterName=specc
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
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
SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=1,default_queue_depth=5000
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobCompType=jobcomp/none
MaxArraySize=10001
MinJobAge=3600
KillWait=2
# on a busy machine an answer may take longer than Slurm's own 2, 10 and 10 seconds
TCPTimeout=30
MessageTimeout=60
BatchStartTimeout=60
InactiveLimit=0
PropagateResourceLimits=NONE
MailProg=/bin/true
DefMemPerCPU=500
GresTypes=gpu
"""
# A job of `high` takes the nodes of jobs of `low` and `lowest`, which Slurm then requeues; `main`
# is left alone. Slurm looks for the end of a grace twice a minute only; `lowest` has none.
_PARTITIONS = """\
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE DefaultTime=10:00 State=UP \
PreemptMode=OFF
PartitionName=low Nodes=ALL MaxTime=INFINITE DefaultTime=10:00 State=UP PriorityTier=1 \
PreemptMode=REQUEUE GraceTime={grace_s}
PartitionName=lowest Nodes=ALL MaxTime=INFINITE DefaultTime=10:00 State=UP PriorityTier=1 \
PreemptMode=REQUEUE GraceTime=0
PartitionName=high Nodes=ALL MaxTime=INFINITE DefaultTime=10:00 State=UP PriorityTier=10 \
PreemptMode=OFF
"""
_NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} Boards=1"
    " SocketsPerBoard=1 CoresPerSocket={cpus} ThreadsPerCore=1 RealMemory={memory_mb}{gres}\n"
)
_NO_ACCOUNTING = """\
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
"""
_ACCOUNTING = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStoragePort={port}
AccountingStoragePass={folder}/munge.socket
AccountingStorageTRES=gres/gpu
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=NoOverMemoryKill
"""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a cluster claims to have. Nothing holds a job to its memory."""

    nodes: int = 4
    cpus: int = 8
    """Of each node."""
    memory_mb: int = 16000
    """Of each node [MB]."""
    gpus: int = 2
    """Of each node: links to /dev/null."""
    gpu_type: str = ""
    """Their name in Slurm's gres; empty: none."""
    grace_s: int = 3
    """Between the first signal to a preempted job and its end [s]."""
    accounting: bool = False
    """With slurmdbd and MariaDB, so that sacct and sacctmgr answer; they need 3 s to start."""
    lines: tuple[str, ...] = ()
    """Further lines of slurm.conf; a key given here takes the place of ours."""

    @property
    def node_names(self) -> tuple[str, ...]:
        # names that are addresses: a job may connect to the nodes that Slurm lists
        return tuple(f"127.0.0.{number}" for number in range(1, self.nodes + 1))

    def ports_needed(self) -> int:
        """Of the controller, the accounting daemon, its database, and each node."""
        return 3 + self.nodes


def user() -> str:
    # Slurm goes by the user's number, whatever $USER says
    return pwd.getpwuid(os.geteuid()).pw_name


def write_configuration(folder: Path, shape: Shape, ports: Sequence[int]) -> None:
    """Write slurm.conf, gres.conf, the stand-ins for GPUs and munge's key into a folder."""
    host = socket.gethostname().partition(".")[0]
    controller, accounting, _, *of_nodes = ports
    kind = f":{shape.gpu_type}" if shape.gpu_type else ""
    gres = f" Gres=gpu{kind}:{shape.gpus}" if shape.gpus else ""
    text = _CONFIGURATION.format(host=host, port=controller, folder=folder, user=user())
    told = _ACCOUNTING if shape.accounting else _NO_ACCOUNTING
    text += told.format(port=accounting, folder=folder)
    ours = {line.partition("=")[0] for line in shape.lines}
    kept = [line for line in text.splitlines() if line.partition("=")[0] not in ours]
    nodes = [
        _NODE.format(
            name=name, host=host, port=port, cpus=shape.cpus, memory_mb=shape.memory_mb, gres=gres
        )
        for name, port in zip(shape.node_names, of_nodes, strict=True)
    ]
    lines = [*kept, *nodes, _PARTITIONS.format(grace_s=shape.grace_s), *shape.lines]
    text = "".join(line.rstrip("\n") + "\n" for line in lines)
    (folder / "slurm.conf").write_text(text, encoding="utf-8")
    _write_gpus(folder, shape)
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(128))
    for name in ("state", "spool"):
        (folder / name).mkdir()


def _write_gpus(folder: Path, shape: Shape) -> None:
    for gpu in range(shape.gpus):
        # slurmd takes none but character devices for GPUs, and then sets CUDA_VISIBLE_DEVICES
        (folder / f"nvidia{gpu}").symlink_to("/dev/null")
    devices = f"{folder}/nvidia[0-{shape.gpus - 1}]" if shape.gpus > 1 else f"{folder}/nvidia0"
    kind = f" Type={shape.gpu_type}" if shape.gpu_type else ""
    gres = [
        f"NodeName={name} Name=gpu{kind} File={devices} Flags=nvidia_gpu_env\n"
        for name in shape.node_names
        if shape.gpus
    ]
    (folder / "gres.conf").write_text("".join(gres), encoding="utf-8")
