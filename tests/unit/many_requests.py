"""Write studies of very many requests fast, with known latencies, in the formats of the contract.

The kind of such a study is known to tests only; `known` makes the desk know it too.
"""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import numpy as np
import polars as pl
from results import START_NS, ABundle, a_bundle

KIND = "requests-for-tests"
ROOM = "requests_kind"
KNOWN = {KIND: ROOM}
"""To add to the desk's table of kinds."""
POINTS = [{"concurrency": n} for n in (1, 4, 16, 64)]
BLOCK = 250_000


def a_study(
    root: Path, rows: int, *, repetitions: int = 5, seed: int = 1, tokens: bool = False
) -> ABundle:
    """Write a bundle and one run of it with about so many requests, spread evenly over its tasks.

    Latencies are lognormal, slower with concurrency; one request of a thousand fails.
    """
    bundle = a_bundle(root, kind=KIND, points=POINTS, repetitions=repetitions)
    launch = bundle.run().launch()
    rng = np.random.default_rng(seed)
    each = rows // len(bundle.tasks)
    for task in bundle.tasks:
        launch.start(task)
        offset = launch.records.stat().st_size if launch.records.exists() else 0
        segment = _write(launch.records, task["task_id"], task["axes"]["concurrency"], each, rng,
                         tokens=tokens)  # fmt: skip
        launch.event(
            "task_completed",
            task_id=task["task_id"],
            attempt=1,
            slot=0,
            segments=[
                {
                    "launch": launch.launch,
                    "file": launch.records.name,
                    "offset": offset,
                    **segment,
                }
            ],
            duration_s=1.5,
            artefacts=[],
        )
    launch.end()
    return bundle


def _write(
    path: Path, task_id: str, level: int, rows: int, rng: np.random.Generator, *, tokens: bool
) -> dict[str, object]:
    """Append the rows of one task; return bytes, rows and hash of what was written."""
    digest, size, clock = hashlib.sha256(), 0, 1_000_000_000
    head = {"type": "attempt", "task_id": task_id, "attempt": 1, "t_ns": clock}
    opening = pl.DataFrame({**head, "epoch_ns": START_NS, "pid": 7, "slot": 0})
    end = clock + rows * 100_000
    load = pl.DataFrame(
        {**head, "type": "load", "t_ns": end, "start_ns": clock, "window_ns": end - clock}
    )
    with path.open("ab") as file:

        def put(frame: pl.DataFrame) -> None:
            nonlocal size
            text = io.BytesIO()
            frame.write_ndjson(text)
            data = text.getvalue()
            digest.update(data)
            size += len(data)
            file.write(data)

        put(opening)
        for start in range(0, rows, BLOCK):
            count = min(BLOCK, rows - start)
            put(_requests(task_id, level, count, clock + start * 100_000, rng, tokens=tokens))
        put(load)
    return {"bytes": size, "rows": rows + 2, "sha256": digest.hexdigest()}


def _requests(
    task_id: str, level: int, count: int, clock: int, rng: np.random.Generator, *, tokens: bool
) -> pl.DataFrame:
    latency = (rng.lognormal(np.log(2e6 * level), 0.5, count)).astype(np.int64)
    sent = clock + np.cumsum(rng.exponential(1e5, count)).astype(np.int64)
    failed = rng.random(count) < 0.001
    columns: dict[str, object] = {
        "type": pl.repeat("request", count, eager=True),
        "task_id": pl.repeat(task_id, count, eager=True),
        "attempt": pl.repeat(1, count, eager=True),
        "t_ns": sent + latency,
        "sent_ns": sent,
        "end_ns": sent + latency,
        "ok": ~failed,
        "error": pl.Series(np.where(failed, "timeout", "")).replace("", None),
        "operation": pl.Series(np.where(rng.random(count) < 0.5, "get", "set")),
    }
    if tokens:
        columns["first_ns"] = sent + latency // 4
        columns["tokens"] = rng.integers(2, 100, count)
    return pl.DataFrame(columns)


def records_of(bundle: ABundle) -> list[Path]:
    """Return the records files of a study."""
    return sorted(Path(bundle.path).rglob("records.*.jsonl"), key=os.fspath)
