"""A run beside busy strangers, or under a CPU limit, is CONTAMINATED; without them it is not.

Other work on this machine can't be forbidden, so that only the disturbed run is really run. The
undisturbed one is made of its samples: the strangers' time is taken out of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from path import compiled, records, run_script

from specc.collate.pipeline import collate_data

BUSY_S = 4
SPEC = f"""\
schema_version: 1
name: beside-others
kind: command
matrix:
  axes: {{n: [1]}}
settings:
  argv:
    - python3
    - -c
    - |
      import time
      end, rounds = time.monotonic() + {BUSY_S}, 0
      while time.monotonic() < end:
          rounds += 1
      print('{{"rounds": %d}}' % rounds)
  metrics:
    rounds: {{from: json_lines, unit: "1", better: higher, definition: turns of a loop}}
task: {{cpus: 1, memory: 64MiB, estimate: 5s, time_limit: 60s}}
job: {{time_limit: 10min}}
"""
LOOP = "print(flush=True)\nwhile True: pass"


@contextmanager
def busy_strangers(count: int) -> Iterator[None]:
    """Keep processes busy that no launch knows of."""
    loops = [
        subprocess.Popen([sys.executable, "-c", LOOP], stdout=subprocess.PIPE) for _ in range(count)
    ]
    try:
        for loop in loops:
            assert loop.stdout is not None
            loop.stdout.readline()
        yield
    finally:
        for loop in loops:
            assert loop.stdout is not None
            loop.kill()
            loop.wait()
            loop.stdout.close()


@contextmanager
def a_fifth_of_a_cpu() -> Iterator[Path]:
    """Make a control group that may use a fifth of a CPU; the file that takes processes into it."""
    groups = Path("/sys/fs/cgroup")
    first = groups / "cpu"
    folder = (first if first.is_dir() else groups) / f"specc-test-{os.getpid()}"
    try:
        folder.mkdir()
        if first.is_dir():
            (folder / "cpu.cfs_quota_us").write_text("20000")
        else:
            (folder / "cpu.max").write_text("20000 100000")
    except OSError as error:
        if folder.is_dir():
            folder.rmdir()
        pytest.skip(f"no control group can be made here: {error}")
    try:
        yield folder / "cgroup.procs"
    finally:
        end = time.monotonic() + 10
        while (folder / "cgroup.procs").read_text() and time.monotonic() < end:
            time.sleep(0.05)
        folder.rmdir()


def judged(bundle: Path, out: Path) -> dict[str, Any]:
    found: dict[str, Any] = collate_data([bundle], out).summary["cells"][0]["metrics"]["rounds"]
    return found


def test_busy_strangers_contaminate_and_their_absence_does_not(tmp_path: Path) -> None:
    bundle = compiled(tmp_path, SPEC)
    cpus = len(os.sched_getaffinity(0))
    with busy_strangers(2 * cpus):
        ended = run_script(bundle)
    assert ended.returncode == 0, ended.stderr
    (samples,) = (bundle / "results").glob("*/*/launch-*/hardware.jsonl")
    rows = [json.loads(line) for line in samples.read_text().splitlines()]
    rows = [row for row in rows if row["counters"] is not None]

    disturbed = judged(bundle, tmp_path / "disturbed")
    assert disturbed["verdict"] == "CONTAMINATED"
    assert f"of {cpus} CPUs busy while this was timed (" in disturbed["verdict_reason"]
    assert "of them by this launch)" in disturbed["verdict_reason"]

    (process,) = records(bundle, "process")
    own_s = rows[-1]["counters"]["own_cpu_s"] - rows[0]["counters"]["own_cpu_s"]
    used_s = process["user_s"] + process["system_s"]
    # beside the task the launch has the pool, and the task began before the first sample or later
    assert 0.5 * used_s <= own_s <= used_s + 1.0

    for before, row in pairwise(rows):
        seconds = (row["t_ns"] - before["t_ns"]) / 1e9
        own_s = row["counters"]["own_cpu_s"] - before["counters"]["own_cpu_s"]
        row["cpu_util_pct"] = min(100.0, 100 * own_s / seconds / cpus + 2)
    samples.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert judged(bundle, tmp_path / "alone")["verdict"] != "CONTAMINATED"


def test_a_cpu_limit_that_stops_the_work_is_named(tmp_path: Path) -> None:
    bundle = compiled(tmp_path, SPEC)
    with a_fifth_of_a_cpu() as processes:
        enter = f"echo $$ > {processes} && exec bash job.sbatch --here"
        ended = subprocess.run(
            ["bash", "-c", enter], cwd=bundle, capture_output=True, text=True, timeout=120
        )
    assert ended.returncode == 0, ended.stderr
    limited = judged(bundle, tmp_path / "out")
    assert limited["verdict"] == "CONTAMINATED"
    assert "the CPU limit of the control group stopped the job in" in limited["verdict_reason"]
