"""The description of a machine, and the state of its clocks at the ends of a window."""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path

import pytest
from fakes import fake_nvml
from fakes.fake_nvml import FakeDevice, FakeNvml
from fakes.fake_sysfs import V2_MOUNT, a_powercap, a_process, write

from specc_runtime.sensors import machine, nvml, throttle
from specc_runtime.sensors.base import allowed_cpus

NO_DRIVER = FakeNvml([], init_error=fake_nvml.NVMLError_LibraryNotFound())
CPUINFO = (
    "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC 7713\n"
    "flags\t\t: fpu sse avx2\n\nprocessor\t: 1\nmodel name\t: other"
)


def a_node(root: Path) -> dict[str, str]:
    """Make /sys and /proc of a node with two sockets of one core and two threads each."""
    cpu = root / "sys/devices/system/cpu"
    write(cpu / "online", "0-3")
    for number, core in enumerate([(0, 0), (1, 0), (0, 0), (1, 0)]):
        write(cpu / f"cpu{number}/topology/physical_package_id", core[0])
        write(cpu / f"cpu{number}/topology/core_id", core[1])
        write(cpu / f"cpu{number}/cpufreq/scaling_governor", "performance")
        write(cpu / f"cpu{number}/cpufreq/scaling_cur_freq", 2_000_000 + number * 100_000)
        write(cpu / f"cpu{number}/thermal_throttle/core_throttle_count", number)
    write(cpu / "cpu0/cache/index3/size", "32768K")
    write(cpu / "smt/control", "on")
    write(cpu / "smt/active", 1)
    write(cpu / "cpufreq/boost", 0)
    write(cpu / "vulnerabilities/l1tf", "Not affected")
    write(cpu / "vulnerabilities/retbleed", "Mitigation: IBPB")
    node = root / "sys/devices/system/node"
    write(node / "online", 0)
    write(node / "node0/cpulist", "0-3")
    write(node / "node0/meminfo", "Node 0 MemTotal:   1024 kB")
    write(root / "sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never")
    write(root / "etc/os-release", 'NAME=x\nPRETTY_NAME="Rocky Linux 8.9"')
    write(root / "proc/cpuinfo", CPUINFO)
    write(
        root / "proc/meminfo",
        "MemTotal: 2048 kB\nMemAvailable: 1024 kB\nSwapTotal: 0 kB\nHugePages_Total: 3",
    )
    a_process(root / "proc", "self", cgroup="0::/job", mountinfo=V2_MOUNT)
    write(root / "sys/fs/cgroup/job/memory.max", 4096)
    return {"sysfs_root": f"{root}/sys", "proc_root": f"{root}/proc"}


def test_sockets_cores_and_threads_are_counted(tmp_path):
    cpu = machine.describe(**a_node(tmp_path), env={}, nvml_module=NO_DRIVER)["cpu"]
    assert (cpu["sockets"], cpu["cores"], cpu["threads"]) == (2, 2, 4)
    assert (cpu["smt"], cpu["smt_active"], cpu["boost"]) == ("on", True, False)
    assert (cpu["model"], cpu["flags"]) == ("AMD EPYC 7713", ["fpu", "sse", "avx2"])
    assert cpu["virtual_machine"] is False
    assert cpu["governor"] == "performance"
    assert cpu["l3_bytes"] == 32 << 20
    assert cpu["mitigations"] == {"retbleed": "Mitigation: IBPB"}


def test_memory_nodes_kernel_and_limits_are_described(tmp_path):
    described = machine.describe(**a_node(tmp_path), env={}, nvml_module=NO_DRIVER)
    assert described["memory"]["total_bytes"] == 2 << 20
    assert described["memory"]["transparent_hugepages"] == "madvise"
    assert described["numa"] == [{"node": 0, "cpus": "0-3", "memory_bytes": 1 << 20}]
    assert described["kernel"]["distribution"] == "Rocky Linux 8.9"
    limits = described["limits"]
    assert (limits["memory_cgroup_version"], limits["memory_cgroup"]) == (2, "/job")
    assert (limits["memory_bytes"], limits["cpu_quota"]) == (4096, None)


def test_an_empty_tree_is_described_by_nulls(tmp_path):
    described = machine.describe(
        sysfs_root=f"{tmp_path}/sys", proc_root=f"{tmp_path}/proc", env={}, nvml_module=NO_DRIVER
    )
    assert described["cpu"]["model"] is None
    assert described["cpu"]["sockets"] is None
    assert described["memory"]["total_bytes"] is None
    assert described["limits"]["memory_cgroup"] is None
    assert {s["sensor"] for s in described["unavailable"]} >= {
        "memory", "cgroup", "nvml", "powercap", "slurm_energy", "cpu_frequency"
    }  # fmt: skip


