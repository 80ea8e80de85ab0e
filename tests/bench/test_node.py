"""The node: what a task, a record and a sample cost beside the work itself."""

from __future__ import annotations

import os
import re
import resource
import shutil
import time
from pathlib import Path

import pytest
from measure import a_bundle, cost

from specc_runtime.books.records import RecordWriter

_METADATA = re.compile(
    r"\b(open|openat|openat2|creat|mkdir|mkdirat|rename|renameat|renameat2|unlink|unlinkat|rmdir|link|linkat|"
    r"symlink|symlinkat|stat|lstat|newfstatat|statx|access|faccessat2?|chmod|fchmodat|utimensat|truncate|readlink|readlinkat)\("
)


def _program_cpu_s(times: int) -> float:
    """Return the CPU time of starting the bench's program so often, by the plainest means."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(times):
        os.waitpid(os.posix_spawn("/bin/true", ["/bin/true"], os.environ), 0)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


def test_cpu_time_of_a_task(benchmark, figure, tmp_path: Path) -> None:
    few, many = a_bundle(tmp_path / "few", 10), a_bundle(tmp_path / "many", 210)
    small = cost("bash", "job.sbatch", "--here", cwd=few)
    large = benchmark.pedantic(
        cost, args=("bash", "job.sbatch", "--here"), kwargs={"cwd": many}, rounds=1
    )
    own_s = (large.cpu_s - small.cpu_s - _program_cpu_s(200)) / 200
    figure(
        "our own CPU time for one `command` task",
        f"{own_s * 1e3:.1f} ms ({(large.wall_s - small.wall_s) / 200 * 1e3:.1f} ms wall)",
        "<= 25 ms",
    )
    figure(
        "a launch with 10 tasks, start to end", f"{small.wall_s:.2f} s, {small.cpu_s:.2f} s CPU", ""
    )


def test_cost_of_a_record(benchmark, figure, tmp_path: Path) -> None:
    fd = os.open(tmp_path / "records.0.0.jsonl", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    head = {"task_id": "0" * 16, "attempt": 1}
    writer = RecordWriter(
        fd, launch="1-cpu-0000/launch-001", file="records.0.0.jsonl", offset=0, head=head
    )
    fields = {
        "pass": "latency",
        "phase": "steady",
        "index": 17,
        "duration_ns": 1234567,
        "samples": 8,
    }

    def write() -> None:
        for _ in range(10_000):
            writer.write("batch", fields)

    benchmark.pedantic(write, rounds=5, warmup_rounds=1)
    figure("a record with its flush", f"{benchmark.stats.stats.min / 1e4 * 1e6:.1f} us", "<= 5 us")


def test_sampling_at_10_hz(benchmark, figure, tmp_path: Path) -> None:
    from specc_runtime.sensors import sampler

    started = sampler.start(str(tmp_path / "hardware.jsonl"), 0.1, os.getpid())
    assert started.pid is not None
    time.sleep(1.0)  # imports and the first sample are no part of the rate
    before = _cpu_ticks(started.pid)
    benchmark.pedantic(time.sleep, args=(4.0,), rounds=1)
    used_s = (_cpu_ticks(started.pid) - before) / os.sysconf("SC_CLK_TCK")
    started.stop()
    figure("sampling at 10 Hz", f"{used_s / 4.0 * 100:.1f} % of a core", "<= 1 %")


def _cpu_ticks(pid: int) -> int:
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(parts[11]) + int(parts[12])


@pytest.mark.skipif(
    shutil.which("strace") is None and os.environ.get("CI") != "true",
    reason="strace is not installed: make test-deps",
)
def test_metadata_operations(benchmark, figure, tmp_path: Path) -> None:
    counts = {}
    for points in (10, 60):
        bundle = a_bundle(tmp_path / str(points), points)
        trace = tmp_path / f"{points}.trace"
        command = [
            "strace",
            "-f",
            "-qq",
            "-y",
            "-e",
            "trace=%file",
            "-o",
            trace,
            "bash",
            "job.sbatch",
            "--here",
        ]
        if points == 60:
            benchmark.pedantic(cost, args=tuple(command), kwargs={"cwd": bundle}, rounds=1)
        else:
            cost(*command, cwd=bundle)
        lines = trace.read_text(errors="replace").splitlines()
        counts[points] = sum("/results" in line and bool(_METADATA.search(line)) for line in lines)
    per_task = (counts[60] - counts[10]) / 50
    figure("metadata operations on results per task", f"{per_task:.1f}", "<= 10")
    per_launch = counts[10] - 10 * per_task
    figure("metadata operations on results per launch", f"{per_launch:.0f}", "<= 500")
    # none at all would mean that nothing was traced
    assert 0 < per_task <= 10
    assert 0 < per_launch <= 500
