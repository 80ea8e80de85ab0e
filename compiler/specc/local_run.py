"""Run a bundle on this machine: every job script with --here, CPU first.

The scripts do all the work; this starts them, passes their output on line by line and tells
how far the run is. It writes nothing itself.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from specc.problems import BundleInvalid, ExitCode
from specc.watching.find import target
from specc.watching.status import RunStatus, status_of
from specc_runtime.contract.fields import Damage
from specc_runtime.contract.manifest import read_manifest

POLL_S = 1.0
STOP_S = 30.0
"""How long a stopping script is waited for: more than the node's own grace time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Who hears of a run while it goes on."""

    line: Callable[[str], None]
    """One line of a script's output, without its end."""
    status: Callable[[RunStatus], None] | None
    """How far the run is, about once a second; None when nobody looks."""


def scripts(bundle: Path) -> tuple[str, ...]:
    """Return the job scripts of a bundle in the order in which they run. Raises BundleInvalid."""
    try:
        manifest = read_manifest(bundle)
    except (Damage, OSError) as damage:
        why = damage.strerror if isinstance(damage, OSError) else str(damage)
        raise BundleInvalid(
            f"{bundle} is not a bundle: {why}", hint="give the folder that `specc compile` printed"
        ) from damage
    return tuple(shape["script"] for shape in manifest.predicate["shapes"])


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalRun:
    """What to run and how."""

    bundle: Path
    run_id: str
    network: str
    """"on" or "off"; off where the kernel allows it, and launch.json says which it was."""
    results: Path | None
    """Where results go; None: SPECC_RESULTS of this process, else the bundle."""

    again: bool = False
    """Give tasks that were given up one more attempt."""

    def environment(self) -> dict[str, str]:
        """Return the variables of the scripts."""
        chosen = {"SPECC_RUN": self.run_id, "SPECC_NETWORK": self.network}
        if self.again:
            chosen["SPECC_AGAIN"] = "1"
        if self.results is not None:
            chosen["SPECC_RESULTS"] = str(self.results.absolute())
        return {**os.environ, **chosen}


def run_here(run: LocalRun, listener: Listener) -> int:
    """Run every script and return the worst exit code; one that stops the run stops the rest.

    KeyboardInterrupt stops the script as SIGTERM does and is raised again once it has ended.
    """
    worst = int(ExitCode.OK)
    for script in scripts(run.bundle):
        code = _run_script(run, script, listener)
        if code not in (ExitCode.OK, ExitCode.FINDINGS):
            return code
        worst = max(worst, code)
    return worst


def _run_script(run: LocalRun, script: str, listener: Listener) -> int:
    process = subprocess.Popen(
        ["bash", script, "--here"],
        cwd=run.bundle,
        env=run.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    reader = threading.Thread(target=_pass_on, args=(process, listener), daemon=True)
    reader.start()
    try:
        while process.poll() is None:
            _tell(run, listener)
            with suppress(subprocess.TimeoutExpired):
                process.wait(POLL_S)
    except KeyboardInterrupt:
        _stop(process)
        raise
    reader.join(timeout=5)
    _tell(run, listener)
    stopped = process.returncode in (-signal.SIGINT, -signal.SIGTERM)
    return ExitCode.INTERRUPTED if stopped else process.returncode


def _pass_on(process: subprocess.Popen[str], listener: Listener) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        listener.line(line.rstrip("\n"))


def _tell(run: LocalRun, listener: Listener) -> None:
    if listener.status is None:
        return
    # a status that can't be read now is no reason to stop a run: the next poll tells
    with suppress(BundleInvalid):
        wanted = target(run.bundle, run_id=run.run_id, results=run.results)
        listener.status(status_of(wanted, ask=False))


def _stop(process: subprocess.Popen[str]) -> None:
    """Ask the script to stop and wait for it; a terminal's Ctrl-C has reached it already."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_S
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(KeyboardInterrupt, subprocess.TimeoutExpired):
            process.wait(1.0)
    if process.poll() is None:
        process.kill()
