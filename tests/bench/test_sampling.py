"""What sampling costs: CPU time of the sampling process, as the kernel counts it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from specc_runtime.sensors import sampler

MAX_SHARE_OF_A_CORE = 0.01
SECONDS = 4.0


def cpu_s(pid: int) -> float:
    """CPU time of the process so far [s]; schedstat counts in ns, where stat counts in 10 ms."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def test_ten_samples_a_second_cost_at_most_one_percent_of_a_core(tmp_path, record_property):
    path = tmp_path / "hardware.jsonl"
    handle = sampler.start(str(path), 0.1, os.getpid())
    assert handle.pid is not None
    while not path.exists() or not path.stat().st_size:
        time.sleep(0.05)
    start, start_s = cpu_s(handle.pid), time.monotonic()
    time.sleep(SECONDS)
    share = (cpu_s(handle.pid) - start) / (time.monotonic() - start_s)
    handle.stop()
    record_property("share_of_a_core", share)
    assert len(path.read_text().splitlines()) >= 10 * SECONDS * 0.8
    assert share <= MAX_SHARE_OF_A_CORE


def test_one_sample_takes_little_cpu_time(benchmark):
    rows = sampler.Rows(os.getpid())
    benchmark(rows.sample)


def test_one_sample_with_all_counters_takes_at_most_one_percent_of_its_second(
    benchmark, monkeypatch
):
    monkeypatch.setattr(sampler, "REFRESH_EVERY_NS", 0)
    rows = sampler.Rows(os.getpid())

    def cpu_of_one() -> float:
        start = time.process_time()
        rows.sample()
        return time.process_time() - start

    assert sorted(cpu_of_one() for _ in range(50))[25] <= MAX_SHARE_OF_A_CORE
    benchmark(rows.sample)
