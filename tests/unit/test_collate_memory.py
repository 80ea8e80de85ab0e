"""A records file may be larger than the memory: collate reads it in pieces."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from results import START_NS, a_bundle, metric, sha256

# the peak of a child by getrusage would count from its fork
CHILD = """
import sys
from pathlib import Path
from specc.collate.pipeline import collate_data
done = collate_data([Path(sys.argv[1])], Path(sys.argv[2]))
status = Path("/proc/self/status").read_text()
peak = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
print(done.completeness["completed"], peak)
"""


def a_long_run(root: Path, rows: int) -> Path:
    """Write a run of one task with so many values."""
    root.mkdir()
    bundle = a_bundle(root, points=[{"n": 1}], repetitions=1)
    [task] = bundle.tasks
    launch = bundle.run().launch()
    launch.start(task)
    about = {"task_id": task["task_id"], "attempt": 1, "t_ns": 0}
    first = {"type": "attempt", "epoch_ns": START_NS, "pid": 7, "slot": 0, "neighbours": []}
    lines = [
        json.dumps({**about, **row}).encode() + b"\n" for row in (first, metric("time_s", 1.5))
    ]
    data = lines[0] + lines[1] * rows
    launch.records.write_bytes(data)
    segment = {
        "launch": launch.launch,
        "file": launch.records.name,
        "offset": 0,
        "bytes": len(data),
        "rows": rows + 1,
        "sha256": sha256(data),
    }
    launch.event(
        "task_completed",
        task_id=task["task_id"],
        attempt=1,
        slot=0,
        segments=[segment],
        duration_s=1.0,
        artefacts=[],
    )
    launch.end()
    return bundle.path


def peak_mib(bundle: Path) -> float:
    told = subprocess.run(
        [sys.executable, "-c", CHILD, bundle, bundle.parent / "out"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert told[0] == "1"
    return int(told[1]) / 1024


def test_three_times_the_rows_take_the_same_memory(tmp_path: Path) -> None:
    short, long = a_long_run(tmp_path / "a", 300_000), a_long_run(tmp_path / "b", 900_000)
    difference_mib = 600_000 * 174 / 2**20
    assert peak_mib(long) - peak_mib(short) < difference_mib / 2
