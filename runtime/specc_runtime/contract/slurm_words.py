"""What Slurm can say of a job: its states, which of them name a cause, and its figures.

Values only; `slurm_text` makes them from what Slurm's commands print.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Optional

CAUSES: Dict[str, str] = {
    "OUT_OF_MEMORY": "oom_host",
    "TIMEOUT": "timeout",
    "DEADLINE": "timeout",
    "NODE_FAIL": "node",
    "BOOT_FAIL": "node",
    "LAUNCH_FAILED": "node",
    "RECONFIG_FAIL": "node",
    "PREEMPTED": "preempted",
    "CANCELLED": "cancelled",
}
"""Category of a launch that such a state cut off. Any other state names no cause."""

LIVE = frozenset(
    {
        "PENDING",
        "CONFIGURING",
        "RUNNING",
        "COMPLETING",
        "SUSPENDED",
        "STOPPED",
        "SIGNALING",
        "STAGE_OUT",
        "RESIZING",
        "REQUEUE_HOLD",
        "REQUEUE_FED",
        "RESV_DEL_HOLD",
        "SPECIAL_EXIT",
    }
)
ENDED = frozenset([*CAUSES, "COMPLETED", "FAILED", "REVOKED", "REQUEUED"])
UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class JobWords:
    """What Slurm said of one start of one job or array element. Not said is None."""

    job: str
    """As a user names it: "123", "123_4"."""
    how: str
    """The command that said so: "sacct", "scontrol", "squeue"."""
    state: str
    """Slurm's word; UNKNOWN when it is none of those known."""
    restart: Optional[int] = None
    """0 for the first start; None where the command does not tell starts apart."""
    exit_code: Optional[int] = None
    signal: Optional[int] = None
    reason: Optional[str] = None
    nodes: Optional[str] = None
    node_count: Optional[int] = None
    partition: Optional[str] = None
    account: Optional[str] = None
    qos: Optional[str] = None
    submitted: Optional[str] = None
    """Times are texts, in the cluster's own time zone: for display only."""
    started: Optional[str] = None
    ended: Optional[str] = None
    elapsed_s: Optional[float] = None
    time_limit_s: Optional[float] = None
    cpus: Optional[int] = None
    cpu_time_s: Optional[float] = None
    """CPUs held x elapsed time."""
    cpu_used_s: Optional[float] = None
    """CPU time used, user and system."""
    requested: Optional[str] = None
    """What was asked for, as "cpu=4,mem=8G,node=1"."""
    allocated: Optional[str] = None
    max_rss_bytes: Optional[int] = None
    """Largest of its steps."""
    ave_rss_bytes: Optional[int] = None
    node_down: Optional[str] = None
    """The node whose failure put it back into the queue, and Slurm's reason; see `down_nodes`."""
    out_of_memory: bool = False
    """It, or one of its steps, was ended for memory."""

    @property
    def over(self) -> bool:
        """True when Slurm said that this start has ended; silence and odd words are no end."""
        return self.state in ENDED

    @property
    def requeued(self) -> bool:
        """True when it was put back into the queue, for whatever reason."""
        return self.state == "REQUEUED"

    @property
    def category(self) -> Optional[str]:
        """The failure category that its end names; None when it names none."""
        if not self.over:
            return None
        if self.out_of_memory and self.state not in ("COMPLETED", "NODE_FAIL", "BOOT_FAIL"):
            return "oom_host"
        return CAUSES["NODE_FAIL"] if self.node_down else CAUSES.get(self.state)

    def sentence(self) -> str:
        """Say it in words, without a final stop."""
        parts = [f"Slurm says {self.state} of job {self.job}"]
        if self.out_of_memory and self.state != "OUT_OF_MEMORY":
            parts.append("one of its steps ran out of memory")
        if self.reason and self.reason not in (self.state, "NonZeroExitCode"):
            parts.append(f"reason {self.reason}")
        if self.node_down:
            parts.append(f"as its node went down: {self.node_down}")
        elif self.nodes and self.over:
            parts.append(f"on {self.nodes}")
        return ", ".join(parts)

    def facts(self) -> Dict[str, object]:
        """Return what is known as evidence of a failure."""
        names = (
            *("job", "how", "state", "restart", "exit_code", "signal", "reason", "nodes"),
            "node_down",
        )
        named = {name: getattr(self, name) for name in names}
        return {name: value for name, value in named.items() if value is not None}
