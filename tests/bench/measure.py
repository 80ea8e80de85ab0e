"""Run a command and say what it cost."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

SPECC = Path(sys.executable).with_name("specc")


@dataclass(frozen=True)
class Cost:
    """Of one process tree."""

    wall_s: float
    cpu_s: float
    rss_mib: float
    """Of the largest process."""


def cost(*command: str | Path, cwd: Path | None = None, expect: int = 0) -> Cost:
    """Run a command to its end. Raises AssertionError when it ends otherwise than expected."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=cwd,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    with process.stderr:
        told = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.perf_counter() - started
    assert process.returncode == expect, told.decode(errors="replace")
    return Cost(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def command_spec(points: int, *, argv: str = "[/bin/true]") -> str:
    """Return a spec of so many points of a program, on no cluster and with no environment."""
    return f"""\
schema_version: 1
name: bench
kind: command
matrix: {{axes: {{n: {{range: [1, {points}]}}}}}}
settings:
  argv: {argv}
task: {{cpus: 1, memory: 64MiB, estimate: 1s, time_limit: 30s}}
job: {{time_limit: 12h}}
"""
