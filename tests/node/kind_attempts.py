"""Run one attempt of a kind in a process of its own and give back what it recorded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RUNNER = """
import json, os, sys
from specc_runtime.attempts.worker import describe
from specc_runtime.attempts.attempt import Attempt
import importlib
order = json.loads(sys.stdin.read())
records = os.open(order["records_path"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
os.environ.update(order["env"])
module = importlib.import_module(order["module"])
report = os.open(order["report_path"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
attempt = Attempt(order, records_fd=records, report_fd=report)
try:
    module.run(attempt)
except Exception as error:
    attempt.report("failed", **describe(error))
else:
    attempt.report("done", artefacts=attempt.artefacts())
"""


@dataclass
class Ran:
    """What one attempt left behind."""

    rows: list[dict[str, Any]]
    outcome: dict[str, Any]
    output: str
    folder: Path
    problems: str = ""
    by_type: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["type"] == kind]


def _place(bundle: Path, inputs: dict[str, Path]) -> dict[str, str]:
    """Make a bundle's folder with links to its inputs; return their places in it."""
    (bundle / "inputs").mkdir(parents=True, exist_ok=True)
    (bundle / "code").mkdir(exist_ok=True)
    for name, source in inputs.items():
        target = bundle / "inputs" / name
        if not target.exists():
            target.symlink_to(source)
    return {name: f"inputs/{name}" for name in inputs}


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def run_attempt(
    folder: Path,
    module: str,
    settings: dict[str, Any],
    *,
    inputs: dict[str, Path] | None = None,
    gpu: str | None = None,
    repetition: int = 0,
    cpus: int = 1,
    env: dict[str, str] | None = None,
    timeout_s: float = 120,
) -> Ran:
    """Run `module`.run on `settings`; inputs are linked into a bundle folder made for it."""
    bundle = folder / "bundle"
    paths = _place(bundle, inputs or {})
    (folder / "launch").mkdir(exist_ok=True)
    records, report = folder / "records.jsonl", folder / "report.jsonl"
    for path in (records, report):
        path.unlink(missing_ok=True)
    order = {
        "task": {
            "task_id": "0123456789abcdef",
            "index": 0,
            "axes": {},
            "settings": settings,
            "repetition": repetition,
        },
        "attempt": 1,
        "slot": 0,
        "gpu": gpu,
        "cpus": cpus,
        "neighbours": [],
        "bundle": str(bundle),
        "env": env or {},
        "run": str(folder),
        "launch_path": str(folder / "launch"),
        "launch": "s-0000/launch-001",
        "inputs": paths,
        "resume": None,
        "records": {"file": "records.jsonl", "offset": 0},
        "module": module,
        "records_path": str(records),
        "report_path": str(report),
    }
    ended = subprocess.run(
        [sys.executable, "-c", RUNNER],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout_s,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    assert report.exists(), ended.stderr
    reports, rows = _lines(report), _lines(records)
    return Ran(
        rows=rows, outcome=reports[-1], output=ended.stdout, folder=folder, problems=ended.stderr
    )
