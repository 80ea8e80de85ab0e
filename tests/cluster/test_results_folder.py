"""Results on a disk that is full, read-only or slow.

A small tmpfs is full when it is written to. What only other file systems say (no room at fsync or
at close, as over a network) is said by strace in their place, to the real runtime in a real job.
"""

from __future__ import annotations

import csv
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from jobs import SUMS, awaited, compiled, events, shell, specc, submitted, totals
from slurm import Element, Slurm

from specc_runtime.contract.tasks import read_tasks

SHARD = "1-cpu-0000"
DONE = {0: Element("COMPLETED", 0)}
AGAIN = {0: Element("FAILED", 75)}
ONE_SHARD = SUMS.replace("estimate: 1min", "estimate: 1s")
# each task prints about 400 kB of rows before its sum
ROWS = """for n in $(seq 4000); do echo '{"total": 5}'; done; echo "{"""
MANY_ROWS = ONE_SHARD.replace('echo "{', ROWS, 1)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return compiled(tmp_path, ONE_SHARD)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for the rows of one task, but not of three."""
    folder = tmp_path / "small disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        pytest.skip(f"mounting a small disk needs root: {ended.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def python_under_strace(folder: Path, *options: str) -> str:
    """Write an interpreter whose system calls meet what `options` of strace inject."""
    if shutil.which("strace") is None:
        assert os.environ.get("CI") != "true", "strace is missing: make test-deps"
        pytest.skip("strace is not installed: make test-deps")
    words = ["strace", "-f", "-qq", "-o", str(folder / "trace"), *options, sys.executable]
    script = folder / "python3"
    script.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    return str(script)


def injected(folder: Path) -> int:
    """Count the calls that strace answered in the kernel's place."""
    return (folder / "trace").read_text(encoding="utf-8").count("(INJECTED)")


def log_of(bundle: Path, job: str) -> str:
    return (bundle / f"slurm-{job}_0.out").read_text(encoding="utf-8")


def told(bundle: Path, launch: int, event: str) -> list[str]:
    """Return the tasks that a launch told this of, in its order."""
    return [e["task_id"] for e in events(bundle, SHARD, launch) if e["event"] == event]


def resumed(slurm: Slurm, bundle: Path) -> None:
    """Go on with a run, which must complete."""
    (job,) = submitted(slurm, bundle, "--resume")
    assert awaited(slurm, job) == DONE, log_of(bundle, job)


def sums(bundle: Path, tmp_path: Path) -> list[float]:
    """Return what collate takes each task to have measured, in the end."""
    specc("collate", bundle, "--out", tmp_path / "report")
    with (tmp_path / "report/tables/metrics.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "total"]
    # of one that printed many it is the last
    return sorted({row["task_id"]: float(row["value"]) for row in rows}.values())


def test_no_room_to_write_stops_the_shard_and_room_lets_it_go_on(
    slurm: Slurm, tmp_path: Path, small_disk: Path
) -> None:
    bundle = compiled(tmp_path, MANY_ROWS)
    (bundle / "results").symlink_to(small_disk)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(2_000_000))
    (job,) = submitted(slurm, bundle)
    ended = awaited(slurm, job)
    failed = [e["category"] for e in events(bundle, SHARD) if e["event"] == "task_failed"]
    assert (ended, failed) == (AGAIN, ["disk"])
    assert "the disk is full" in log_of(bundle, job)
    ballast.unlink()
    resumed(slurm, bundle)
    assert sums(bundle, tmp_path) == [11, 12, 13]


