"""Run a command and say what it cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# a child's peak memory counts from its fork, so a small process has to start it
STOPWATCH = """
import resource, subprocess, sys, time
started = time.perf_counter()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
wall_s = time.perf_counter() - started
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss)
sys.exit(code)
"""
_UNCOMPILED = "PYTHONDONTWRITEBYTECODE"
"""Unset for what is measured: an installed program has its bytecode."""
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
    ended = subprocess.run(
        [sys.executable, "-S", "-c", STOPWATCH, *map(str, command)],
        cwd=cwd,
        env={name: value for name, value in os.environ.items() if name != _UNCOMPILED},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == expect, ended.stderr
    wall_s, cpu_s, rss_kib = map(float, ended.stdout.split())
    return Cost(wall_s, cpu_s, rss_kib / 1024)


def a_bundle(folder: Path, points: int, *, job: str = "") -> Path:
    """Compile so many points of /bin/true. job: further fields of the job, `x: 1, `."""
    folder.mkdir()
    spec = folder / "spec.yaml"
    spec.write_text(command_spec(points).replace("job: {", f"job: {{{job}"))
    told = subprocess.run(
        [SPECC, "compile", spec, "--out", folder, "--json"], capture_output=True, check=True
    ).stdout
    return Path(json.loads(told)["bundle"])


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
