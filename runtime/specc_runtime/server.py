"""A server that a shard's tasks talk to: started with the shard, watched, stopped after it.

It runs in a session of its own and writes to fixture.<name>.log. The runtime chooses its ports.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from typing import Any, Dict, List, Mapping, Optional

from . import limits
from .guard import Guard
from .stage import NotUsable, Stage, free_ports, tail

_HOST = "127.0.0.1"
_PROBE_S = 2.0
_PROGRAM_PROBE_S = 30.0
_POLL_S = 0.02
_PORT = re.compile(r"\$\{port:([^}]*)\}")


class Server:
    """One server of one launch."""

    type = "server"

    def __init__(self, options: Mapping[str, Any], stage: Stage) -> None:
        self.name: Optional[str] = options["name"]
        self._options = options
        self._stage = stage
        self._log = os.path.join(stage.folder, f"fixture.{self.name}.log")
        self._ports = free_ports(options["ports"])
        self._scratch: Optional[str] = None
        self._guard: Optional[Guard] = None
        self.pid: Optional[int] = None

    @property
    def environment(self) -> Dict[str, str]:
        """Variables that tell tasks where it listens."""
        return {variable(name): str(port) for name, port in self._ports.items()}

    @property
    def start_limit_s(self) -> float:
        return float(self._options["start_limit_s"])

    def start(self) -> Any:
        """Start the process; returns what the journal should say. Raises NotUsable."""
        argv = [self._fill(str(part)) for part in self._options["argv"]]
        code = os.path.join(self._stage.bundle, "code")
        if self._options["workdir"] == "code":
            folder = code
        else:
            folder = self._scratch = self._scratch or tempfile.mkdtemp(prefix="specc-")
        env = self._variables(code)
        try:
            with open(self._log, "ab") as log:
                process = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=folder,
                    env=env,
                    preexec_fn=_settle,  # noqa: PLW1509 - the pool has one thread
                )
        except (OSError, ValueError) as error:
            raise NotUsable(f"{argv[0]!r} cannot be started: {error}") from error
        process.returncode = 0  # the pool reaps all children; nobody asks this object again
        self.pid = pid = process.pid
        self._guard = Guard(lambda: _end_group(pid))
        return {"pid": pid, "ports": self._ports, "argv": argv}

    def healthy(self) -> bool:
        """Ask once whether it answers."""
        probe = self._options["healthy"]
        try:
            if "tcp" in probe:
                with socket.create_connection((_HOST, self._ports[probe["tcp"]]), _PROBE_S):
                    return True
            if "http" in probe:
                return self._answers(probe["http"])
            if "argv" in probe:
                return self._agrees(probe["argv"])
        except (OSError, http.client.HTTPException):
            return False
        return True

    def ended(self, pid: int) -> bool:
        """Take note of an ended process; True when it was this server."""
        if pid != self.pid:
            return False
        self.pid = None
        _end_group(pid)
        if self._guard is not None:
            self._guard.dismiss()
        return True

    def stop(self) -> None:
        """Ask it to end, and end what is left of its session after the grace time."""
        pid = self.pid
        if pid is not None:
            ask = self._options["stop"]
            limits.signal_group(pid, int(getattr(signal, f"SIG{ask['signal']}")))
            _await_end(pid, float(ask["grace_s"]))
            self.ended(pid)
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None

    def pids(self) -> List[int]:
        """Children of the pool that belong to it."""
        guard = self._guard.pid if self._guard is not None else None
        return [pid for pid in (self.pid, guard) if pid is not None]

    def last_lines(self) -> List[str]:
        return tail(self._log)

    def do_without(self, reason: str) -> Optional[Dict[str, Any]]:
        """Tasks can't do without a server that the spec states."""
        del reason
        return None

    def _answers(self, probe: Mapping[str, Any]) -> bool:
        connection = http.client.HTTPConnection(_HOST, self._ports[probe["port"]], timeout=_PROBE_S)
        with contextlib.closing(connection):
            connection.request("GET", probe["path"])
            return 200 <= connection.getresponse().status < 300

    def _agrees(self, argv: List[Any]) -> bool:
        try:
            done = subprocess.run(
                [self._fill(str(part)) for part in argv],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=self._variables(os.path.join(self._stage.bundle, "code")),
                timeout=_PROGRAM_PROBE_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0

    def _variables(self, code: str) -> Dict[str, str]:
        gpus = ",".join(self._stage.gpus) if self._options["gpus"] == "all" else ""
        stated = {name: self._fill(str(text)) for name, text in self._options["env"].items()}
        own = {"SPECC_BUNDLE": self._stage.bundle, "SPECC_CODE": code, "CUDA_VISIBLE_DEVICES": gpus}
        return {**os.environ, **own, **self.environment, **stated}

    def _fill(self, text: str) -> str:
        if text.startswith("input:"):
            name, slash, rest = text[len("input:") :].partition("/")
            path = self._stage.inputs.get(name)
            return text if path is None else os.path.join(self._stage.bundle, path) + slash + rest
        return _PORT.sub(lambda found: str(self._ports[found[1]]), text)


def variable(port: str) -> str:
    """Return the name of the variable that carries a port."""
    return "SPECC_" + re.sub(r"[^A-Z0-9_]", "_", port.upper()) + "_PORT"


def _settle() -> None:
    os.setsid()
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    limits.die_with_parent()
    limits.set_oom_score(500)


def _await_end(pid: int, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if os.waitpid(pid, os.WNOHANG)[0]:
                return
        except ChildProcessError:
            return
        time.sleep(_POLL_S)
    _end_group(pid)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def _end_group(pid: int) -> None:
    limits.signal_group(pid, signal.SIGKILL)
