"""GPUs through a fake NVML library."""

from __future__ import annotations

import os

import pytest
from fakes import fake_nvml
from fakes.fake_nvml import FakeDevice, FakeNvml, process

from specc_runtime.sensors import nvml
from specc_runtime.sensors.base import Unavailable

A, B = "GPU-aaaaaaaa-1111", "GPU-bbbbbbbb-2222"


def library(*devices: FakeDevice | None) -> nvml.Nvml:
    opened = nvml.open(FakeNvml(list(devices)))
    assert isinstance(opened, nvml.Nvml)
    return opened


def a_gpu(device: FakeDevice) -> nvml.Gpu:
    gpu = library(device).gpu("0")
    assert isinstance(gpu, nvml.Gpu)
    return gpu


def test_a_machine_without_a_driver_says_so():
    opened = nvml.open(FakeNvml([], init_error=fake_nvml.NVMLError_LibraryNotFound()))
    assert opened == Unavailable("nvml", "NVMLError_LibraryNotFound: NVML Shared Library Not Found")


def test_the_real_library_is_there_or_says_why_not():
    opened = nvml.open()
    assert isinstance(opened, nvml.Nvml) or opened.reason


@pytest.mark.parametrize(("entry", "uuid"), [("1", B), (B, B), ("GPU-aaaa", A), ("0", A)])
def test_an_entry_is_an_index_a_uuid_or_the_start_of_one(entry, uuid):
    gpu = library(FakeDevice(A), FakeDevice(B)).gpu(entry)
    assert isinstance(gpu, nvml.Gpu)
    assert gpu.uuid == uuid


def test_an_index_counts_the_devices_the_job_may_use():
    gpu = library(None, FakeDevice(B)).gpu("0")
    assert isinstance(gpu, nvml.Gpu)
    assert gpu.uuid == B


def test_an_index_that_is_not_there_is_refused():
    assert library(FakeDevice(A)).gpu("3") == Unavailable("nvml", "no device 3: NVML shows 1")


def test_an_ambiguous_uuid_is_refused():
    gpu = library(FakeDevice("GPU-aa1"), FakeDevice("GPU-aa2")).gpu("GPU-aa")
    assert gpu == Unavailable("nvml", "device GPU-aa: NVMLError_NotFound: Not Found")


def test_a_sample_has_every_field_of_the_contract():
    device = FakeDevice(A, reasons=0x44, processes=[process(os.getpid(), 1), process(7, 2)])
    assert a_gpu(device).sample() == {
        "uuid": A,
        "util_pct": 87,
        "memory_used_bytes": 3 << 30,
        "power_w": 250.0,
        "temperature_c": 61,
        "sm_clock_mhz": 1410,
        "foreign_processes": 1,
        "throttle": ["sw_power_cap", "hw_thermal_slowdown"],
    }


def test_a_gpu_lost_in_mid_run_gives_nulls_and_reasons():
    device = FakeDevice(A)
    gpu = a_gpu(device)
    device.lost = True
    row = gpu.sample()
    assert row["power_w"] is None
    assert row["throttle"] is None
    assert "power_w: NVMLError_GpuIsLost: GPU is lost" in row["reason"]


def test_an_unknown_throttle_bit_is_shown_as_it_is():
    assert a_gpu(FakeDevice(A, reasons=0x801)).throttle() == ["gpu_idle", "unknown_0x800"]


def test_the_memory_of_our_processes_is_added_up():
    device = FakeDevice(A, processes=[process(11, 100), process(12, 50), process(13, 7)])
    assert a_gpu(device).process_memory_bytes([11, 12]).value == 150


def test_a_process_nvml_does_not_list_has_no_memory_rather_than_zero():
    value = a_gpu(FakeDevice(A)).process_memory_bytes()
    assert value.value is None
    assert "NVML lists no such process" in str(value.reason)


def test_memory_that_nvml_does_not_tell_is_missing():
    device = FakeDevice(A, processes=[process(11, None)])
    value = a_gpu(device).process_memory_bytes([11])
    assert value == (None, "NVML does not say how much memory the process uses")


def test_processes_that_cannot_be_listed_are_missing():
    failing = {"nvmlDeviceGetComputeRunningProcesses": fake_nvml.NVMLError_NotSupported()}
    gpu = a_gpu(FakeDevice(A, fails=failing))
    expected = (None, "NVMLError_NotSupported: Not Supported")
    assert gpu.process_memory_bytes() == expected
    assert gpu.foreign_processes() == expected


def test_a_call_that_an_old_binding_lacks_is_missing():
    class Old(FakeNvml):
        nvmlDeviceGetTotalEnergyConsumption = None

    gpu = nvml.Nvml(Old([FakeDevice(A)])).gpu("0")
    assert isinstance(gpu, nvml.Gpu)
    reason = "this pynvml has no nvmlDeviceGetTotalEnergyConsumption"
    assert gpu.energy_mj() == (None, reason)


def test_an_answer_of_another_shape_is_missing():
    device = FakeDevice(A, power_mw="lots")
    assert a_gpu(device).power_w().value is None


def test_a_mig_slice_reads_power_from_its_board():
    board = FakeDevice(A, power_mw=300_000)
    piece = FakeDevice("MIG-1", parent=board, power_mw=None)
    gpu = library(board, piece).gpu("MIG-1")
    assert isinstance(gpu, nvml.Gpu)
    assert gpu.is_mig
    assert gpu.power_w().value == 300.0


def test_a_description_names_how_the_device_is_set():
    gpu = a_gpu(FakeDevice(A))
    assert gpu.describe() == {
        "entry": "0",
        "uuid": A,
        "name": "NVIDIA A100-SXM4-40GB",
        "memory_bytes": 40 << 30,
        "compute_capability": "8.0",
        "pci_bus_id": "00000000:07:00.0",
        "power_cap_w": 400.0,
        "max_sm_clock_mhz": 1410,
        "max_memory_clock_mhz": 1215,
        "application_sm_clock_mhz": 1095,
        "persistence": True,
        "ecc": True,
        "mig": False,
        "is_mig_slice": False,
        "compute_mode": "exclusive_process",
    }


def test_a_lost_gpu_is_described_by_nulls():
    device = FakeDevice(A)
    gpu = a_gpu(device)
    device.lost = True
    described = gpu.describe()
    assert described["uuid"] == A
    assert described["name"] is None
    assert described["ecc"] is None


def test_versions_name_driver_and_cuda():
    assert library().versions() == {"driver": "550.54.15", "nvml": "12.550.54.15", "cuda": "12.4"}


@pytest.mark.parametrize(
    ("value", "entries"),
    [
        (None, None),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("0, 2", ["0", "2"]),
        ("1,-1,2", ["1"]),
        (f"{A},MIG-x", [A, "MIG-x"]),
    ],
)
def test_visible_devices_end_at_the_first_entry_that_names_none(value, entries):
    assert nvml.visible_entries(value) == entries
