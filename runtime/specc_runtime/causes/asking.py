"""Ask Slurm why this job is being stopped: from inside, scancel and a preemption look alike.

Asked once, at the first signal and in the background. Who needs the answer waits a moment for it,
and no answer says nothing.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
import time
from typing import Any, Dict, Optional

_ANSWER_S = 2.0
# Slurm signals every process of the step, scontrol too
_HELD = (signal.SIGTERM, signal.SIGCONT, signal.SIGUSR1, signal.SIGHUP)
_WORD = re.compile(r"(?:^|\s)(JobState|Reason|Restarts|PreemptTime)=(\S*)")
_NOTHING = ("", "None", "Unknown", "(null)", "N/A")


class Asking:
    """One question about one job, and what Slurm said."""

    def __init__(self, job_id: Optional[str], restart: int) -> None:
        """job_id: None outside Slurm.   restart: how often this job was requeued before."""
        self.in_slurm = job_id is not None
        self._job_id = job_id
        self._restart = restart
        self._process: "Optional[subprocess.Popen[bytes]]" = None
        self._until = 0.0
        self._text: Optional[str] = None

    def ask(self) -> None:
        """Ask, unless that was done before. Returns at once."""
        if self._job_id is None or self._until or shutil.which("scontrol") is None:
            return
        self._until = time.monotonic() + _ANSWER_S
        # the mask is inherited, and there is one thread
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
        try:
            self._process = subprocess.Popen(
                ["scontrol", "-o", "show", "job", self._job_id],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            self._process.returncode = 0  # the pool reaps all children
        except OSError:
            return
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def told(self) -> Dict[str, Any]:
        """Return what Slurm said as evidence; empty without an answer, or where nobody asked."""
        if self._text is None and self._process is not None:
            self._text = self._read(self._process)
        row = dict(_WORD.findall(self._text or ""))
        if "JobState" not in row:
            return {}
        return {
            "job": self._job_id,
            "how": "scontrol",
            "state": row["JobState"],
            "reason": None if row.get("Reason", "") in _NOTHING else row["Reason"],
            "restarts": int(row["Restarts"]) if row.get("Restarts", "").isdigit() else None,
            "preempted": row.get("PreemptTime", "") not in _NOTHING,
        }

    def cancelled(self) -> bool:
        """True when Slurm's answer leaves only a cancellation.

        A job that is ending shows no more than COMPLETING. One that comes back counts a restart
        already, one that makes room has a time of that, and other ends give a reason.
        """
        told = self.told()
        if not told or told["preempted"] or (told["restarts"] or 0) > self._restart:
            return False
        ending = told["state"] == "COMPLETING" and told["reason"] is None
        return ending or told["state"].startswith("CANCELLED")

    def _read(self, process: "subprocess.Popen[bytes]") -> str:
        assert process.stdout is not None
        found = b""
        with process.stdout as pipe:
            while True:
                left = self._until - time.monotonic()
                if left <= 0 or not select.select([pipe], [], [], left)[0]:
                    os.kill(process.pid, signal.SIGKILL)
                    return ""
                data = os.read(pipe.fileno(), 1 << 16)
                if not data:
                    return found.decode("utf-8", "replace")
                found += data
