"""Ask Slurm's queue about the jobs of a run, where there is one.

One call of squeue for all jobs of a look. Silence is no answer: a job that the queue does not name
is unknown, never finished.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_TIMEOUT_S = 10
_COLUMNS = "%i|%T|%M|%l|%N|%r"
_JOB = re.compile(r"[0-9]+")
_ELEMENT = re.compile(r"([0-9]+)_([0-9]+)")

RUNNING = frozenset({"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT"})
WAITING = frozenset({
    "PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESIZING",
    "RESV_DEL_HOLD", "SPECIAL_EXIT",
})  # fmt: skip
"""Slurm's states of a job that will still start; all others are ends (squeue(1), 22.05)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One element of an array as the queue tells of it."""

    job_id: str
    """`<array>_<index>`, or a plain id."""
    state: str
    """RUNNING, PENDING, COMPLETED, …"""
    reason: str
    """Why it waits or ended; "None" when Slurm says none."""
    node: str
    """Empty while it waits."""
    elapsed: str
    limit: str
    """Both as Slurm writes them: [days-]hours:minutes:seconds."""

    @property
    def running(self) -> bool:
        return self.state in RUNNING

    @property
    def waiting(self) -> bool:
        return self.state in WAITING

    @property
    def words(self) -> str:
        """What a person wants to know of it."""
        why = f" ({self.reason})" if self.reason not in ("", "None") else ""
        if self.running:
            return f"{self.state} on {self.node}, {self.elapsed} of {self.limit}"
        return f"{self.state}{why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """The answer of one look."""

    asked: tuple[str, ...]
    """Ids of arrays and jobs."""
    elements: Mapping[str, Element]
    """By `<array>_<index>` or id; only those that Slurm named."""
    silence: str | None
    """Why Slurm was not asked or did not answer; None when it answered."""

    def of(self, job: str, index: int) -> Element | None:
        """Return an element of an array; None when Slurm did not name it."""
        return self.elements.get(f"{job}_{index}") or self.elements.get(job)


NOT_ASKED = Queue(asked=(), elements={}, silence="no job was submitted")


def ask_queue(jobs: Iterable[str]) -> Queue:
    """Ask squeue once about jobs and all their elements, also those that just ended."""
    asked = tuple(dict.fromkeys(job for job in jobs if _JOB.fullmatch(job)))
    if not asked:
        return NOT_ASKED
    if shutil.which("squeue") is None:
        return Queue(asked=asked, elements={}, silence="there is no squeue on this machine")
    command = ["squeue", "-h", "-r", "-t", "all", "-j", ",".join(asked), "-o", _COLUMNS]
    try:
        ended = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Queue(asked=asked, elements={}, silence=f"squeue did not answer: {error}")
    # an id that Slurm has forgotten is an error where it is the only one asked about
    if ended.returncode != 0 and "Invalid job id" not in ended.stderr:
        words = ended.stderr.strip().splitlines()[-1:] or [f"exit code {ended.returncode}"]
        return Queue(asked=asked, elements={}, silence=f"squeue did not answer: {words[0]}")
    return Queue(asked=asked, elements=parse_queue(ended.stdout), silence=None)


def parse_queue(text: str) -> dict[str, Element]:
    """Parse squeue's lines in our columns; a line of another shape is left out."""
    found = {}
    for line in text.splitlines():
        words = [word.strip() for word in line.split("|", 5)]
        if len(words) == 6:
            job_id, state, elapsed, limit, node, reason = words
            found[job_id] = Element(
                job_id=job_id, state=state, reason=reason, node=node, elapsed=elapsed, limit=limit
            )
    return found


def array_of(variables: Mapping[str, str]) -> tuple[str, int] | None:
    """Return array and index of the job that a launch ran in; None outside an array."""
    job, index = variables.get("SLURM_ARRAY_JOB_ID"), variables.get("SLURM_ARRAY_TASK_ID")
    if job is None or index is None or _ELEMENT.fullmatch(f"{job}_{index}") is None:
        return None
    return job, int(index)
