"""Memory and control groups on fake trees, and on the machine the tests run on."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from fakes.fake_sysfs import V1_MOUNT, V2_MOUNT, a_process, write

from specc_runtime.sensors import base, cgroup, clock, memory
from specc_runtime.sensors.base import Unavailable, Value

MIB = 1 << 20


def a_memory(root: Path, cgroup_line: str, mount: str) -> memory.Memory:
    a_process(root / "proc", "self", cgroup=cgroup_line, mountinfo=mount)
    sensor = memory.open(proc_root=f"{root}/proc", sysfs_root=f"{root}/sys")
    assert isinstance(sensor, memory.Memory)
    return sensor


def a_v2_job(root: Path) -> Path:
    job = root / "sys/fs/cgroup/system.slice/job_7"
    step = job / "step_0"
    write(job / "memory.max", 8 * MIB)
    write(step / "memory.max", "max")
    write(step / "memory.peak", 5 * MIB)
    write(step / "memory.events", "low 0\nhigh 0\nmax 3\noom 1\noom_kill 2")
    write(job / "cpu.max", "150000 100000")
    return step


def test_kib_of_proc_status_become_bytes(tmp_path):
    sensor = a_memory(tmp_path, "0::/", V2_MOUNT)
    assert sensor.rss_bytes() == Value(1000 * 1024, None)
    assert sensor.rss_peak_bytes() == Value(2000 * 1024, None)


def test_version_2_peak_limit_and_kills_come_from_the_step_and_its_job(tmp_path):
    a_v2_job(tmp_path)
    sensor = a_memory(tmp_path, "0::/system.slice/job_7/step_0", V2_MOUNT)
    assert sensor.cgroup_peak_bytes().value == 5 * MIB
    assert sensor.cgroup_limit_bytes().value == 8 * MIB
    assert sensor.oom_kills().value == 2


def test_version_1_peak_limit_and_kills(tmp_path):
    group = tmp_path / "sys/fs/cgroup/memory/slurm/job_7"
    write(group / "memory.max_usage_in_bytes", 6 * MIB)
    write(group / "memory.limit_in_bytes", 9 * MIB)
    write(group.parent / "memory.limit_in_bytes", 9223372036854771712)
    write(group / "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1")
    sensor = a_memory(tmp_path, "4:memory:/slurm/job_7\n0::/", V1_MOUNT + "\n" + V2_MOUNT)
    assert sensor.cgroup_peak_bytes().value == 6 * MIB
    assert sensor.cgroup_limit_bytes().value == 9 * MIB
    assert sensor.oom_kills().value == 1


def test_no_limit_is_no_number(tmp_path):
    group = tmp_path / "sys/fs/cgroup/memory/a"
    write(group / "memory.limit_in_bytes", 9223372036854771712)
    sensor = a_memory(tmp_path, "4:memory:/a", V1_MOUNT)
    assert sensor.cgroup_limit_bytes() == Value(None, "no limit is set")


def test_a_group_without_the_files_says_which_is_missing(tmp_path):
    group = tmp_path / "sys/fs/cgroup/a"
    group.mkdir(parents=True)
    sensor = a_memory(tmp_path, "0::/a", V2_MOUNT)
    assert sensor.cgroup_peak_bytes() == Value(None, f"no memory.peak in {group} or above")
    assert sensor.cgroup_limit_bytes() == Value(None, f"no memory.max in {group} or above")
    assert sensor.oom_kills() == Value(None, f"no memory.events in {group} or above")


def test_the_root_group_of_version_1_counts_nothing_and_is_missing(tmp_path):
    path = write(tmp_path / "sys/fs/cgroup/memory/memory.max_usage_in_bytes", 0)
    sensor = a_memory(tmp_path, "4:memory:/", V1_MOUNT)
    assert sensor.cgroup_peak_bytes() == Value(None, f"{path} is not accounted")


def test_an_old_kernel_without_kill_counter_says_so(tmp_path):
    path = write(tmp_path / "sys/fs/cgroup/memory/memory.oom_control", "under_oom 0")
    sensor = a_memory(tmp_path, "4:memory:/", V1_MOUNT)
    assert sensor.oom_kills().reason == f"{path} has no oom_kill counter (kernel before 4.13)"


def test_a_container_sees_its_group_below_the_mounts_root(tmp_path):
    write(tmp_path / "sys/fs/cgroup/inner/memory.peak", 4 * MIB)
    mount = V2_MOUNT.replace(" / /sys", " /docker/abc /sys")
    sensor = a_memory(tmp_path, "0::/docker/abc/inner", mount)
    assert sensor.cgroup_peak_bytes().value == 4 * MIB


@pytest.mark.parametrize("path", ["/../elsewhere", "/gone"])
def test_a_group_that_cannot_be_seen_falls_back_to_the_mount(tmp_path, path):
    write(tmp_path / "sys/fs/cgroup/memory.peak", 3 * MIB)
    sensor = a_memory(tmp_path, f"0::{path}", V2_MOUNT)
    assert sensor.cgroup_peak_bytes().value == 3 * MIB


def test_a_path_outside_the_mounts_root_falls_back_to_the_mount(tmp_path):
    write(tmp_path / "sys/fs/cgroup/memory.peak", 3 * MIB)
    sensor = a_memory(tmp_path, "0::/other", V2_MOUNT.replace(" / /sys", " /docker/abc /sys"))
    assert sensor.cgroup_peak_bytes().value == 3 * MIB


def test_a_hierarchy_that_is_not_mounted_is_a_reason_for_each_reading(tmp_path):
    sensor = a_memory(tmp_path, "4:memory:/a", "short line")
    missing = Value(None, "the version 1 hierarchy is not mounted")
    assert sensor.cgroup_peak_bytes() == missing
    assert sensor.cgroup_limit_bytes() == missing
    assert sensor.oom_kills() == missing


def test_a_kernel_without_groups_is_unavailable(tmp_path):
    write(tmp_path / "self/cgroup", "9:cpu:/")
    group = cgroup.find("memory", proc_root=str(tmp_path))
    reason = f"{tmp_path}/self/cgroup names no group for memory"
    assert group == Unavailable("cgroup", reason)
    assert isinstance(cgroup.find("memory", proc_root="/nowhere"), Unavailable)


def test_a_cpu_quota_is_a_number_of_cpus(tmp_path):
    a_v2_job(tmp_path)
    a_process(tmp_path, "self", cgroup="0::/system.slice/job_7/step_0", mountinfo=V2_MOUNT)
    group = cgroup.find("cpu", proc_root=str(tmp_path), sysfs_root=f"{tmp_path}/sys")
    assert isinstance(group, cgroup.Cgroup)
    assert cgroup.cpu_quota(group).value == 1.5


def test_a_version_1_cpu_quota_is_a_number_of_cpus(tmp_path):
    write(tmp_path / "cpu.cfs_quota_us", 50_000)
    write(tmp_path / "cpu.cfs_period_us", 100_000)
    group = cgroup.Cgroup(1, "/", str(tmp_path), str(tmp_path))
    assert cgroup.cpu_quota(group).value == 0.5


def test_without_a_status_file_there_is_no_sensor(tmp_path):
    sensor = memory.open(proc_root=str(tmp_path))
    expected = f"{tmp_path}/self/status: No such file or directory"
    assert sensor == Unavailable("memory", expected)


def test_a_process_that_ended_gives_reasons(tmp_path):
    sensor = a_memory(tmp_path, "0::/", V2_MOUNT)
    (tmp_path / "proc/self/status").unlink()
    peaks = sensor.peaks()
    assert peaks["rss_peak_bytes"] is None
    assert "No such file" in peaks["rss_peak_bytes_reason"]


def test_a_status_without_the_field_says_so(tmp_path):
    sensor = a_memory(tmp_path, "0::/", V2_MOUNT)
    status = write(tmp_path / "proc/self/status", "Name:\tx")
    assert sensor.rss_bytes() == Value(None, f"{status} has no VmRSS")


def test_the_peak_can_be_reset_after_warm_up_on_this_machine():
    sensor = memory.open()
    assert isinstance(sensor, memory.Memory)
    ballast = bytearray(64 * MIB)
    ballast[::4096] = b"x" * len(ballast[::4096])
    high = sensor.rss_peak_bytes().value
    del ballast
    reason = sensor.reset_peak()
    low = sensor.rss_peak_bytes().value
    if reason is not None:
        pytest.skip(f"VmHWM cannot be reset here: {reason}")
    assert high is not None
    assert low is not None
    assert low < high - 48 * MIB


def test_a_reset_that_is_not_allowed_is_a_reason(tmp_path):
    assert "No such file" in str(a_memory(tmp_path, "0::/", V2_MOUNT).reset_peak())


def test_a_reset_that_changes_nothing_is_found_out(tmp_path):
    sensor = a_memory(tmp_path, "0::/", V2_MOUNT)
    write(tmp_path / "proc/self/clear_refs", "")
    assert sensor.reset_peak() == "the kernel took the request but left VmHWM where it was"


def test_the_rss_of_this_process_agrees_with_statm():
    sensor = memory.open()
    assert isinstance(sensor, memory.Memory)
    statm = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    assert sensor.rss_bytes().value == pytest.approx(statm, rel=0.1)


def test_an_anchor_ties_monotonic_time_to_wall_time():
    first = clock.anchor()
    time.sleep(0.02)
    assert abs(clock.drift_ns(first)) < 5_000_000
    assert first.as_dict() == {"t_ns": first.t_ns, "epoch_ns": first.epoch_ns}
    assert abs(first.epoch_ns - time.time_ns()) < 5_000_000_000


def test_the_clock_is_described_with_its_source(tmp_path):
    folder = tmp_path / "devices/system/clocksource/clocksource0"
    write(folder / "current_clocksource", "tsc")
    described = clock.describe(str(tmp_path))
    assert (described["source"], described["resolution_ns"]) == ("tsc", 1)
    assert 0 < described["observed_resolution_ns"] < 1_000_000


@pytest.mark.parametrize(
    ("text", "cpus"), [("0-3,8", [0, 1, 2, 3, 8]), ("5", [5]), ("", []), ("x-y", [])]
)
def test_cpu_lists_are_read_as_the_kernel_writes_them(text, cpus):
    assert base.parse_cpu_list(text) == cpus
    if cpus:
        assert base.format_cpu_list(cpus) == text


def test_an_open_file_that_vanished_gives_a_reason_and_comes_back(tmp_path):
    path = tmp_path / "value"
    file = base.OpenFile(str(path))
    assert file.read() == (None, f"{path}: No such file or directory")
    path.write_text("1")
    assert file.read().text == "1"
    path.write_text("2")
    assert file.read().text == "2"
    file.close()
