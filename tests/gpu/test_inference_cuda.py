"""Inference on a real GPU: the two clocks, torch's allocator, NVML, and equal answers."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.append(str(Path(__file__).parents[1] / "node"))
from inference_parts import TINY
from kind_attempts import Ran, run_attempt

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device here"),
]
MODULE = "specc_runtime.kinds.inference.run"


def on(device: str, folder: Path) -> Ran:
    settings = {
        "model": {"config": TINY},
        "dataset": {"synthetic": {"samples": 32, "tokens": 16}},
        "device": device,
        "batch_size": 8,
        "stopping": {"min_batches": 20, "min_seconds": 2.2},
        "energy": {"idle_seconds": 2},
    }
    ran = run_attempt(folder, MODULE, settings, gpu="0" if device == "cuda" else None)
    assert ran.outcome["what"] == "done", ran.outcome
    return ran


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return on("cuda", tmp_path_factory.mktemp("cuda"))


def test_device_time_lies_within_wall_time(ran):
    rows = [row for row in ran.of("batch") if row["phase"] == "timed"]
    assert all(0 < row["device_ns"] <= row["duration_ns"] for row in rows)


def test_the_allocator_and_nvml_report_memory(ran):
    load, steady = ran.of("memory")
    assert 0 < load["torch_allocated_bytes"] <= load["torch_reserved_bytes"]
    assert steady["torch_allocated_bytes"] > 0
    assert steady["nvml_device_bytes"] or steady["nvml_device_bytes_reason"]


def test_the_device_has_energy_or_a_reason(ran):
    scopes = [reading["scope"] for reading in ran.of("window")[0]["energy"]]
    assert scopes[0] == "device"


def test_cpu_and_gpu_give_the_same_answers(ran, tmp_path):
    cpu = on("cpu", tmp_path).of("outputs")[0]
    gpu = ran.of("outputs")[0]
    assert cpu["predictions_sha256"] == gpu["predictions_sha256"]
    difference = torch.tensor(cpu["logits"]) - torch.tensor(gpu["logits"])
    assert difference.abs().max() < 1e-3
