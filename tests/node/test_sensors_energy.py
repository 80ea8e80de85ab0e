"""Energy windows: which source is taken, what it gives, what it says when it cannot."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from fakes import fake_nvml
from fakes.fake_nvml import FakeDevice, FakeNvml, process
from fakes.fake_sysfs import a_powercap, set_uj

from specc_runtime.sensors import energy, estimate, slurm_energy
from specc_runtime.sensors.base import Unavailable

A = "GPU-aaaaaaaa-1111"
NOT_SUPPORTED = fake_nvml.NVMLError_NotSupported()
NO_COUNTER = {"nvmlDeviceGetTotalEnergyConsumption": NOT_SUPPORTED}


class NoRapl:
    """A pyRAPL on a machine without counters."""

    class Device:
        PKG = 0

    def setup(self, devices: list[int]) -> None:
        raise RuntimeError("no RAPL here")


def a_meter(root: Path, *devices: FakeDevice, env: Any = None, **options: Any) -> energy.Meter:
    return energy.open(
        gpus=[str(i) for i in range(len(devices))],
        sysfs_root=str(root),
        env=env or {},
        nvml_module=FakeNvml(list(devices)),
        pyrapl_module=NoRapl(),
        **options,
    )


def test_powercap_comes_first_even_where_watts_are_stated(tmp_path):
    (counter,) = a_powercap(tmp_path, {"package-0": 0})
    window = a_meter(tmp_path, stated_watts=200).start()
    set_uj(counter, 4_000_000)
    (package,) = window.stop()
    assert (package["scope"], package["source"], package["joules"]) == ("package", "rapl", 4.0)
    assert package["reason"] is None
    assert package["detail"]["passed_over"] == []


def test_stated_watts_give_an_estimate_that_says_so(tmp_path):
    window = a_meter(tmp_path, stated_watts=200).start()
    time.sleep(0.05)
    (package,) = window.stop()
    detail = package["detail"]
    share = len(os.sched_getaffinity(0)) / os.cpu_count()
    assert package["source"] == "estimate"
    assert package["joules"] == pytest.approx(200 * detail["seconds"] * share)
    assert [s["sensor"] for s in detail["passed_over"]] == ["powercap", "pyrapl", "slurm_energy"]


def test_without_any_source_the_joules_are_null_with_every_reason(tmp_path):
    (package,) = a_meter(tmp_path).start().stop()
    assert (package["scope"], package["source"], package["joules"]) == ("package", "none", None)
    assert package["reason"] == (
        f"powercap: no {tmp_path}/class/powercap: the kernel shows no RAPL counters; "
        "pyrapl: pyRAPL cannot be set up: "
        "RuntimeError: no RAPL here; slurm_energy: not inside a Slurm job; "
        "estimate: no watts are stated"
    )


def test_a_counter_that_vanishes_in_the_window_keeps_its_source_and_says_why(tmp_path):
    (counter,) = a_powercap(tmp_path, {"package-0": 0})
    window = a_meter(tmp_path).start()
    counter.unlink()
    (package,) = window.stop()
    assert (package["source"], package["joules"]) == ("rapl", None)
    assert "No such file" in package["reason"]


def test_a_long_window_is_read_in_between(tmp_path):
    # a counter of 2 kJ may wrap after 2 s at the bound of 1 kW: it is read every 0.7 s
    (counter,) = a_powercap(tmp_path, {"package-0": 0}, range_uj=2_000_000_000)
    meter = a_meter(tmp_path)
    window = meter.start()
    for step in range(1, 23):
        time.sleep(0.1)
        set_uj(counter, step * 10_000_000)
    assert window.stop()[-1]["joules"] == pytest.approx(220.0)


def test_the_device_counter_gives_joules(tmp_path):
    device = FakeDevice(A, processes=[process(os.getpid(), 1)])
    window = a_meter(tmp_path, device).start()
    device.energy_mj += 12_500
    gpu, _ = window.stop()
    assert (gpu["scope"], gpu["source"], gpu["joules"]) == ("device", "nvml", 12.5)
    detail = gpu["detail"]
    assert (detail["method"], detail["uuid"], detail["short_window"]) == ("counter", A, True)
    assert detail["foreign_processes"] == 0


def test_without_the_counter_power_samples_are_added_up(tmp_path):
    device = FakeDevice(A, fails=NO_COUNTER)
    window = a_meter(tmp_path, device).start()
    time.sleep(0.35)
    gpu, _ = window.stop()
    detail = gpu["detail"]
    assert (gpu["source"], detail["method"]) == ("nvml", "power_samples")
    assert detail["samples"] >= 4
    assert gpu["joules"] == pytest.approx(250 * detail["window_s"], rel=0.02)


def test_a_device_lost_between_power_samples_has_no_joules(tmp_path):
    device = FakeDevice(A, fails=NO_COUNTER)
    window = a_meter(tmp_path, device).start()
    device.lost = True
    gpu, _ = window.stop()
    assert (gpu["joules"], gpu["reason"]) == (None, "NVMLError_GpuIsLost: GPU is lost")


def test_a_device_lost_between_counter_readings_has_no_joules(tmp_path):
    device = FakeDevice(A)
    window = a_meter(tmp_path, device).start()
    device.lost = True
    gpu, _ = window.stop()
    assert (gpu["joules"], gpu["reason"]) == (None, "NVMLError_GpuIsLost: GPU is lost")
    assert gpu["detail"]["foreign_processes"] is None


def test_a_counter_that_stands_still_is_not_zero_joules(tmp_path):
    gpu, _ = a_meter(tmp_path, FakeDevice(A)).start().stop()
    assert gpu["reason"] == "the energy counter did not move in this window"
    assert gpu["joules"] is None


def test_a_device_without_counter_and_power_says_both(tmp_path):
    fails = {**NO_COUNTER, "nvmlDeviceGetPowerUsage": NOT_SUPPORTED}
    gpu, _ = a_meter(tmp_path, FakeDevice(A, fails=fails)).start().stop()
    text = "NVMLError_NotSupported: Not Supported"
    assert (gpu["source"], gpu["joules"]) == ("none", None)
    assert gpu["reason"] == f"energy counter: {text}; power: {text}"


def test_a_mig_slice_gets_no_joules(tmp_path):
    piece = FakeDevice("MIG-1", parent=FakeDevice(A))
    gpu, _ = a_meter(tmp_path, piece).start().stop()
    assert gpu["joules"] is None
    assert "counts the whole board" in gpu["reason"]


def test_a_named_device_without_a_driver_is_said_to_be_missing(tmp_path):
    missing = FakeNvml([], init_error=fake_nvml.NVMLError_LibraryNotFound())
    meter = energy.open(
        gpus=["0"], sysfs_root=str(tmp_path), env={}, nvml_module=missing, pyrapl_module=NoRapl()
    )
    gpu, _ = meter.start().stop()
    assert gpu["reason"] == "nvml: NVMLError_LibraryNotFound: NVML Shared Library Not Found"


@pytest.mark.parametrize(("env", "count"), [({}, 2), ({"CUDA_VISIBLE_DEVICES": ""}, 0)])
def test_devices_come_from_the_environment_when_none_are_named(tmp_path, env, count):
    module = FakeNvml([FakeDevice(A), FakeDevice("GPU-b")])
    meter = energy.open(
        sysfs_root=str(tmp_path), env=env, nvml_module=module, pyrapl_module=NoRapl()
    )
    assert len(meter.start().stop()) == count + 1


def test_the_idle_baseline_has_a_duration_and_energies(tmp_path):
    idle = a_meter(tmp_path, stated_watts=100).idle(0.05)
    assert idle["duration_ns"] >= 50_000_000
    assert idle["energy"][0]["source"] == "estimate"
    json.dumps(idle, allow_nan=False)


@pytest.mark.parametrize(("watts", "cores"), [(0.0, 1), (-5.0, 1), (float("nan"), 1), (10.0, 9)])
def test_senseless_watts_or_cores_are_refused(watts, cores):
    assert isinstance(estimate.open(watts, cores=cores, cores_of_node=8), Unavailable)


def test_the_estimate_is_watts_times_seconds_times_share():
    sensor = estimate.open(240.0, cores=16, cores_of_node=128)
    assert isinstance(sensor, estimate.Estimate)
    assert sensor.joules(10.0) == 300.0


# Slurm: executables of the same names on PATH


def a_slurm(folder: Path, *, plugin: str = "rapl", period: str = "1 sec", sstat: str = "") -> Any:
    """Put scontrol and sstat on a PATH. Returns the environment of a job step."""
    folder.mkdir(exist_ok=True)
    config = (
        f"AcctGatherEnergyType    = acct_gather_energy/{plugin}\nAcctGatherNodeFreq      = {period}"
    )
    for name, body in (("scontrol", f"echo '{config}'"), ("sstat", sstat or "exit 0")):
        tool = folder / name
        tool.write_text(f"#!/bin/sh\n{body}\n")
        tool.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin", "SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0"}


def slurm(env: Any) -> slurm_energy.SlurmEnergy:
    sensor = slurm_energy.open(env=env)
    assert isinstance(sensor, slurm_energy.SlurmEnergy), sensor
    return sensor


def slurm_refused(env: Any) -> str:
    sensor = slurm_energy.open(env=env)
    assert isinstance(sensor, Unavailable)
    return sensor.reason


def test_slurm_gives_the_difference_of_two_readings_for_the_node(tmp_path, monkeypatch):
    count = tmp_path / "joules"
    count.write_text("1000\n")
    env = a_slurm(tmp_path / "bin", sstat=f'test "$4" = --jobs=7.0 && cat {count}')
    monkeypatch.setattr(slurm_energy, "PERIODS_PER_WINDOW", 0)
    window = a_meter(tmp_path, env=env).start()
    count.write_text("1450\n")
    (node,) = window.stop()
    assert (node["scope"], node["source"], node["joules"]) == ("node", "slurm", 450.0)
    assert (node["detail"]["plugin"], node["detail"]["period_s"]) == ("rapl", 1.0)


def test_slurm_refuses_a_window_shorter_than_five_periods(tmp_path):
    window = slurm(a_slurm(tmp_path, period="30 sec", sstat="echo 10")).start()
    joules, reason, _ = window.stop()
    assert (joules, reason) == (None, "0.0 s is too short: Slurm needs 150 s")


def test_slurms_zero_is_no_measurement(tmp_path):
    value = slurm(a_slurm(tmp_path, sstat="echo 0")).consumed_j()
    assert value == (None, "Slurm reports 0 J: no sensor behind it, or none read yet")


def test_an_answer_of_slurm_that_is_no_number_is_missing(tmp_path):
    value = slurm(a_slurm(tmp_path, sstat="echo n/a")).consumed_j()
    assert value == (None, "sstat says 'n/a' for step 7.0")


def test_an_error_of_sstat_is_missing_with_its_message(tmp_path):
    value = slurm(a_slurm(tmp_path, sstat="echo no steps >&2; exit 1")).consumed_j()
    assert value == (None, "sstat exited 1: no steps")


def test_a_window_whose_ends_cannot_be_read_has_no_joules(tmp_path, monkeypatch):
    monkeypatch.setattr(slurm_energy, "PERIODS_PER_WINDOW", 0)
    window = slurm(a_slurm(tmp_path, sstat="exit 3")).start()
    assert window.stop()[:2] == (None, "sstat exited 3: no message")


def test_a_counter_of_slurm_that_stands_still_is_not_zero_joules(tmp_path, monkeypatch):
    monkeypatch.setattr(slurm_energy, "PERIODS_PER_WINDOW", 0)
    window = slurm(a_slurm(tmp_path, sstat="echo 10")).start()
    assert window.stop()[:2] == (None, "the counter did not move in this window")


def test_slurm_that_hangs_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(slurm_energy, "TIMEOUT_S", 0.2)
    value = slurm(a_slurm(tmp_path, sstat="exec sleep 5")).consumed_j()
    assert value == (None, "sstat did not answer within 0 s")


def test_a_site_without_an_energy_plugin_is_refused(tmp_path):
    reason = slurm_refused(a_slurm(tmp_path, plugin="none"))
    assert reason == "the site runs no energy plugin (AcctGatherEnergyType)"


def test_a_site_that_samples_never_is_refused(tmp_path):
    reason = slurm_refused(a_slurm(tmp_path, period="0 sec"))
    assert reason == "Slurm does not sample the node (AcctGatherNodeFreq=0)"


def test_a_job_of_several_nodes_is_refused(tmp_path):
    env = {**a_slurm(tmp_path), "SLURM_JOB_NUM_NODES": "2"}
    assert slurm_refused(env) == "the job has several nodes and sstat adds them up"


def test_a_job_without_slurms_tools_is_refused(tmp_path):
    env = {"PATH": str(tmp_path), "SLURM_JOB_ID": "7"}
    assert slurm_refused(env) == "scontrol is not on PATH"


def test_a_controller_that_does_not_answer_is_refused(tmp_path):
    env = a_slurm(tmp_path)
    (tmp_path / "scontrol").write_text("#!/bin/sh\necho down >&2; exit 1\n")
    assert slurm_refused(env) == "scontrol exited 1: down"


def test_a_tool_that_cannot_be_started_is_refused(tmp_path):
    env = a_slurm(tmp_path)
    (tmp_path / "scontrol").write_text("#!/no/such/shell\n")
    assert slurm_refused(env).startswith("scontrol: ")
