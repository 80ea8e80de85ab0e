"""Write the results of a finished run with the node's own writers, without running its tasks.

For measuring the readers: a real run of 10,000 programs takes minutes, this takes a second.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from specc_runtime.books.journal import Journal
from specc_runtime.books.records import RecordWriter, SlotFile
from specc_runtime.contract.manifest import read_manifest
from specc_runtime.contract.tasks import TaskRow, read_tasks, shard_tasks

_METRICS = {"exit_code": 0, "wall_s": 0.001, "user_s": 0.0, "system_s": 0.001}


def finish(bundle: Path, *, run_id: str = "r1", failed: int = 0) -> None:
    """Write a run in which every task completed, but for the first `failed` of each shard."""
    rows = read_tasks(bundle)
    for shard in sorted({row.shard for row in rows if row.shard is not None}):
        _finish_shard(bundle, run_id, shard, shard_tasks(rows, shard), failed)


def _finish_shard(
    bundle: Path, run_id: str, shard: str, rows: tuple[TaskRow, ...], failed: int
) -> None:
    folder = bundle / "results" / run_id / shard / "launch-001"
    folder.mkdir(parents=True)
    (folder / "launch.json").write_text(json.dumps(_launch(bundle, run_id, shard)))
    journal = Journal(os.fspath(folder / "events.jsonl"))
    journal.write("launch_started", launch="launch-001", tasks=len(rows), done=0)
    records = SlotFile(os.fspath(folder), 0)
    for number, row in enumerate(rows):
        about = {"task_id": row.task_id, "attempt": 1, "slot": 0}
        journal.write("task_started", **about, pid=1, gpu=None, neighbours=[])
        if number < failed:
            journal.write("task_failed", **about, **_FAILURE)
            continue
        fd = records.open()
        writer = RecordWriter(
            fd, launch=f"{shard}/launch-001", file=records.name, offset=records.offset, head=about
        )
        writer.write("attempt", {"epoch_ns": 1, "pid": 1, "neighbours": []})
        writer.write("process", {**_METRICS, "max_rss_bytes": 1 << 20})
        journal.write(
            "task_completed", **about, segments=[writer.segment()], duration_s=0.01, artefacts=[]
        )
        records.settle(writer.end)
    records.close()
    counts = {"completed": len(rows) - failed, "failed": failed, "not_run": 0}
    journal.write("launch_ended", exit_code=1 if failed else 0, reason=None, counts=counts)
    journal.close()


_FAILURE = {
    "category": "program",
    "transient": False,
    "type": None,
    "message": "it ended with exit code 1",
    "exit_code": 1,
    "signal": None,
    "stderr_tail": [f"line {number} of what it said" for number in range(20)],
    "evidence": {},
    "suggestion": None,
    "will_retry": False,
    "duration_s": 0.01,
}


def _launch(bundle: Path, run_id: str, shard: str) -> dict[str, object]:
    manifest = read_manifest(bundle)
    shape = manifest.shape(shard.rpartition("-")[0])
    return {
        "schema_version": 1,
        "bundle_id": manifest.bundle_id,
        "run_id": run_id,
        "shard_id": shard,
        "launch": "launch-001",
        "shape": shape["name"],
        "condition_id": shape["condition_id"],
        "host": "node",
        "user_id": 1000,
        "pid": 1,
        "started_epoch_ns": 1,
        "anchor": {"t_ns": 1, "epoch_ns": 1},
        "network": "not isolated",
        "slurm": {},
        "deadline_s": None,
        "python": "3.11",
        "environment": {"name": None, "mode": "inherit", "path": None, "packages": {}},
        "inputs": {},
        "hardware": {},
        "bundle_verified": "full",
    }
