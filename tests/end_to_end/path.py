"""The whole path as a user walks it: the installed command, real bundles, real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

SPECC = Path(sys.executable).with_name("specc")
SPEC = """\
schema_version: 1
name: sums
kind: command
matrix:
  axes: {left: [1, 2, 3], right: [10, 20]}
settings:
  script: |
    echo "{\\"total\\": $((left + right))}"
  metrics:
    total: {from: json_lines, unit: "1", better: higher, definition: the sum that the shell makes}
task: {cpus: 1, memory: 64MiB, estimate: 1s, time_limit: 30s}
job: {time_limit: 10min}
"""


def specc(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command; its exit code is the caller's to judge."""
    command = [str(SPECC), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


def specc_json(*arguments: str | Path, code: int = 0, **options: Any) -> dict[str, Any]:
    """Run the command with --json and return its one object."""
    ended = specc(*arguments, "--json", **options)
    assert ended.returncode == code, ended.stderr + ended.stdout
    loaded: dict[str, Any] = json.loads(ended.stdout)
    return loaded


def compiled(folder: Path, text: str = SPEC, *options: str) -> Path:
    """Compile a spec's text in `folder` and return the bundle's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    spec = folder / "spec.yaml"
    spec.write_text(text, encoding="utf-8")
    found = specc_json("compile", spec, "--out", folder / "build", *options)
    return Path(found["bundle"])


def run_script(bundle: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the bundle as on a machine without specc: bash and its own script."""
    return subprocess.run(
        ["bash", "job.sbatch", "--here"],
        cwd=bundle,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


def records(bundle: Path, name: str, run_id: str = "r1") -> list[dict[str, Any]]:
    """Return all rows of one type that a run wrote, finished task or not."""
    rows = []
    for path in sorted((bundle / "results" / run_id).glob("*/launch-*/records.*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if row["type"] == name:
                rows.append(row)
    return rows