def test_no_room_at_fsync_is_no_success_and_lost_rows_are_measured_again(
    slurm: Slurm, bundle: Path, tmp_path: Path
) -> None:
    # the first two calls bring launch.json and the lease to the disk
    python = python_under_strace(tmp_path, "-einject=fsync,fdatasync:error=ENOSPC:when=3+")
    (job,) = submitted(slurm, bundle, SPECC_PYTHON=python)
    assert awaited(slurm, job) == AGAIN
    assert injected(tmp_path) > 0
    assert "No space left on device" in log_of(bundle, job)
    (rows,) = (bundle / f"results/r1/{SHARD}/launch-001").glob("records.*.jsonl")
    os.truncate(rows, rows.stat().st_size - 10)
    # how many there are depends on when the disk is first asked; the cut took the rows of the last
    *kept, _ = told(bundle, 1, "task_completed")
    resumed(slurm, bundle)
    assert told(bundle, 2, "task_reused") == kept
    tasks = {row.task_id for row in read_tasks(bundle)}
    assert sorted(told(bundle, 2, "task_completed")) == sorted(tasks.difference(kept))
    assert sums(bundle, tmp_path) == [11, 12, 13]


@pytest.mark.parametrize("name", ["records.0.0.jsonl", "events.jsonl"])
def test_no_room_at_close_is_no_success(
    slurm: Slurm, bundle: Path, tmp_path: Path, name: str
) -> None:
    path = bundle / "results/r1" / SHARD / "launch-001" / name
    python = python_under_strace(tmp_path, f"-P{path}", "-einject=close:error=ENOSPC")
    (job,) = submitted(slurm, bundle, SPECC_PYTHON=python)
    assert awaited(slurm, job) == AGAIN
    assert injected(tmp_path) > 0
    assert "No space left on device" in log_of(bundle, job)
    # what each task has measured was written before
    assert [e["event"] for e in events(bundle, SHARD)].count("task_completed") == 3
    resumed(slurm, bundle)
    assert totals(bundle) == [11, 12, 13]


def test_a_broken_disk_is_no_success(slurm: Slurm, bundle: Path, tmp_path: Path) -> None:
    python = python_under_strace(tmp_path, "-einject=fsync,fdatasync:error=EIO:when=3+")
    (job,) = submitted(slurm, bundle, SPECC_PYTHON=python)
    assert awaited(slurm, job) == AGAIN
    assert "Input/output error" in log_of(bundle, job)
    resumed(slurm, bundle)
    assert totals(bundle) == [11, 12, 13]


def test_a_slow_disk_slows_the_shard_down_and_no_more(
    slurm: Slurm, bundle: Path, tmp_path: Path
) -> None:
    # a tenth of a second for each
    python = python_under_strace(tmp_path, "-einject=fsync,fdatasync,write:delay_enter=100000")
    (job,) = submitted(slurm, bundle, SPECC_PYTHON=python)
    assert awaited(slurm, job, seconds=60) == DONE, log_of(bundle, job)
    assert totals(bundle) == [11, 12, 13]


@pytest.fixture
def theirs(tmp_path: Path) -> Iterator[Path]:
    """A folder that may not be written to, by root neither."""
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o555)
    words = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)]
    mounted = subprocess.run(words, capture_output=True, check=False).returncode == 0
    if not mounted and os.geteuid() == 0:
        pytest.skip("a root that may not mount may write everywhere")
    yield folder
    if mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_results_that_nobody_may_write_are_said_before_a_task_starts(
    slurm: Slurm, bundle: Path, theirs: Path
) -> None:
    environment = {"SPECC_RESULTS": str(theirs)}
    ended = shell(slurm, "sbatch", "--parsable", "job.sbatch", cwd=bundle, **environment)
    job = ended.stdout.strip()
    assert awaited(slurm, job) == {0: Element("FAILED", 2)}
    assert "give SPECC_RESULTS a folder that you may read and write" in log_of(bundle, job)


def test_results_that_nobody_may_write_keep_submit_from_submitting(
    slurm: Slurm, bundle: Path, theirs: Path
) -> None:
    before = slurm.ask("squeue", "-h", "-t", "all", "-o", "%A")
    ended = shell(slurm, "./submit.sh", cwd=bundle, SPECC_RESULTS=str(theirs))
    assert (ended.returncode != 0, str(theirs) in ended.stderr) == (True, True), ended.stderr
    assert slurm.ask("squeue", "-h", "-t", "all", "-o", "%A") == before