def test_intel_says_boost_the_other_way_round(tmp_path):
    roots = a_node(tmp_path)
    (tmp_path / "sys/devices/system/cpu/cpufreq/boost").unlink()
    write(tmp_path / "sys/devices/system/cpu/intel_pstate/no_turbo", 0)
    assert machine.describe_cpu(**roots)["boost"] is True


def test_the_devices_of_the_job_are_described(tmp_path):
    module = FakeNvml([FakeDevice("GPU-a"), FakeDevice("GPU-b")])
    env = {"CUDA_VISIBLE_DEVICES": "1,7"}
    described = machine.describe(**a_node(tmp_path), env=env, nvml_module=module)
    assert [gpu["uuid"] for gpu in described["gpus"]] == ["GPU-b"]
    assert described["gpu_driver"]["driver"] == "550.54.15"
    everything = machine.describe(**a_node(tmp_path), env={}, nvml_module=module)
    assert [gpu["uuid"] for gpu in everything["gpus"]] == ["GPU-a", "GPU-b"]


def test_slurm_variables_come_without_secrets():
    env = {
        "SLURM_JOB_ID": "7",
        "SLURM_JWT": "x",
        "SLURM_AUTH_TOKEN": "x",
        "SLURM_EXPORT_ENV": "API_KEY=x",
        "SLURM_SPANK_X": "x",
        "SLURM_LAUNCH_NODE_IPADDR": "10.0.0.1",
        "SLURM_MEM_PER_NODE": "4096",
        "HOME": "/home/a",
    }
    assert machine.slurm_variables(env) == {"SLURM_JOB_ID": "7", "SLURM_MEM_PER_NODE": "4096"}


def test_working_sensors_are_not_listed_as_unavailable(tmp_path):
    roots = a_node(tmp_path)
    a_powercap(tmp_path / "sys", {"package-0": 1, "package-1": 1})
    module = FakeNvml([FakeDevice("GPU-a")])
    found = machine.describe(**roots, env={}, nvml_module=module)["unavailable"]
    names = {sensor["sensor"] for sensor in found}
    assert not names & {"memory", "cgroup", "nvml", "powercap"}


def test_this_machine_is_described_as_it_is():
    described = machine.describe(env={"OMP_NUM_THREADS": "2", "OTHER": "x"})
    json.dumps(described, allow_nan=False)
    assert described["cpu"]["allowed_count"] == len(os.sched_getaffinity(0))
    assert described["cpu"]["threads"] >= described["cpu"]["cores"] >= 1
    assert described["kernel"]["release"] == os.uname().release
    assert described["python"]["version"] == platform.python_version()
    assert described["python"]["bits"] == (64 if sys.maxsize > 2**32 else 32)
    assert described["threads"] == {"OMP_NUM_THREADS": "2"}
    total = int(Path("/proc/meminfo").read_text().split()[1]) * 1024
    assert described["memory"]["total_bytes"] == total


def test_frequencies_and_counts_at_both_ends_make_a_window(tmp_path):
    a_node(tmp_path)
    device = FakeDevice("GPU-a", reasons=0x4)
    gpu = nvml.Nvml(FakeNvml([device])).gpu("0")
    sensor = throttle.open(sysfs_root=f"{tmp_path}/sys", gpus=[gpu], cpus=[0, 1, 2, 3])
    start = sensor.read()
    assert start["cpu_mhz"] == {"min": 2000.0, "mean": 2150.0, "max": 2300.0}
    assert start["core_throttle_count"] == 6
    count = tmp_path / "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count"
    write(count, 5)
    device.reasons = 0x8
    window = throttle.between(start, sensor.read())
    assert window["core_throttles"] == 5
    assert window["package_throttles"] is None
    assert window["gpu_reasons"] == ["hw_slowdown", "sw_power_cap"]


def test_frequencies_are_read_from_sixteen_cpus_at_most(tmp_path):
    sensor = throttle.open(sysfs_root=str(tmp_path), cpus=list(range(256)))
    assert len(sensor._sampled) == 16


def test_a_virtual_machine_has_reasons_instead_of_frequencies(tmp_path):
    state = throttle.open(sysfs_root=str(tmp_path)).read()
    assert state["cpu_mhz"] is None
    assert state["cpu_mhz_reason"].startswith("the kernel shows no scaling_cur_freq")
    assert state["core_throttle_count"] is None


def test_a_lost_gpu_has_a_reason_at_the_windows_end(tmp_path):
    device = FakeDevice("GPU-a")
    gpu = nvml.Nvml(FakeNvml([device])).gpu("0")
    sensor = throttle.open(sysfs_root=str(tmp_path), gpus=[gpu])
    start = sensor.read()
    device.lost = True
    end = throttle.between(start, sensor.read())["end"]["gpus"][0]
    assert (end["throttle"], end["throttle_reason"]) == (
        None,
        "NVMLError_GpuIsLost: GPU is lost",
    )


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
def test_allowed_cpus_are_those_of_the_affinity_mask():
    assert allowed_cpus() == sorted(os.sched_getaffinity(0))
