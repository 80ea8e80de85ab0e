"""Make small bundles by hand, run them as a job would, and read what they leave.

The tasks are of a kind that exists only in the test bundle's own copy of the runtime: it executes
the Python text of its `code` setting with `attempt` in scope.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from specc_runtime.contract.launches import find_runs
from specc_runtime.contract.manifest import PREDICATE_TYPE, STATEMENT_TYPE, Manifest, parse_manifest
from specc_runtime.contract.runs import RunState, fold
from specc_runtime.contract.tasks import read_tasks

RUNTIME = Path(__file__).parents[2] / "runtime" / "specc_runtime"
KIND = "probe"
_RUN = '''"""Execute the task's own code."""
import os, signal, sys, time
from ...attempts.attempt import TaskError

def run(attempt):
    exec(attempt.task.settings["code"], {"attempt": attempt, "TaskError": TaskError, "os": os,
         "sys": sys, "time": time, "signal": signal})
'''
TASK_SHAPE = {
    "gpus": 0,
    "gpu_memory_bytes": None,
    "cpus": 1,
    "memory_bytes": None,
    "estimate_s": None,
    "time_limit_s": 60,
    "nodes": 1,
    "processes_per_node": 1,
}
JOB_SHAPE = {
    "nodes": 1,
    "gpus_per_node": 0,
    "cpus_per_node": None,
    "memory_bytes": None,
    "time_limit_s": 3600,
    "max_running": None,
    "exclusive": False,
    "partition": None,
}


def task_id(index: int) -> str:
    return hashlib.sha256(str(index).encode()).hexdigest()[:16]


def make_bundle(
    folder: Path,
    codes: Sequence[str],
    *,
    slots: int = 1,
    shards: int = 1,
    task: Mapping[str, Any] | None = None,
    warm: Sequence[str] | None = None,
    fixtures: Sequence[Mapping[str, Any]] = (),
    environment: Mapping[str, Any] | None = None,
    predicate: Mapping[str, Any] | None = None,
    files: Mapping[str, str] | None = None,
) -> Path:
    """Write a bundle with one task for each text in `codes`, spread over the shards."""
    folder.mkdir(parents=True)
    shutil.copytree(
        RUNTIME, folder / "runtime" / "specc_runtime", ignore=shutil.ignore_patterns("__pycache__")
    )
    _add_kind(folder / "runtime" / "specc_runtime" / "kinds")
    for name, text in (files or {}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    rows = [_row(index, code, shards) for index, code in enumerate(codes)]
    (folder / "tasks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    shape = {
        "name": "1-cpu",
        "script": "job.sbatch",
        "environment": "main" if environment else None,
        "condition_id": "c" * 16,
        "task": {**TASK_SHAPE, **(task or {})},
        "job": JOB_SHAPE,
        "slots": slots,
        "waves": 1,
        "shards": shards,
        "fixtures": [
            *fixtures,
            *([] if warm is None else [{"type": "warm_parent", "options": {"imports": warm}}]),
        ],
    }
    seal(
        folder,
        {
            "schema_version": 1,
            "specc_version": "0.1.0",
            "name": "probe",
            "kind": KIND,
            "purpose": "",
            "spec": {},
            "tasks": {"file": "tasks.jsonl", "count": len(rows), "runnable": len(rows)},
            "shapes": [shape],
            "on_failure": {"transient": {"attempts": 2}},
            "environments": {"main": environment} if environment else {},
            "inputs": [],
            "code": None,
            "parent_bundle_id": None,
            **(predicate or {}),
        },
    )
    return folder


def _add_kind(kinds: Path) -> None:
    """Give a copy of the runtime the room of the kind that tests use."""
    (kinds / KIND).mkdir()
    (kinds / KIND / "__init__.py").touch()
    (kinds / KIND / "run.py").write_text(_RUN)
    table = kinds / "__init__.py"
    table.write_text(table.read_text() + f'\nKINDS["{KIND}"] = "kinds.{KIND}.run"\n')


def _row(index: int, code: str, shards: int) -> dict[str, Any]:
    return {
        "task_id": task_id(index),
        "index": index,
        "shape": "1-cpu",
        "shard": f"1-cpu-{index % shards:04d}",
        "position": index // shards,
        "axes": {"index": index},
        "repetition": 0,
        "settings": {"code": code},
        "not_run": None,
    }


def seal(folder: Path, predicate: Mapping[str, Any]) -> Manifest:
    """Write manifest.json and manifest-sha256.txt over what stands in a folder."""
    subjects = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            mode = "0755" if path.stat().st_mode & 0o100 else "0644"
            data = path.read_bytes()
            subjects.append(
                {
                    "name": path.relative_to(folder).as_posix(),
                    "digest": {"sha256": hashlib.sha256(data).hexdigest()},
                    "annotations": {"bytes": len(data), "mode": mode},
                }
            )
    value = {
        "_type": STATEMENT_TYPE,
        "predicateType": PREDICATE_TYPE,
        "subject": subjects,
        "predicate": predicate,
    }
    data = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    manifest = parse_manifest(data)
    (folder / "manifest.json").write_bytes(data)
    (folder / "manifest-sha256.txt").write_text(manifest.hash_list())
    return manifest


def command(bundle: Path, *which: str) -> list[str]:
    main = bundle / "runtime" / "specc_runtime" / "__main__.py"
    start = [sys.executable, "-I", "-B", "-X", "utf8", str(main), "shard"]
    return [*start, "--bundle", str(bundle), "--shape", "1-cpu", *(which or ("--all",))]


def environ(bundle: Path, **extra: str) -> dict[str, str]:
    """The environment of a run: nothing of Slurm, and no cache outside the test's folder."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SLURM_", "SPECC_", "PYTHON"))
    }
    base = {
        "SPECC_ENV_DIR": str(bundle.parent / "cache" / "env"),
        "SPECC_PROGRESS": "plain",
        "SPECC_GRACE_S": "2",
    }
    return {**kept, **base, **extra}


def run(bundle: Path, *which: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run shards to their end. `extra` are environment variables."""
    return run_command(bundle, command(bundle, *which), **extra)


def run_command(
    bundle: Path, argv: Sequence[str], **extra: str
) -> subprocess.CompletedProcess[str]:
    """Run any command to its end, in the environment of a run."""
    return subprocess.run(
        argv,
        env=environ(bundle, **extra),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def start(bundle: Path, *which: str, **extra: str) -> subprocess.Popen[str]:
    """Start shards in the background."""
    return subprocess.Popen(
        command(bundle, *which),
        env=environ(bundle, **extra),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def state(bundle: Path, run_id: str = "r1") -> RunState:
    return fold(bundle / "results" / run_id, read_tasks(bundle), ended=True)


def states(bundle: Path) -> list[str]:
    """The state of each task in matrix order."""
    return [task.state for task in state(bundle).tasks.values()]


def events(bundle: Path, launch: int = 1, shard: str = "1-cpu-0000") -> list[dict[str, Any]]:
    path = bundle / "results" / "r1" / shard / f"launch-{launch:03d}" / "events.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def failure(bundle: Path) -> dict[str, Any]:
    """The only task_failed event of the first launch."""
    found = [event for event in events(bundle) if event["event"] == "task_failed"]
    assert len(found) == 1, found
    return found[0]


def launch_folder(bundle: Path, launch: int = 1) -> Path:
    return bundle / "results" / "r1" / "1-cpu-0000" / f"launch-{launch:03d}"


def rows(bundle: Path) -> dict[str, list[dict[str, Any]]]:
    """The rows of all completed tasks by task id, read through their segments."""
    from specc_runtime.contract.segments import read_segment

    found: dict[str, list[dict[str, Any]]] = {}
    for task in state(bundle).tasks.values():
        data = b"".join(
            read_segment(str(bundle / "results" / "r1"), segment) for segment in task.segments
        )
        found[task.task_id] = [json.loads(line) for line in data.splitlines()]
    return found


def wait_for(condition: Any, limit_s: float = 60.0) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def end(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> tuple[int, str]:
    """Send a signal and wait; returns exit code and output."""
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    return process.returncode, output


__all__ = ["find_runs"]
