"""The warm parent: a process that imports heavy modules once, and forks attempts on request.

It never touches a GPU (a CUDA context does not survive a fork). Its attempts become children of
the pool, which must be a subreaper: the fork goes through a process that ends at once.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import socket
import time
from typing import Any, Callable, Iterable, Mapping, Optional, Sequence

from . import limits, worker

_HEALTHY = b"healthy"


class WarmParent:
    """The pool's handle on its warm parent."""

    def __init__(self, imports: Sequence[str], env: Mapping[str, str]) -> None:
        self._imports = tuple(imports)
        self._env = dict(env)
        self._socket: Optional[socket.socket] = None
        self.pid: Optional[int] = None

    def start(self, close: Iterable[int]) -> None:
        """Fork the process; `close` names the pool's descriptors that it must not keep."""
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pool = os.getpid()
        pid = os.fork()
        if pid == 0:
            mine.close()
            _serve(theirs, self._imports, self._env, close, pool)
        theirs.close()
        self._socket, self.pid = mine, pid

    def healthy(self, limit_s: float, stopping: Callable[[], bool]) -> Optional[str]:
        """Wait until the imports are done. Returns None, or why it can't be used."""
        assert self._socket is not None
        end = time.monotonic() + limit_s
        self._socket.settimeout(0.2)
        while time.monotonic() < end and not stopping():
            try:
                answer = self._socket.recv(4096)
            except socket.timeout:
                continue
            except OSError as error:
                return str(error)
            self._socket.settimeout(None)
            if answer == _HEALTHY:
                return None
            return answer.decode("utf-8", "replace") or "it ended during its imports"
        return "it was not ready in time"

    def spawn(self, order: Mapping[str, Any], fds: Sequence[int]) -> None:
        """Have an attempt forked; its pid comes with its first report. Raises OSError."""
        assert self._socket is not None
        # the order may be larger than a message
        paper = os.memfd_create("order")
        try:
            data = memoryview(json.dumps(order).encode())
            while data:
                data = data[os.write(paper, data) :]
            socket.send_fds(self._socket, [b"fork"], [paper, *fds])
        finally:
            os.close(paper)

    def stop(self) -> None:
        """End the process; attempts that it forked live on."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self.pid is not None:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
            self.pid = None


def _serve(
    link: socket.socket,
    imports: Sequence[str],
    env: Mapping[str, str],
    close: Iterable[int],
    pool: int,
) -> None:
    try:
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        for number in (signal.SIGINT, signal.SIGUSR1):
            signal.signal(number, signal.SIG_IGN)
        limits.die_with_parent()
        limits.set_oom_score(500)
        for fd in close:
            os.close(fd)
        os.environ.update(env)
        try:
            for name in imports:
                importlib.import_module(name)
        except Exception as error:
            link.send(f"{type(error).__name__}: {error}"[:4000].encode())
            return
        link.send(_HEALTHY)
        while os.getppid() == pool and _serve_one(link, pool):
            pass
    finally:
        os._exit(0)


def _serve_one(link: socket.socket, pool: int) -> bool:
    message, fds, _, _ = socket.recv_fds(link, 64, 8)
    if not message:
        return False
    between = os.fork()
    if between == 0:
        # ends at once, so that the pool adopts what it forked
        if os.fork():
            os._exit(0)
        _become_attempt(link, fds, pool)
    os.waitpid(between, 0)
    for fd in fds:
        os.close(fd)
    return True


def _become_attempt(link: socket.socket, fds: Sequence[int], pool: int) -> None:
    paper, records_fd, report_fd, output_fd = fds
    for fd in fds:
        os.set_inheritable(fd, False)
    link.close()
    with open(paper, "rb") as file:
        file.seek(0)
        order = json.load(file)
    worker.run_forked(
        order, records_fd=records_fd, report_fd=report_fd, output_fd=output_fd, parent=pool
    )
