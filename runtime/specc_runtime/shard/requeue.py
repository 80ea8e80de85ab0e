"""Ask Slurm to start this job again.

The runtime asks, not the job's script: the journal and the lease are its own, and nobody else may
write down there what Slurm answered. It is its last act, since Slurm ends the step for it.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
from dataclasses import dataclass
from typing import Tuple

_ANSWER_S = 30
# Slurm asks every process of the step to end, scontrol too, while that waits for the answer
_HELD = (signal.SIGTERM, signal.SIGCONT, signal.SIGUSR1)


@dataclass(frozen=True)
class Answer:
    """What Slurm said."""

    granted: bool
    detail: str


def requeue(job_id: str) -> Answer:
    """Put a job back into the queue.

    job_id: of one job or one element of an array (`slurm_env.own_id`), never of a whole array.
    """
    if shutil.which("scontrol") is None:
        return Answer(False, "there is no scontrol here")
    command = ["scontrol", "requeue", job_id]
    code, said = _ask(command)
    if code == 0:
        return Answer(True, " ".join(command))
    return Answer(False, said or f"{' '.join(command)} ended with code {code}")


def _ask(command: "list[str]") -> Tuple[int, str]:
    # the mask is inherited; handlers are not, and nobody else starts processes at this point
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_ANSWER_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return -1, f"scontrol gave no answer: {error}"
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return done.returncode, " ".join((done.stderr or done.stdout).split())
