"""Build an environment once, however many ask for it, and never show anybody half of one.

Each build has a folder of its own, `<environment>/<generation>`, its final path: what a killed
builder leaves behind, or still writes, is in nobody's way. `ready` is written last and names the
generation that counts.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import Optional

from .. import limits
from ..log import say
from ..shard.lease import Held, Lease, take
from ..slurm_env import Allocation

_WAIT_LIMIT_S = 3600.0
_WAIT_STEP_S = 0.5
_READY = "ready"


class EnvironmentFailed(Exception):
    """The environment can't be had here; the message says what to load or free."""


@dataclass(frozen=True)
class Wanted:
    """An environment that is not there yet."""

    bundle: str
    name: str
    lock: str
    """sha256 of its lock."""
    folder: str
    python: str
    """Interpreter to build it on."""
    lender: Optional[str] = None
    """Bundle whose wheels are taken; None for the bundle's own."""


def find_ready(folder: str, lock: str) -> Optional[str]:
    """Return the path of the finished environment in a folder; None when there is none."""
    try:
        with open(os.path.join(folder, _READY), encoding="utf-8") as file:
            words = file.read().split()
    except OSError:
        return None
    return os.path.join(folder, words[1]) if len(words) == 2 and words[0] == lock else None


def build_once(wanted: Wanted, allocation: Allocation) -> str:
    """Return the path of the environment, built here or by another. Raises EnvironmentFailed."""
    end = time.monotonic() + _WAIT_LIMIT_S
    told = False
    while time.monotonic() < end:
        try:
            lease = take(os.path.join(wanted.folder, "lease"), allocation)
        except Held as held:
            if not told:
                say(f"environment {wanted.name}: waiting for {held}, who builds it")
                told = True
            time.sleep(_WAIT_STEP_S)
        except OSError as error:
            raise EnvironmentFailed(
                f"environment {wanted.name}: {error};"
                " set SPECC_ENV_DIR to a folder that you may write to"
            ) from None
        else:
            try:
                if find_ready(wanted.folder, wanted.lock) is None:
                    _build(wanted, lease)
            finally:
                lease.release()
        found = find_ready(wanted.folder, wanted.lock)
        if found is not None:
            return found
    raise EnvironmentFailed(
        f"environment {wanted.name}: nobody finished building {wanted.folder} within an hour"
    )


def _build(wanted: Wanted, lease: Lease) -> None:
    generation = os.path.basename(lease.path)
    prefix = os.path.join(wanted.folder, generation)
    log_path = os.path.join(wanted.folder, f"{generation}.log")
    script = os.path.join(wanted.bundle, "env", wanted.name, "setup.sh")
    say(f"environment {wanted.name}: building {prefix}")
    code: Optional[int] = None
    try:
        command = ["sh", script, prefix, wanted.python, wanted.lender or wanted.bundle]
        code = _run(command, wanted.bundle, log_path, lease)
        if code == 0:
            _say_ready(wanted, generation)
    finally:
        if code != 0:
            shutil.rmtree(prefix, ignore_errors=True)
    if code is not None and code != 0:
        raise EnvironmentFailed(
            f"environment {wanted.name}: {script} ended with code {code};"
            f" the end of {log_path}:\n{_tail(log_path)}"
        )
    if code == 0:
        _remove_older(wanted.folder, lease.number)


def _run(command: "list[str]", cwd: str, log_path: str, lease: Lease) -> Optional[int]:
    """Run a build to its end and return its exit code; None when the lease was lost meanwhile."""
    with open(log_path, "wb") as log:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=limits.die_with_parent,  # noqa: PLW1509 - no thread is left by now
        )
        try:
            while True:
                try:
                    return process.wait(timeout=1.0)
                except subprocess.TimeoutExpired:
                    if not lease.beat():
                        return None
        finally:
            if process.returncode is None:
                limits.signal_group(process.pid, signal.SIGKILL)
                process.wait()


def _say_ready(wanted: Wanted, generation: str) -> None:
    draft = os.path.join(wanted.folder, f"{_READY}.{generation}")
    with open(draft, "w", encoding="utf-8") as file:
        file.write(f"{wanted.lock} {generation}\n")
    os.replace(draft, os.path.join(wanted.folder, _READY))


def _remove_older(folder: str, number: int) -> None:
    """Remove what killed builders left; a failure to do so only costs room."""
    for name in os.listdir(folder):
        if name.isdigit() and int(name) < number:
            shutil.rmtree(os.path.join(folder, name), ignore_errors=True)


def _tail(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return "".join(file.readlines()[-15:])
