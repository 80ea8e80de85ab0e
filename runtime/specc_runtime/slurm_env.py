"""What Slurm says about this allocation: ids, restarts, and when it ends.

Read from the environment, and once from `squeue`; outside Slurm everything is None.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from typing import Dict, Mapping, Optional

_QUEUE_TIMEOUT_S = 10
_SOON_S = 3
_SECRET = re.compile("TOKEN|KEY|SECRET|PASSW|JWT|CRED")
_LIVE_STATES = ("RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED", "STOPPED")


@dataclass(frozen=True)
class Allocation:
    """The Slurm job this process runs in."""

    job_id: Optional[str]
    """What Slurm's commands know this job by, see `own_id`; None outside Slurm."""
    restart: int
    """How often the job was requeued."""
    end_t: Optional[float]
    """End of the allocation on this machine's monotonic clock [s]; None = no known end."""
    variables: Mapping[str, str]
    """SLURMD_NODENAME and the SLURM_* ones, those that may hold a secret left out."""

    def seconds_left(self) -> Optional[float]:
        return None if self.end_t is None else self.end_t - time.monotonic()


def own_id(environ: Mapping[str, str]) -> Optional[str]:
    """Return the id that Slurm's commands take for this job alone; None outside Slurm.

    That is SLURM_JOB_ID, but for one element of each array: the last to start has the id of the
    array itself, by which Slurm means every element.
    """
    job_id = environ.get("SLURM_JOB_ID")
    index = environ.get("SLURM_ARRAY_TASK_ID")
    if job_id and index and job_id == environ.get("SLURM_ARRAY_JOB_ID"):
        return f"{job_id}_{index}"
    return job_id or None


def find_end(environ: Mapping[str, str], time_limit_s: Optional[float]) -> Optional[float]:
    """Return the allocation's end on the monotonic clock [s]; None outside Slurm.

    time_limit_s: counts from now where Slurm names no end.
    """
    job_id = own_id(environ)
    if job_id is None:
        return None
    left = _seconds_left(environ, job_id)
    if left is None:
        left = time_limit_s
    return None if left is None else time.monotonic() + left


def read_allocation(environ: Mapping[str, str], end_t: Optional[float]) -> Allocation:
    """Describe the allocation that ends at `end_t`."""
    restart = environ.get("SLURM_RESTART_COUNT", "0")
    variables: Dict[str, str] = {
        name: value
        for name, value in environ.items()
        if name.startswith(("SLURM_", "SLURMD_NODENAME")) and not _SECRET.search(name)
    }
    return Allocation(
        job_id=own_id(environ),
        restart=int(restart) if restart.isdigit() else 0,
        end_t=end_t,
        variables=variables,
    )


def _seconds_left(environ: Mapping[str, str], job_id: str) -> Optional[float]:
    # the variable, which 22.05 does not set, is a time on the controller's clock, not on this one
    # in a container the script asks, just before it starts this
    left = parse_duration(_squeue(job_id, "%L") or environ.get("SPECC_TIME_LEFT", ""))
    if left is not None:
        return left
    end = environ.get("SLURM_JOB_END_TIME", "")
    return int(end) - time.time() if end.isdigit() else None


def ask_time_left(environ: Mapping[str, str]) -> Optional[float]:
    """Return what Slurm says now of the time left [s]; None when it does not answer soon."""
    job_id = own_id(environ)
    if job_id is None:
        return None
    return parse_duration(_squeue(job_id, "%L", timeout_s=_SOON_S) or "")


def parse_duration(text: str) -> Optional[float]:
    """Turn Slurm's [days-][[hours:]minutes:]seconds into seconds; None for UNLIMITED and noise."""
    match = re.fullmatch(r"(?:(\d+)-)?(?:(?:(\d+):)?(\d+):)?(\d+)", text.strip())
    if match is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def job_is_live(job_id: str) -> Optional[bool]:
    """Ask squeue whether a job runs; None when squeue can't say."""
    state = _squeue(job_id, "%T")
    if state is None:
        return None
    return any(line.strip() in _LIVE_STATES for line in state.splitlines())


def _squeue(job_id: str, column: str, *, timeout_s: float = _QUEUE_TIMEOUT_S) -> Optional[str]:
    if shutil.which("squeue") is None:
        return None
    command = ["squeue", "-h", "-j", job_id, "-o", column]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode != 0:
        # an id that squeue has forgotten is an error there, and a job that is over here
        return "" if "Invalid job id" in done.stderr else None
    return done.stdout


def boot_id() -> str:
    """Return an id that changes when this machine starts anew; empty where there is none."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def run_id(environ: Mapping[str, str] = os.environ) -> str:
    """Return the run's id: SPECC_RUN, else r1. Raises ValueError for one that is no folder name."""
    name = environ.get("SPECC_RUN") or "r1"
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name) is None:
        raise ValueError(f"SPECC_RUN={name!r}: use letters, digits, . _ - only")
    return name
