"""The sampling process: its rows, its end, and sensors that vanish under it."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from fakes.fake_nvml import FakeDevice, FakeNvml
from fakes.fake_sysfs import write

from specc_runtime.sensors import load, processes, sampler

ROOT = Path(sampler.__file__).parents[2]
A = "GPU-aaaaaaaa-1111"


def until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def rows_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_rows_have_the_fields_of_the_contract(tmp_path):
    path = tmp_path / "hardware.jsonl"
    handle = sampler.start(str(path), 0.05, os.getpid())
    until(lambda: path.exists() and path.read_text().count("\n") > 2)
    handle.stop()
    rows = rows_of(path)
    names = ["t_ns", "epoch_ns", "cpu_util_pct", "memory_available_bytes", "rss_bytes", "gpus"]
    assert list(rows[0])[:6] == names
    assert all(row["rss_bytes"] > 1 << 20 for row in rows)
    assert [row["t_ns"] for row in rows] == sorted(row["t_ns"] for row in rows)
    assert abs(rows[-1]["t_ns"] - time.monotonic_ns()) < 60e9


def test_rows_not_yet_written_are_written_at_the_stop(tmp_path):
    path = tmp_path / "hardware.jsonl"
    handle = sampler.start(str(path), 0.02, os.getpid())
    until(lambda: path.exists() and path.stat().st_size > 0)
    before = len(rows_of(path))
    time.sleep(0.3)
    handle.stop()
    assert len(rows_of(path)) > before


def test_it_ends_when_its_parent_is_killed(tmp_path):
    path = tmp_path / "hardware.jsonl"
    code = (
        "import sys, time\nfrom specc_runtime.sensors import sampler\nimport os\n"
        "print(sampler.start(sys.argv[1], 60.0, os.getpid()).pid, flush=True)\ntime.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    until(lambda: path.exists() and path.stat().st_size > 0)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until(lambda: has_ended(pid), seconds=5)


def test_the_end_of_the_thread_that_started_it_does_not_end_it(tmp_path):
    path = tmp_path / "hardware.jsonl"
    handles = []
    thread = threading.Thread(
        target=lambda: handles.append(sampler.start(str(path), 0.05, os.getpid()))
    )
    thread.start()
    thread.join()
    until(lambda: path.exists() and path.stat().st_size > 0)
    size = path.stat().st_size
    until(lambda: path.stat().st_size > size)
    handles[0].stop()


def test_ctrl_c_does_not_end_it(tmp_path):
    path = tmp_path / "hardware.jsonl"
    handle = sampler.start(str(path), 0.05, os.getpid())
    until(lambda: path.exists() and path.stat().st_size > 0)
    assert handle.pid is not None
    os.kill(handle.pid, signal.SIGINT)
    size = path.stat().st_size
    until(lambda: path.stat().st_size > size)
    handle.stop()


def test_a_sampler_that_cannot_start_gives_a_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    handle = sampler.start(str(tmp_path / "x"), 1.0, os.getpid())
    handle.stop()
    assert handle.pid is None
    assert handle.reason == "/no/such/python: No such file or directory"


def test_a_sampler_that_does_not_stop_is_killed(monkeypatch):
    monkeypatch.setattr(sampler, "STOP_TIMEOUT_S", 0.2)
    code = "import signal; signal.signal(15, 1); print(flush=True); signal.pause()"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    sampler.Sampler(process, None).stop()
    process.stdout.close()
    assert process.returncode == -9


def test_a_gpu_that_is_lost_is_said_once_and_its_rows_go_on(monkeypatch):
    monkeypatch.setattr(sampler, "GPU_EVERY_NS", 0)
    device = FakeDevice(A)
    rows = sampler.Rows(os.getpid(), nvml_module=FakeNvml([device]))
    first = rows.sample()
    device.lost = True
    second, third = rows.sample(), rows.sample()
    assert first["gpus"][0]["power_w"] == 250.0
    assert second["gpus"][0]["power_w"] is None
    lost = [s for s in second["unavailable"] if s["sensor"] == f"nvml {A}"]
    assert "GPU is lost" in lost[0]["reason"]
    assert not [s for s in third.get("unavailable", []) if s["sensor"] == f"nvml {A}"]


def test_gpus_are_read_twice_a_second_at_most():
    rows = sampler.Rows(os.getpid(), nvml_module=FakeNvml([FakeDevice(A)]))
    assert rows.sample()["gpus"] is not None
    assert rows.sample()["gpus"] is None


def test_only_the_devices_of_the_job_are_sampled(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,9")
    rows = sampler.Rows(os.getpid(), nvml_module=FakeNvml([FakeDevice(A), FakeDevice("GPU-b")]))
    assert [gpu["uuid"] for gpu in rows.sample()["gpus"]] == ["GPU-b"]


def test_rows_wait_while_the_disk_is_full_and_none_is_torn(tmp_path, monkeypatch):
    path = tmp_path / "rows"
    file = sampler.RowFile(str(path))
    write_really = os.write
    left = [5]

    def full_disk(fd: int, data: bytes) -> int:
        if left[0] == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        count, left[0] = min(left[0], len(data)), 0
        return write_really(fd, data[:count])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full_disk)
        file.add({"t_ns": 1})
        file.add({"t_ns": 2})
        file.write()
    file.close()
    assert rows_of(path) == [{"t_ns": 1}, {"t_ns": 2}]


def test_a_disk_that_stays_full_costs_bounded_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(sampler, "MAX_WAITING_BYTES", 35)
    path = tmp_path / "rows"
    file = sampler.RowFile(str(path))
    file._written_ns = time.monotonic_ns()
    for number in range(10):
        file.add({"t_ns": number})
    file.close()
    assert rows_of(path) == [{"t_ns": 0}, {"t_ns": 1}, {"t_ns": 2}]


def test_the_memory_of_children_counts_and_the_left_out_one_does_not():
    code = "x = bytearray(64 << 20); x[::4096] = b'x' * len(x[::4096]); print(flush=True); input()"
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdin is not None
    child.stdout.readline()
    tree, without = (
        processes.ProcessTree(os.getpid()),
        processes.ProcessTree(os.getpid(), without=child.pid),
    )
    both, alone = tree.rss_bytes().value, without.rss_bytes().value
    assert child.pid in tree.pids
    child.communicate(b"\n")
    tree.refresh()
    assert child.pid not in tree.pids
    tree.close()
    without.close()
    assert both is not None
    assert alone is not None
    assert both - alone > 60 << 20


def test_a_process_that_has_ended_has_no_memory_rather_than_zero():
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    value = processes.ProcessTree(child.pid).rss_bytes()
    assert value.value is None
    assert "No such file" in str(value.reason)


STAT = (
    "cpu  1 1 1 1 1 1 1 1 0 0\ncpu0 {0} 0 0 {1} 0 0 0 0 0 0\ncpu1 900 0 0 0 0 0 0 0 0 0\nintr 5\n"
)


def a_load(root: Path) -> load.Load:
    write(root / "stat", STAT.format(100, 100))
    return load.Load(str(root), cpus=[0])


def test_utilisation_is_that_of_our_cpus_since_the_last_sample(tmp_path):
    sensor = a_load(tmp_path)
    write(tmp_path / "stat", STAT.format(130, 170))
    assert sensor.cpu_util_pct().value == 30.0
    sensor.close()


def test_counters_that_stand_still_are_missing(tmp_path):
    value = a_load(tmp_path).cpu_util_pct()
    assert value == (None, "the kernel's counters did not move since the last sample")


def test_cpus_the_kernel_does_not_show_are_missing(tmp_path):
    sensor = a_load(tmp_path)
    write(tmp_path / "stat", "intr 5")
    missing = (None, "the kernel's stat file shows none of our CPUs")
    assert sensor.cpu_util_pct() == missing
    write(tmp_path / "stat", STAT.format(1, 1))
    assert sensor.cpu_util_pct() == missing


def test_a_load_without_files_is_missing(tmp_path):
    sensor = load.Load(str(tmp_path), cpus=[0])
    assert sensor.cpu_util_pct().value is None
    reason = f"{tmp_path}/meminfo: No such file or directory"
    assert sensor.memory_available_bytes() == (None, reason)
    write(tmp_path / "meminfo", "MemTotal: 1 kB")
    assert sensor.memory_available_bytes() == (None, "the kernel shows no MemAvailable")
