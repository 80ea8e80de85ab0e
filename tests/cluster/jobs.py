"""Bundles on their way through a Slurm: compiled, copied, submitted, awaited."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from slurm import Element, Slurm, wait_until

SPECC = Path(sys.executable).with_name("specc")
PLACE = "Käfig mit Löchern/büro & co/the bundle"
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")
# three shards of one task each; all but the first wait for the file that GATE names, if it does
SUMS = """\
schema_version: 1
name: sums
kind: command
matrix:
  axes: {left: [1, 2, 3]}
repetitions: {order: sequential}
settings:
  script: |
    if [ -n "${GATE:-}" ] && [ "$left" != 1 ]; then until [ -e "$GATE" ]; do sleep 0.05; done; fi
    echo "{\\"total\\": $((left + 10))}"
  metrics:
    total: {from: json_lines, unit: "1", better: higher, definition: the sum that the shell makes}
task: {cpus: 1, memory: 64MiB, estimate: 1min, time_limit: 1min}
job: {time_limit: 90s}
"""


def compiled(folder: Path, text: str = SUMS) -> Path:
    """Compile a spec's text and return the bundle, copied to a place that is hard on scripts."""
    folder.mkdir(parents=True, exist_ok=True)
    spec = folder / "spec.yaml"
    spec.write_text(text, encoding="utf-8")
    found = specc("compile", spec, "--out", folder / "build", "--json")
    bundle = folder / PLACE
    shutil.copytree(json.loads(found)["bundle"], bundle)
    return bundle


def specc(*arguments: str | Path) -> str:
    """Run the command line, which must succeed, and return what it printed."""
    command = [str(SPECC), *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert ended.returncode == 0, ended.stderr + ended.stdout
    return ended.stdout


def shell(
    slurm: Slurm, *command: str | Path, cwd: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command as a user of the cluster does; its exit code is the caller's to judge."""
    return subprocess.run(
        [str(word) for word in command], cwd=cwd, env={**slurm.environment, **environment},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def submitted(slurm: Slurm, bundle: Path, *options: str, **environment: str) -> list[str]:
    """Submit with the bundle's own submit.sh and return the job ids, in its order."""
    ended = shell(slurm, "./submit.sh", *options, cwd=bundle, **environment)
    assert ended.returncode == 0, ended.stderr
    return [line.partition(": job ")[2].partition(",")[0] for line in ended.stdout.splitlines()]


def states(slurm: Slurm, job: str) -> dict[int, str]:
    return {index: element.state for index, element in slurm.elements(job).items()}


def awaited(slurm: Slurm, job: str, *, seconds: float = 60.0) -> dict[int, Element]:
    """Wait until all elements of a job ended and return them by index."""
    ended = wait_until(
        lambda: all(state in ENDED for state in states(slurm, job).values()), seconds
    )
    assert ended, f"job {job} after {seconds:g} s: {states(slurm, job)}"
    return slurm.elements(job)


def launch(bundle: Path, shard: str, number: int = 1, run: str = "r1") -> dict[str, Any]:
    """Return launch.json of one start of a shard."""
    path = bundle / "results" / run / shard / f"launch-{number:03d}" / "launch.json"
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def events(bundle: Path, shard: str, number: int = 1, run: str = "r1") -> list[dict[str, Any]]:
    """Return the journal of one start of a shard; empty while there is none."""
    path = bundle / "results" / run / shard / f"launch-{number:03d}" / "events.jsonl"
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def totals(
    bundle: Path, run: str = "r1", *, metric: str = "total", shards: str = "*"
) -> list[float]:
    """Return the values that the tasks of a run measured, sorted."""
    rows = []
    for path in sorted((bundle / "results" / run).glob(f"{shards}/launch-*/records.*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if row["type"] == "metric" and row["metric"] == metric:
                rows.append(row["value"])
    return sorted(rows)
