"""Inference: the numbers of a study whose records are known, got a second way with numpy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from results import a_bundle
from results_inference import a_study, rows

from specc.collate.pipeline import collate_data


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("study")
    return collate_data([a_study(root, batch_sizes=(1, 8)).path], root / "out")


def cell(done: Any, **axes: Any) -> Any:
    return next(c for c in done.summary["cells"] if c["axes"] == axes)


def written(done: Any, **axes: Any) -> Any:
    document = json.loads((done.out / "results-r1.json").read_text())
    return next(c for c in document["cells"] if c["axes"] == axes)


def timed_ms(device: str, size: int) -> list[list[float]]:
    return [
        [r["duration_ns"] / 1e6 for r in rows(device, size, seed=seed) if r.get("phase") == "timed"]
        for seed in range(3)
    ]


def windows(device: str, size: int, seed: int) -> list[dict[str, Any]]:
    return [r for r in rows(device, size, seed=seed) if r["type"] == "window"]


@pytest.mark.parametrize("name", ["p50", "p90", "p95"])
def test_percentiles_are_pooled_over_repetitions(study: Any, name: str):
    pooled = np.concatenate(timed_ms("cpu", 8))
    found = cell(study, device="cpu", batch_size=8)["metrics"]["latency_ms_per_batch"]
    assert found["distribution"][name] == pytest.approx(np.percentile(pooled, int(name[1:])))


def test_latency_is_the_geometric_mean_of_the_runs_medians(study: Any):
    medians = [np.median(run) for run in timed_ms("cpu", 8)]
    found = cell(study, device="cpu", batch_size=8)["metrics"]["latency_ms_per_batch"]
    assert found["value"] == pytest.approx(np.exp(np.mean(np.log(medians))))


def test_warm_up_batches_are_left_out(study: Any):
    found = cell(study, device="cpu", batch_size=8)["metrics"]["latency_ms_per_batch"]
    assert found["distribution"]["samples"] == 180
    assert found["distribution"]["max"] == pytest.approx(np.max(timed_ms("cpu", 8)))


def test_p99_of_180_batches_is_refused(study: Any):
    found = written(study, device="cpu", batch_size=8)
    assert found["latency_ms_per_batch"]["p99"] is None
    assert found["latency_refused"]["p99"].startswith("needs 299 independent samples")


def test_throughput_is_samples_over_time_of_all_windows(study: Any):
    expected = [
        sum(w["samples"] for w in ws) / sum(w["duration_ns"] for w in ws) * 1e9
        for ws in (windows("cuda", 8, seed) for seed in range(3))
    ]
    found = cell(study, device="cuda", batch_size=8)["metrics"]["throughput_samples_per_s"]
    assert found["run_values"] == pytest.approx(expected)


def test_energy_per_sample_is_gross(study: Any):
    joules = sum(w["energy"][0]["joules"] for s in range(3) for w in windows("cpu", 8, s))
    samples = sum(w["samples"] for s in range(3) for w in windows("cpu", 8, s))
    found = written(study, device="cpu", batch_size=8)
    assert found["energy_j_per_sample"] == pytest.approx(joules / samples)
    assert found["energy_wh_per_sample"] == pytest.approx(joules / samples / 3600)
    assert (found["energy_scope"], found["energy_source"]) == ("package", "rapl")


def test_net_energy_is_less_the_idle_power(study: Any):
    metrics = cell(study, device="cpu", batch_size=8)["metrics"]
    gross = metrics["energy_j_per_sample.package.rapl"]["run_values"]
    net = metrics["energy_net_j_per_sample.package.rapl"]["run_values"]
    # the records say 90 W while working and 27 W while idle
    assert [n / g for n, g in zip(net, gross, strict=True)] == pytest.approx([0.7] * 3)


def test_a_scope_that_was_not_read_is_a_dash_with_a_reason(study: Any):
    found = cell(study, device="cpu", batch_size=8)["metrics"]["energy_j_per_sample.device.nvml"]
    assert (found["value"], found["reason"]) == (None, "no device energy from nvml at this point")


def test_memory_of_the_cpu_has_no_gpu_number(study: Any):
    found = cell(study, device="cpu", batch_size=8)["metrics"]
    assert found["peak_cpu_rss_bytes"]["value"] == 652 * 2**20
    assert found["load_cpu_rss_bytes"]["value"] == 900 * 2**20
    assert found["peak_gpu_allocated_bytes"]["reason"] == "no CUDA device"


def test_logits_are_compared_with_the_first_cell(study: Any):
    found = cell(study, device="cuda", batch_size=8)["details"]
    assert found["argmax_agreement"] == 1.0
    assert found["max_abs_logit_difference"] == pytest.approx(1e-6)
    assert found["reference_cell"] == "c0001"


def test_the_spec_names_the_reference_cell(tmp_path: Path):
    spec = {"analysis": {"reference": {"device": "cuda", "batch_size": 1}}}
    bundle = a_study(tmp_path, batch_sizes=(1,), repetitions=1, spec=spec)
    done = collate_data([bundle.path], tmp_path / "out")
    assert cell(done, device="cpu", batch_size=1)["details"]["reference_cell"] == "c0002"


def test_another_argmax_lowers_the_agreement(tmp_path: Path):
    bundle = a_bundle(
        tmp_path, kind="inference", points=[{"batch_size": 1}, {"batch_size": 2}], repetitions=1
    )
    launch = bundle.run().launch()
    launch.complete(bundle.tasks[0], rows("cpu", 1, logits=[[0.0, 1.0], [0.0, 1.0]]))
    launch.complete(bundle.tasks[1], rows("cpu", 2, logits=[[0.0, 1.0], [3.0, 1.0]]))
    found = cell(collate_data([bundle.path], tmp_path / "out"), batch_size=2)["details"]
    assert (found["argmax_agreement"], found["max_abs_logit_difference"]) == (0.5, 3.0)


def test_without_any_energy_the_reason_stands_in_every_cell(tmp_path: Path):
    done = collate_data([a_study(tmp_path, batch_sizes=(1,), energy=False).path], tmp_path / "out")
    found = written(done, device="cpu", batch_size=1)
    assert (found["energy_source"], found["energy_j_per_sample"]) == ("none", None)
    assert found["energy_reason"] == "no powercap zone can be read (permission denied)"


def one_cell(tmp_path: Path, *, repetitions: int = 2, **changes: Any) -> Any:
    bundle = a_bundle(
        tmp_path, kind="inference", points=[{"batch_size": 1}], repetitions=repetitions
    )
    launch = bundle.run().launch()
    for task in bundle.tasks:
        launch.complete(task, rows("cpu", 1, seed=task["repetition"], **changes))
    return collate_data([bundle.path], tmp_path / "out").summary["cells"][0]


def test_enough_steady_runs_are_valid(tmp_path: Path):
    assert one_cell(tmp_path)["verdict"] == "VALID"


def test_one_repetition_is_too_few(tmp_path: Path):
    found = one_cell(tmp_path, repetitions=1)
    assert found["verdict"] == "TOO_FEW"
    assert "one repetition" in found["verdict_reason"]


def test_ten_batches_are_too_few(tmp_path: Path):
    assert one_cell(tmp_path, batches=5)["verdict"] == "TOO_FEW"


def test_a_throttled_gpu_contaminates(tmp_path: Path):
    found = one_cell(tmp_path, throttle=["sw_thermal_slowdown"])
    assert found["verdict"] == "CONTAMINATED"
    assert found["verdict_reason"] == "the GPU lowered its clocks: sw_thermal_slowdown"


def test_an_idle_gpu_is_no_contamination(tmp_path: Path):
    assert one_cell(tmp_path, throttle=["gpu_idle"])["verdict"] == "VALID"


def test_a_pass_that_was_cut_short_is_too_few(tmp_path: Path):
    assert one_cell(tmp_path, stopped_by="cap")["verdict"] == "TOO_FEW"


def test_a_drifting_run_is_not_steady(tmp_path: Path):
    bundle = a_bundle(tmp_path, kind="inference", points=[{"batch_size": 1}], repetitions=1)
    records = rows("cpu", 1)
    for row in records:
        if row["type"] == "batch" and row["index"] > 35:
            row["duration_ns"] = int(row["duration_ns"] * 1.3)
    bundle.run().launch().complete(bundle.tasks[0], records)
    found = collate_data([bundle.path], tmp_path / "out").summary["cells"][0]
    assert found["verdict"] == "NOT_STEADY"


def test_batches_of_different_width_are_no_drift(tmp_path: Path):
    bundle = a_bundle(tmp_path, kind="inference", points=[{"batch_size": 1}], repetitions=2)
    launch = bundle.run().launch()
    for task in bundle.tasks:
        records = rows("cpu", 1, seed=task["repetition"])
        for row in records:
            if row["type"] == "batch" and row["index"] > 35:
                row["duration_ns"], row["padded_tokens"] = row["duration_ns"] * 2, 64
        launch.complete(task, records)
    found = collate_data([bundle.path], tmp_path / "out").summary["cells"][0]
    assert found["verdict"] == "VALID"


def test_neighbours_contaminate(tmp_path: Path):
    bundle = a_bundle(tmp_path, kind="inference", points=[{"batch_size": 1}], repetitions=1)
    launch = bundle.run().launch()
    neighbour = {"type": "attempt", "epoch_ns": 1, "pid": 1, "slot": 0, "neighbours": ["a" * 16]}
    launch.complete(bundle.tasks[0], [neighbour, *rows("cpu", 1)])
    found = collate_data([bundle.path], tmp_path / "out").summary["cells"][0]
    assert found["verdict"] == "CONTAMINATED"


def test_neighbours_that_came_later_contaminate_too(tmp_path: Path):
    bundle = a_bundle(tmp_path, kind="inference", points=[{"batch_size": 1}], repetitions=1)
    launch = bundle.run().launch()
    launch.complete(bundle.tasks[0], rows("cpu", 1), beside=["a" * 16])
    found = collate_data([bundle.path], tmp_path / "out").summary["cells"][0]
    assert found["verdict"] == "CONTAMINATED"


def test_tables_name_the_point_of_every_row(study: Any):
    table = pl.read_parquet(study.out / "tables/batches.parquet")
    assert table.columns[:7] == [
        "cell",
        "bundle_id",
        "run_id",
        "task_id",
        "repetition",
        "axis_device",
        "axis_batch_size",
    ]
    assert table.height == 12 * 65


def test_csv_and_parquet_hold_the_same_rows(study: Any):
    csv = pl.read_csv(study.out / "tables/windows.csv")
    assert csv["samples"].to_list() == (
        pl.read_parquet(study.out / "tables/windows.parquet")["samples"].to_list()
    )
