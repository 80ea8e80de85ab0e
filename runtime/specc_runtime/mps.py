"""NVIDIA's Multi-Process Service: a control daemon of this launch's own.

Its pipes and logs lie in a private folder on node-local disk. The daemon leaves the process tree,
so a guard ends it when the pool is killed. Without MPS tasks share GPUs by time slices, or, where
a GPU takes one process at a time, don't share them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from typing import Any, Dict, List, Mapping, Optional, Set

from . import limits
from .devices import ask_gpu
from .guard import Guard
from .stage import NotUsable, Stage, tail

TOOL = "nvidia-cuda-mps-control"
_PID_FILE = "nvidia-cuda-mps-control.pid"
_START_S = 30.0
_ASK_S = 10.0
_QUIT_S = 10.0
_POLL_S = 0.05


class Mps:
    """The MPS daemon of one launch."""

    type = "mps"
    name: Optional[str] = None

    def __init__(self, options: Mapping[str, Any], stage: Stage) -> None:
        self._percentage = options.get("active_thread_percentage")
        self._required = bool(options.get("required"))
        self._stage = stage
        self._kept = os.path.join(stage.folder, "fixture.mps.log")
        self._tool: Optional[str] = None
        self._folder: Optional[str] = None
        self._guard: Optional[Guard] = None
        self._daemons: List[int] = []
        self._before: Set[Optional[int]] = set()

    @property
    def start_limit_s(self) -> float:
        return _START_S

    @property
    def environment(self) -> Dict[str, str]:
        """Variables that make attempts clients of the daemon; none without one."""
        if self._folder is None:
            return {}
        found = _pipes(self._folder)
        if self._percentage is not None:
            found["CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"] = f"{self._percentage:g}"
        return found

    def start(self) -> Any:
        """Start the daemon. Raises NotUsable."""
        self._tool = tool = shutil.which(TOOL)
        if tool is None:
            raise NotUsable(f"{TOOL} is not on PATH")
        self._folder = self._folder or _private_folder(self._stage.job_id)
        before: Set[Optional[int]] = set(limits.children())
        try:
            done = subprocess.run(
                [tool, "-d"],
                env=self._variables(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                timeout=_START_S,
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise NotUsable(f"{tool} can't be started: {error}") from error
        self._before, folder = before, self._folder
        self._guard = Guard(lambda: _quit(tool, folder, ()))
        self._adopt()
        if done.returncode:
            raise NotUsable(f"{tool} -d ended with code {done.returncode}")
        return {"pid": self._daemon(), "folder": folder, "gpus": list(self._stage.gpus)}

    def healthy(self) -> bool:
        """Ask the daemon for its servers: it answers once it listens."""
        if self._tool is None or not _tell(self._tool, self._variables(), "get_server_list"):
            return False
        self._adopt()
        return True

    def ended(self, pid: int) -> bool:
        """Take note of an ended process; True when it was the daemon."""
        if pid not in self._daemons:
            return False
        self._daemons.remove(pid)
        if self._daemons:
            return False
        self._clear()
        return True

    def stop(self) -> None:
        """Ask the daemon to quit, and end it when it does not."""
        if self._tool is not None and self._folder is not None:
            _quit(self._tool, self._folder, tuple(self._daemons), kept=self._kept)
        for pid in self._daemons:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
        self._daemons = []
        self._clear()

    def pids(self) -> List[int]:
        """Children of the pool that belong to it."""
        guard = self._guard.pid if self._guard is not None else None
        return [*self._daemons, *([guard] if guard is not None else [])]

    def last_lines(self) -> List[str]:
        return tail(os.path.join(self._folder, "log", "control.log")) if self._folder else []

    def do_without(self, reason: str) -> Optional[Dict[str, Any]]:
        """Say how tasks share GPUs without a daemon; None where the spec insists on it."""
        if self._required:
            return None
        states = {gpu: ask_gpu(gpu) for gpu in self._stage.gpus}
        exclusive = [gpu for gpu, state in states.items() if state is not None and state.exclusive]
        return {
            "reason": reason,
            "sharing": "one task per GPU" if exclusive else "without MPS",
        }

    def _adopt(self) -> None:
        """Learn the daemon's pid: the pool adopts whatever detaches itself."""
        guard = self._guard.pid if self._guard is not None else None
        self._daemons = sorted(set(limits.children()) - self._before - {guard})

    def _clear(self) -> None:
        if self._guard is not None:
            self._guard.dismiss()
            self._guard = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _daemon(self) -> Optional[int]:
        return self._daemons[0] if self._daemons else None

    def _variables(self) -> Dict[str, str]:
        assert self._folder is not None
        return _variables(self._folder, self._stage.gpus)


def _private_folder(job_id: Optional[str]) -> str:
    # /tmp, not TMPDIR: a socket's path has about 100 characters, and the folder is of this node
    parent = "/tmp" if os.access("/tmp", os.W_OK | os.X_OK) else None
    folder = tempfile.mkdtemp(prefix=f"specc-mps-{job_id or 'none'}-", dir=parent)
    for path in _pipes(folder).values():
        os.mkdir(path, 0o700)
    return folder


def _pipes(folder: str) -> Dict[str, str]:
    return {
        "CUDA_MPS_PIPE_DIRECTORY": os.path.join(folder, "pipe"),
        "CUDA_MPS_LOG_DIRECTORY": os.path.join(folder, "log"),
    }


def _variables(folder: str, gpus: "tuple[str, ...]" = ()) -> Dict[str, str]:
    found = {**os.environ, **_pipes(folder)}
    # the daemon renumbers what indices name, and clients would miss their GPU; UUIDs stay
    if gpus and all(gpu.startswith(("GPU-", "MIG-")) for gpu in gpus):
        found["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
    else:
        found.pop("CUDA_VISIBLE_DEVICES", None)
    return found


def _tell(tool: str, env: Mapping[str, str], order: str) -> bool:
    try:
        done = subprocess.run(
            [tool],
            input=f"{order}\n".encode(),
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_ASK_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def _quit(
    tool: str, folder: str, daemons: "tuple[int, ...]", *, kept: Optional[str] = None
) -> None:
    """End a daemon in order, else by force; its log is kept, its folder removed."""
    daemons += _written_pid(folder)
    _tell(tool, _variables(folder), "quit")
    end = time.monotonic() + _QUIT_S
    while any(map(_lives, daemons)) and time.monotonic() < end:
        time.sleep(_POLL_S)
    for pid in daemons:
        if _lives(pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    log = os.path.join(folder, "log", "control.log")
    if kept is not None and os.path.exists(log):
        with contextlib.suppress(OSError):
            shutil.copyfile(log, kept)
    shutil.rmtree(folder, ignore_errors=True)


def _written_pid(folder: str) -> "tuple[int, ...]":
    try:
        with open(os.path.join(folder, "pipe", _PID_FILE), encoding="ascii") as file:
            return (int(file.read()),)
    except (OSError, ValueError):
        return ()


def _lives(pid: int) -> bool:
    """Tell whether a process runs; one that ended and was not waited for does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (OSError, IndexError):
        return False
