"""The counters of hardware.jsonl: on fake trees of machines we lack, and on this one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from fakes.fake_sysfs import V2_MOUNT, write

from specc_runtime.contract.samples import check_sample
from specc_runtime.sensors import sampler
from specc_runtime.sensors.counters import Counters
from specc_runtime.sensors.group_counters import GroupCounters
from specc_runtime.sensors.own_use import OwnUse
from specc_runtime.sensors.pressure import Pressure, Swapping
from specc_runtime.sensors.processes import ProcessTree
from specc_runtime.sensors.traffic import Disks, Networks, Segments

V1_MOUNTS = "\n".join(
    f"{n} 31 0:32 / /sys/fs/cgroup/{name} rw - cgroup cgroup rw,{name}"
    for n, name in enumerate(("memory", "cpu", "cpuacct"), start=35)
)


def a_stat(
    proc: Path,
    pid: int,
    *,
    ticks: int = 0,
    children: int = 0,
    faults: int = 0,
    threads: int = 1,
    thread: int | None = None,
) -> None:
    """Write /proc/<pid>/stat, or that of one thread of it."""
    fields = ["S", *["1"] * 8, faults, 0, ticks, 0, children, 0, 20, 0, threads, 0, 9]
    folder = proc / str(pid) if thread is None else proc / str(pid) / "task" / str(thread)
    write(folder / "stat", f"{pid} (a ) name) " + " ".join(map(str, fields)))


def a_tree(proc: Path, *pids: int) -> ProcessTree:
    """The tree of the first pid, with the others as its children."""
    write(proc / str(pids[0]) / "task" / str(pids[0]) / "children", " ".join(map(str, pids[1:])))
    return ProcessTree(pids[0], proc_root=str(proc))


def test_cpu_time_is_that_of_the_tree_and_of_children_waited_for(tmp_path):
    a_stat(tmp_path, 7, ticks=100, children=50)
    a_stat(tmp_path, 8, ticks=25)
    use = OwnUse(a_tree(tmp_path, 7, 8), 7, proc_root=str(tmp_path)).read()
    assert use.cpu_s.value == 1.75


def test_time_of_a_child_that_nobody_waited_for_is_kept(tmp_path):
    a_stat(tmp_path, 7, ticks=100)
    a_stat(tmp_path, 8, ticks=400, faults=3)
    tree = a_tree(tmp_path, 7, 8)
    own = OwnUse(tree, 7, proc_root=str(tmp_path))
    (tmp_path / "8" / "stat").unlink()
    write(tmp_path / "7/task/7/children", "")
    tree.refresh()
    a_stat(tmp_path, 7, ticks=150)
    use = own.read()
    # 1.5 s of the parent and the 4 s, of which the parent's own half second can't be told apart
    assert use.cpu_s.value == 5.0
    assert use.major_faults.value == 3
    assert own.read().cpu_s.value == 5.0


def test_a_root_that_has_ended_gives_a_reason(tmp_path):
    use = OwnUse(ProcessTree(7, proc_root=str(tmp_path)), 7, proc_root=str(tmp_path)).read()
    assert use.cpu_s == (None, f"{tmp_path}/7/stat can't be read")


def test_a_stat_of_another_shape_gives_a_reason(tmp_path):
    write(tmp_path / "7/stat", "7 (x) S 1")
    use = OwnUse(ProcessTree(7, proc_root=str(tmp_path)), 7, proc_root=str(tmp_path)).read()
    assert use.cpu_s.value is None


def test_a_tree_too_large_to_follow_is_missing_rather_than_low(tmp_path):
    for pid in range(7, 600):
        a_stat(tmp_path, pid, ticks=1)
    tree = a_tree(tmp_path, *range(7, 7 + 512))
    own = OwnUse(tree, 7, proc_root=str(tmp_path))
    assert own.read().cpu_s.value == 5.12
    write(tmp_path / "7/task/7/children", " ".join(map(str, range(8, 600))))
    tree.refresh()
    reason = "more than 512 processes, which are not all followed"
    assert own.read().cpu_s == (None, reason)
    tree.close()


def test_the_busiest_thread_of_a_busy_process_is_found(tmp_path):
    ticks_per_s = os.sysconf("SC_CLK_TCK")
    a_stat(tmp_path, 7, threads=2)
    tree = a_tree(tmp_path, 7)
    own = OwnUse(tree, 7, proc_root=str(tmp_path))

    def after_a_second(all_ticks: int, first: int, second: int) -> float | None:
        a_stat(tmp_path, 7, ticks=all_ticks, threads=2)
        a_stat(tmp_path, 7, thread=7, ticks=first)
        a_stat(tmp_path, 7, thread=9, ticks=second)
        own._t_ns = time.monotonic_ns() - 1_000_000_000
        return own.read().busiest_thread_pct.value

    after_a_second(ticks_per_s, ticks_per_s // 2, ticks_per_s // 2)
    shared = after_a_second(3 * ticks_per_s, ticks_per_s, 2 * ticks_per_s)
    assert shared == pytest.approx(100.0, abs=3)
    idle = after_a_second(3 * ticks_per_s + ticks_per_s // 5, ticks_per_s, 2 * ticks_per_s)
    assert idle == pytest.approx(20.0, abs=2)


def test_a_real_child_that_worked_counts_after_its_end_too():
    tree = ProcessTree(os.getpid())
    own = OwnUse(tree, os.getpid())
    before = own.read().cpu_s.value
    code = "import time\nwhile time.process_time() < 0.5: pass\nprint(flush=True); input()"
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    child.stdout.readline()
    tree.refresh()
    living = own.read().cpu_s.value
    child.communicate("\n")
    tree.refresh()
    ended = own.read().cpu_s.value
    assert before is not None
    assert living is not None
    assert ended is not None
    assert living - before >= 0.45
    assert ended >= living


def a_v2_group(root: Path) -> GroupCounters:
    job = root / "sys/fs/cgroup/job_7"
    step = job / "step_0"
    for folder in (job, step):
        write(folder / "cgroup.type", "domain")
    write(job / "cpu.max", "150000 100000")
    write(step / "cpu.max", "max 100000")
    write(job / "cpu.stat", "usage_usec 9\nnr_periods 40\nnr_throttled 12\nthrottled_usec 800000")
    write(step / "cpu.stat", "usage_usec 2500000\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0")
    write(job / "memory.max", 1 << 30)
    write(job / "memory.events", "low 0\nhigh 4\nmax 3\noom 1\noom_kill 2")
    write(step / "memory.events", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0")
    for name, total in (("cpu", 1_500_000), ("memory", 250_000), ("io", 0)):
        lines = [f"{share} avg10=0.00 avg60=0.00 avg300=0.00 total={total}" for share in
                 ("some", "full")]  # fmt: skip
        write(step / f"{name}.pressure", "\n".join(lines))
    write(root / "proc/self/cgroup", "0::/job_7/step_0")
    write(root / "proc/self/mountinfo", V2_MOUNT)
    return GroupCounters(proc_root=f"{root}/proc", sysfs_root=f"{root}/sys")


def test_version_2_counts_at_the_levels_that_limit(tmp_path):
    values = {name: value.value for name, value in a_v2_group(tmp_path).read().items()}
    assert values == {
        "cgroup_cpu_s": 2.5,
        "cgroup_cpu_periods": 40,
        "cgroup_cpu_throttled": 12,
        "cgroup_cpu_throttled_s": 0.8,
        "cgroup_memory_high": 4,
        "cgroup_memory_max": 3,
        "cgroup_oom_kills": 2,
        "cgroup_psi_cpu_some_s": 1.5,
        "cgroup_psi_memory_some_s": 0.25,
        "cgroup_psi_memory_full_s": 0.25,
        "cgroup_psi_io_some_s": 0.0,
        "cgroup_psi_io_full_s": 0.0,
    }


def test_version_1_counts_in_its_own_files_and_units(tmp_path):
    tree = tmp_path / "sys/fs/cgroup"
    write(tree / "cpuacct/job_7/cpuacct.usage", 2_500_000_000)
    write(tree / "cpu/job_7/cpu.cfs_quota_us", 50000)
    write(tree / "cpu/cpu.cfs_quota_us", -1)
    write(tree / "cpu/job_7/cpu.stat", "nr_periods 9\nnr_throttled 3\nthrottled_time 700000000")
    write(tree / "memory/job_7/memory.limit_in_bytes", 1 << 30)
    write(tree / "memory/job_7/memory.failcnt", 5)
    write(tree / "memory/job_7/memory.oom_control", "under_oom 0\noom_kill 1")
    write(tmp_path / "proc/self/cgroup", "3:memory:/job_7\n2:cpuacct:/job_7\n1:cpu:/job_7\n0::/")
    write(tmp_path / "proc/self/mountinfo", V1_MOUNTS)
    values = GroupCounters(proc_root=f"{tmp_path}/proc", sysfs_root=f"{tmp_path}/sys").read()
    assert values["cgroup_cpu_s"].value == 2.5
    assert values["cgroup_cpu_throttled"].value == 3
    assert values["cgroup_cpu_throttled_s"].value == 0.7
    assert values["cgroup_memory_max"].value == 5
    assert values["cgroup_oom_kills"].value == 1
    assert values["cgroup_psi_cpu_some_s"].reason == (
        "control groups of version 1 have no pressure"
    )


def test_the_root_group_is_the_machine_and_none_of_ours(tmp_path):
    write(tmp_path / "sys/fs/cgroup/cpu.stat", "usage_usec 2500000")
    write(tmp_path / "proc/self/cgroup", "0::/")
    write(tmp_path / "proc/self/mountinfo", V2_MOUNT)
    values = GroupCounters(proc_root=f"{tmp_path}/proc", sysfs_root=f"{tmp_path}/sys").read()
    reason = "the process is in the root group, which is the whole machine"
    assert set(values.values()) == {(None, reason)}


def test_a_group_without_a_limit_can_not_be_throttled(tmp_path):
    group = a_v2_group(tmp_path)
    write(tmp_path / "sys/fs/cgroup/job_7/cpu.max", "max 100000")
    group = GroupCounters(proc_root=f"{tmp_path}/proc", sysfs_root=f"{tmp_path}/sys")
    reason = "no limit on CPU time is set: nothing to exceed"
    assert group.read()["cgroup_cpu_throttled"] == (None, reason)


def test_no_cgroup_at_all_gives_reasons(tmp_path):
    values = GroupCounters(proc_root=str(tmp_path), sysfs_root=str(tmp_path)).read()
    assert all(value.value is None and value.reason for value in values.values())
    assert len(values) == 12


def test_a_kernel_without_pressure_gives_a_reason(tmp_path):
    values = Pressure(str(tmp_path)).read()
    assert values["psi_io_full_s"] == (None, f"{tmp_path}/io: No such file or directory")


def test_old_kernels_have_no_full_line_for_the_cpu(tmp_path):
    write(tmp_path / "memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=7")
    values = Pressure(str(tmp_path)).read()
    assert values["psi_memory_some_s"].value == 7e-06
    assert values["psi_memory_full_s"].reason == f"no line full in {tmp_path}/memory"


def test_swap_traffic_is_in_bytes(tmp_path):
    write(tmp_path / "vmstat", "nr_free_pages 5\npswpin 2\npswpout 3\npgmajfault 11")
    page = os.sysconf("SC_PAGE_SIZE")
    values = {name: value.value for name, value in Swapping(str(tmp_path)).read().items()}
    assert values == {"major_faults": 11, "swap_in_bytes": 2 * page, "swap_out_bytes": 3 * page}


DISKSTATS = """   7  0 loop0 9 9 9 9 9 9 9 9 9 9 9
   8  0 sda 10 0 200 5 20 0 400 7 0 1500 12 0 0 0 0
   8  1 sda1 10 0 200 5 20 0 400 7 0 1500 12 0 0 0 0"""


def test_only_real_disks_are_read_in_bytes_and_seconds(tmp_path):
    write(tmp_path / "proc/diskstats", DISKSTATS)
    write(tmp_path / "sys/block/sda/device/model", "x")
    write(tmp_path / "sys/block/loop0/size", 0)
    disks = Disks(f"{tmp_path}/proc", f"{tmp_path}/sys")
    assert disks.read() == [
        {"name": "sda", "read_bytes": 102400, "write_bytes": 204800, "busy_s": 1.5}
    ]


def test_a_machine_without_disks_gives_a_reason(tmp_path):
    write(tmp_path / "proc/diskstats", DISKSTATS)
    disks = Disks(f"{tmp_path}/proc", f"{tmp_path}/sys")
    assert disks.read() is None
    assert disks.reason == "the kernel shows no disk of this machine"


def test_real_interfaces_and_infiniband_are_read_with_their_line_rates(tmp_path):
    head = "Inter-| Receive | Transmit\n face |bytes packets"
    counts = "1000 1 0 0 0 0 0 0 2000 1 0 0 0 0 0 0"
    write(tmp_path / "proc/net/dev", f"{head}\n  lo: {counts}\neth0: {counts}\neth1:{counts}")
    for name, speed in (("eth0", 10000), ("eth1", -1)):
        write(tmp_path / f"sys/class/net/{name}/device/vendor", "x")
        write(tmp_path / f"sys/class/net/{name}/speed", speed)
    port = tmp_path / "sys/class/infiniband/mlx5_0/ports/1"
    write(port / "rate", "200 Gb/sec (4X HDR)")
    write(port / "counters/port_rcv_data", 25)
    write(port / "counters/port_xmit_data", 50)
    found = Networks(f"{tmp_path}/proc", f"{tmp_path}/sys").read()
    assert found == [
        {"name": "eth0", "rx_bytes": 1000, "tx_bytes": 2000, "limit_bytes_per_s": 1.25e9},
        {"name": "eth1", "rx_bytes": 1000, "tx_bytes": 2000, "limit_bytes_per_s": None},
        {"name": "mlx5_0/1", "rx_bytes": 100, "tx_bytes": 200, "limit_bytes_per_s": 2.5e10},
    ]


def test_segments_sent_again_are_counted(tmp_path):
    write(tmp_path / "net/snmp", "Ip: A\nIp: 1\nTcp: OutSegs RetransSegs\nTcp: 500 7\nUdp: B")
    values = {name: value.value for name, value in Segments(str(tmp_path)).read().items()}
    assert values == {"tcp_segments_sent": 500, "tcp_retransmits": 7}


def test_nothing_at_all_never_raises_and_every_gap_has_its_reason(tmp_path):
    root = str(tmp_path)
    sensor = Counters(ProcessTree(7, proc_root=root), 7, proc_root=root, sysfs_root=root)
    row, reasons = sensor.read()
    assert all(value is None for value in row.values())
    assert set(reasons) == set(row)


def test_counters_of_this_machine_fit_the_contract(monkeypatch):
    rows = sampler.Rows(os.getpid())
    row: dict[str, Any] = rows.sample()
    assert check_sample(row) is None
    assert row["counters"]["own_cpu_s"] > 0
    said = {one["sensor"] for one in row["unavailable"]}
    assert {name for name, value in row["counters"].items() if value is None} <= said


def test_counters_are_read_once_a_second_and_gaps_are_said_once(monkeypatch):
    rows = sampler.Rows(os.getpid(), proc_root="/proc")
    first, between = rows.sample(), rows.sample()
    monkeypatch.setattr(sampler, "REFRESH_EVERY_NS", 0)
    later = rows.sample()
    gaps = {name for name, value in first["counters"].items() if value is None}
    assert between["counters"] is None
    assert not gaps & set(later["counters"])
    assert not {one["sensor"] for one in later.get("unavailable", ())} & gaps
