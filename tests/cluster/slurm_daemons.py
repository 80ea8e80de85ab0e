"""Daemons that are recorded in a file of their folder, so that any process can stop them later.

A process is known by its number and the moment it started: a number alone may be another's by now.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_STOP_S = 10.0
NODE_MARK = b"SLURMD_NODENAME="
"""Slurm sets this for a job's programs; `Slurm` sets it for a node's daemon and so its steps."""


@dataclass(frozen=True)
class Daemon:
    """A process that was started for a folder."""

    pid: int
    began: str
    """Ticks between the machine's start and its own, as the kernel counts them."""
    name: str
    """The program, and for a node's the node: "slurmd 127.0.0.1"."""

    def alive(self) -> bool:
        state, began = _told(self.pid)
        return began == self.began and state not in "ZX"


def launch(folder: Path, name: str, command: Iterable[str], environment: dict[str, str]) -> Daemon:
    """Start a program apart from this process, and record it."""
    with (folder / f"{name.replace(' ', '-')}.out").open("ab") as output:
        process = subprocess.Popen(
            list(command), env=environment, stdin=subprocess.DEVNULL,
            stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    _OURS[process.pid] = process
    daemon = Daemon(process.pid, _told(process.pid)[1], name)
    with (folder / "daemons").open("a", encoding="utf-8") as record:
        record.write(f"{daemon.pid} {daemon.began} {name}\n")
    return daemon


def recorded(folder: Path) -> list[Daemon]:
    """Return the daemons of a folder that live, the oldest first."""
    try:
        lines = (folder / "daemons").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    found = [line.split(" ", 2) for line in lines]
    all_of_them = [Daemon(int(pid), began, name) for pid, began, name in found]
    return [daemon for daemon in all_of_them if daemon.alive()]


def stop(daemons: Iterable[Daemon]) -> None:
    """Ask daemons to end, kill those that don't, and wait for them."""
    asked = list(daemons)
    for daemon in asked:
        kill(daemon, signal.SIGTERM)
    if not wait_until(lambda: not any(daemon.alive() for daemon in asked), _STOP_S):
        for daemon in asked:
            kill(daemon, signal.SIGKILL)
        wait_until(lambda: not any(daemon.alive() for daemon in asked), _STOP_S)
    # those that were killed one by one before are waited for as well
    for pid in [pid for pid, process in _OURS.items() if process.poll() is not None]:
        del _OURS[pid]


def kill(daemon: Daemon, number: signal.Signals) -> None:
    if daemon.alive():
        with contextlib.suppress(ProcessLookupError):
            os.kill(daemon.pid, number)


def kill_what_a_node_runs(folder: Path, node: str | None = None) -> int:
    """SIGKILL everything that a node's daemon started (any node's), and return how many."""
    # the managers of steps first: they would tell Slurm of a program that was killed
    found = sorted(_of_nodes(folder, node), key=lambda each: each[1] != "slurmstepd")
    for pid, _ in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(found)


def _of_nodes(folder: Path, node: str | None) -> Iterator[tuple[int, str]]:
    """Yield number and name of each process that a node's daemon (any node's) started."""
    of_cluster = f"SLURM_CONF={folder}/slurm.conf".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                told = (entry / "environ").read_bytes().split(b"\0")
                of = [w.partition(b"=")[2].decode() for w in told if w.startswith(NODE_MARK)]
                if of_cluster in told and of and node in (None, of[0]):
                    yield int(entry.name), (entry / "comm").read_text(encoding="utf-8").strip()


def wait_until(true: Callable[[], bool], seconds: float) -> bool:
    """Ask again and again whether something is true; False when it is not in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.05)
    return true()


def _told(pid: int) -> tuple[str, str]:
    """Return state and beginning of a process; ("X", "") when there is none."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return "X", ""
    return words[0], words[19]


_OURS: dict[int, subprocess.Popen[bytes]] = {}
"""Children of this process, to be waited for."""
