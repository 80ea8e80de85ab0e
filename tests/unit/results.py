"""Write small bundles and results by hand, in the formats of docs/contract.md.

Not a fake of the node: a second writer of the same files, so that the readers are tested against
the page that describes them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rfc8785

START_NS = 1_790_000_000_000_000_000


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def task_id(number: int) -> str:
    return sha256(f"task {number}".encode())[:16]


@dataclass
class ABundle:
    """A bundle folder with one shard for each shape, and what its results say."""

    path: Path
    bundle_id: str
    tasks: list[dict[str, Any]]
    conditions: dict[str, str]

    def run(self, run_id: str = "r1") -> ARun:
        return ARun(self, self.path / "results" / run_id)


def a_bundle(
    root: Path,
    *,
    kind: str = "command",
    name: str = "study",
    points: Sequence[Mapping[str, Any]] = ({"size": 1}, {"size": 2}, {"size": 4}),
    repetitions: int = 3,
    settings: Mapping[str, Any] | None = None,
    spec: Mapping[str, Any] | None = None,
    not_run: Mapping[int, str] | None = None,
    shape_of: Any = None,
    parent: str | None = None,
    inputs: Sequence[Mapping[str, Any]] = (),
    condition: str = "c",
    folder: str | None = None,
    axes: Sequence[str] | None = None,
) -> ABundle:
    """Write a bundle; not_run: point number -> reason."""
    shape_of = shape_of or (lambda _: "1-cpu")
    tasks = _tasks(points, repetitions, settings or {}, not_run or {}, shape_of)
    shapes = sorted({t["shape"] for t in tasks if t["shape"]})
    conditions = {shape: sha256(f"{condition} {shape}".encode())[:16] for shape in shapes}
    lines = b"".join(rfc8785.dumps(task) + b"\n" for task in tasks)
    manifest = {
        "_type": "https://in-toto.io/Statement/v1",
        "predicateType": "urn:specc:bundle:v1",
        "subject": [_subject("tasks.jsonl", lines)],
        "predicate": {
            "schema_version": 1,
            "specc_version": "0.1.0",
            "name": name,
            "kind": kind,
            "purpose": "show what a report looks like",
            "spec": {"name": name, "kind": kind, **(spec or {})},
            "tasks": {
                "file": "tasks.jsonl",
                "count": len(tasks),
                "runnable": sum(t["not_run"] is None for t in tasks),
                "points": len(points),
                "repetitions": repetitions,
            },
            "axes": list(points[0] if axes is None else axes),
            "shapes": [_shape(shape, conditions[shape]) for shape in shapes],
            "on_failure": {},
            "environments": {"default": {"mode": "inherit", "pinned": False}},
            "inputs": list(inputs),
            "code": None,
            "parent_bundle_id": parent,
        },
    }
    data = rfc8785.dumps(manifest) + b"\n"
    bundle_id = f"{name}-{sha256(data)[:12]}"
    path = root / (folder or bundle_id)
    path.mkdir(parents=True)
    (path / "manifest.json").write_bytes(data)
    (path / "tasks.jsonl").write_bytes(lines)
    (path / "compile.json").write_text(json.dumps(_compile_info(bundle_id)) + "\n")
    return ABundle(path, bundle_id, tasks, conditions)


def _compile_info(bundle_id: str) -> dict[str, Any]:
    return {
        "bundle_id": bundle_id,
        "compiled_at": "2026-01-02T03:04:05Z",
        "command_line": ["specc", "compile", "specs/study.yaml"],
        "specc_version": "0.1.0",
        "git": {"commit": "0" * 40, "dirty": False},
        "spec_text": "name: study\n",
    }


def _tasks(
    points: Sequence[Mapping[str, Any]],
    repetitions: int,
    settings: Mapping[str, Any],
    not_run: Mapping[int, str],
    shape_of: Any,
) -> list[dict[str, Any]]:
    tasks: list[dict[str, Any]] = []
    for number, axes in enumerate(points):
        for repetition in range(repetitions):
            reason = not_run.get(number)
            shape = None if reason else shape_of(axes)
            identity = json.dumps([axes, repetition], sort_keys=True).encode()
            tasks.append(
                {
                    "task_id": sha256(identity)[:16],
                    "index": len(tasks),
                    "shape": shape,
                    "shard": shape and f"{shape}-0000",
                    "position": None if reason else len(tasks),
                    "axes": dict(axes),
                    "repetition": repetition,
                    "settings": {**settings, **axes},
                    "not_run": reason,
                }
            )
    return tasks


def _subject(name: str, data: bytes) -> dict[str, Any]:
    return {
        "name": name,
        "digest": {"sha256": sha256(data)},
        "annotations": {"bytes": len(data), "mode": "0644"},
    }


def _shape(name: str, condition_id: str) -> dict[str, Any]:
    return {
        "name": name,
        "script": "job.sbatch",
        "environment": "default",
        "condition_id": condition_id,
        "task": {
            "gpus": 0,
            "gpu_memory_bytes": None,
            "cpus": 2,
            "memory_bytes": None,
            "estimate_s": 60,
            "time_limit_s": 300,
            "nodes": 1,
            "processes_per_node": 1,
        },
        "job": {
            "nodes": 1,
            "gpus_per_node": 0,
            "cpus_per_node": 2,
            "memory_bytes": None,
            "time_limit_s": 3600,
            "max_running": None,
            "exclusive": False,
            "partition": None,
        },
        "slots": 1,
        "waves": 1,
        "shards": 1,
        "fixtures": [],
    }


@dataclass
class ARun:
    """One run of a bundle; launches are written when `close` is called on them."""

    bundle: ABundle
    path: Path
    count: dict[str, int] = field(default_factory=dict)

    def launch(self, shape: str = "1-cpu", **changes: Any) -> ALaunch:
        shard = f"{shape}-0000"
        self.count[shard] = self.count.get(shard, 0) + 1
        launch = f"{shard}/launch-{self.count[shard]:03d}"
        (self.path / launch).mkdir(parents=True)
        value = {
            "schema_version": 1,
            "bundle_id": self.bundle.bundle_id,
            "run_id": self.path.name,
            "shard_id": shard,
            "launch": launch.split("/")[1],
            "shape": shape,
            "condition_id": self.bundle.conditions[shape],
            "host": "node-1",
            "user_id": 1000,
            "pid": 4242,
            "started_epoch_ns": START_NS,
            "anchor": {"t_ns": 0, "epoch_ns": START_NS},
            "network": "isolated",
            "slurm": {},
            "python": "3.11.2",
            "environment": {
                "name": "default",
                "mode": "inherit",
                "path": "/usr",
                "packages": {"numpy": "2.0.0"},
            },
            "hardware": {"cpu": {"model": "AMD EPYC 7763 64-Core Processor"}, "gpus": []},
            "bundle_verified": "full",
        }
        (self.path / launch / "launch.json").write_text(json.dumps({**value, **changes}) + "\n")
        made = ALaunch(self, launch)
        made.event("launch_started", launch=value["launch"], tasks=len(self.bundle.tasks), done=0)
        return made


@dataclass
class ALaunch:
    """One launch; every call appends to its files at once, as a node would."""

    run: ARun
    launch: str
    seq: int = 0

    @property
    def path(self) -> Path:
        return self.run.path / self.launch

    @property
    def records(self) -> Path:
        return self.path / "records.0.1.jsonl"

    def event(self, event: str, **fields: Any) -> None:
        value = {"event": event, "seq": self.seq, "t_ns": self.seq, "epoch_ns": START_NS, **fields}
        self.seq += 1
        with (self.path / "events.jsonl").open("a") as file:
            file.write(json.dumps(value) + "\n")

    def start(self, task: Mapping[str, Any], attempt: int = 1) -> None:
        self.event(
            "task_started",
            task_id=task["task_id"],
            attempt=attempt,
            slot=0,
            pid=7,
            gpu=None,
            neighbours=[],
        )

    def write(
        self, task: Mapping[str, Any], rows: Iterable[Mapping[str, Any]], attempt: int = 1
    ) -> dict[str, Any]:
        """Append rows to the records file and return their segment."""
        first = {"type": "attempt", "epoch_ns": START_NS, "pid": 7, "slot": 0, "neighbours": []}
        data = b"".join(
            json.dumps({"task_id": task["task_id"], "attempt": attempt, "t_ns": n, **row}).encode()
            + b"\n"
            for n, row in enumerate([first, *rows])
        )
        offset = self.records.stat().st_size if self.records.exists() else 0
        with self.records.open("ab") as file:
            file.write(data)
        return {
            "launch": self.launch,
            "file": self.records.name,
            "offset": offset,
            "bytes": len(data),
            "rows": data.count(b"\n"),
            "sha256": sha256(data),
        }

    def complete(
        self,
        task: Mapping[str, Any],
        rows: Iterable[Mapping[str, Any]],
        attempt: int = 1,
        **fields: Any,
    ) -> dict[str, Any]:
        self.start(task, attempt)
        segment = self.write(task, rows, attempt)
        self.event(
            "task_completed",
            task_id=task["task_id"],
            attempt=attempt,
            slot=0,
            segments=[segment],
            duration_s=1.5,
            artefacts=[],
            **fields,
        )
        return segment

    def fail(
        self, task: Mapping[str, Any], category: str = "program", attempt: int = 1, **fields: Any
    ) -> None:
        self.start(task, attempt)
        value = {
            "category": category,
            "transient": False,
            "type": None,
            "message": "the program ended with exit code 1",
            "exit_code": 1,
            "signal": None,
            "stderr_tail": ["boom"],
            "evidence": {},
            "suggestion": "read output.0.log",
            "will_retry": False,
            "duration_s": 0.5,
        }
        self.event(
            "task_failed", task_id=task["task_id"], attempt=attempt, slot=0, **{**value, **fields}
        )

    def end(self) -> None:
        self.event("launch_ended", exit_code=0, reason=None, counts={})


def metric(
    name: str,
    value: float | None,
    unit: str = "s",
    better: str = "lower",
    index: int = 0,
    reason: str | None = None,
) -> dict[str, Any]:
    return {
        "type": "metric",
        "metric": name,
        "value": value,
        "value_reason": reason,
        "unit": unit,
        "better": better,
        "index": index,
    }


def process(wall_s: float = 1.0) -> dict[str, Any]:
    return {
        "type": "process",
        "exit_code": 0,
        "wall_s": wall_s,
        "user_s": wall_s * 0.8,
        "system_s": wall_s * 0.1,
        "max_rss_bytes": 20_000_000,
    }
