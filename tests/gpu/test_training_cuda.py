"""Training on a real GPU: the CPU's curvature, memory given back, rows complete, bits repeated."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

sys.path.append(str(Path(__file__).parents[1] / "node"))
from kind_attempts import Ran, run_attempt
from training_parts import MODULE, digits, idx, settings

from specc_runtime.kinds.training import checkpoints
from specc_runtime.kinds.training.callbacks import table
from specc_runtime.kinds.training.loop import Trainer
from specc_runtime.ml import cnn, image_data
from specc_runtime.ml.curvature import hessian_products, hutchinson_trace, lambda_max
from specc_runtime.ml.gradient_noise import gradient_variance

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device here"),
]


def a_net() -> torch.nn.Module:
    torch.manual_seed(0)
    return cnn.resnet18(8, channels=3, classes=10, norm=True)


def samples(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(count, 3, 32, 32, generator=generator)
    return images, torch.arange(count) % 10


def test_curvature_and_gradient_variance_are_those_of_the_cpu() -> None:
    found = []
    for device in ("cpu", "cuda"):
        images, classes = (part.to(device) for part in samples(16))
        torch.manual_seed(0)
        net = cnn.small_cnn(4, channels=3, classes=10, norm=True).to(device)
        with hessian_products(net, images, classes, loss=functional.cross_entropy) as (ps, product):
            # the start vectors differ by device, so both must have converged
            largest = lambda_max(product, ps, iterations=40, tolerance=1e-5, seed=0)
            ones = product([torch.ones_like(p) for p in ps])
        noise = gradient_variance(net, images, classes, loss=functional.cross_entropy, batches=4)
        found.append((largest.value, float(sum(part.sum() for part in ones)), noise.value))
    assert found[1] == pytest.approx(found[0], rel=0.01)


@pytest.mark.parametrize("chunk", [None, 16])
def test_curvature_gives_its_memory_back(chunk: int | None) -> None:
    net, (images, classes) = a_net().cuda(), (part.cuda() for part in samples(64))

    def measure() -> int:
        with hessian_products(net, images, classes, loss=functional.cross_entropy, chunk=chunk) as (
            ps,
            product,
        ):
            lambda_max(product, ps, iterations=3, tolerance=1e-9, seed=0)
            hutchinson_trace(product, ps, probes=2, seed=0)
        return torch.cuda.memory_allocated()

    first = measure()
    assert [measure(), measure()] == [first, first]


def test_a_chunk_takes_less_memory() -> None:
    net, (images, classes) = a_net().cuda(), (part.cuda() for part in samples(128))
    peaks = []
    for chunk in (None, 16):
        torch.cuda.reset_peak_memory_stats()
        with hessian_products(net, images, classes, loss=functional.cross_entropy, chunk=chunk) as (
            ps,
            product,
        ):
            hutchinson_trace(product, ps, probes=2, seed=0)
        peaks.append(torch.cuda.max_memory_allocated())
    assert peaks[1] < 0.5 * peaks[0]


Rows = list[dict[str, Any]]
RESNET = {"architecture": "resnet18", "width": 8}


def a_trainer(folder: Path, **changes: Any) -> tuple[Trainer, Rows]:
    chosen = settings(**{"device": "cuda", "channels_last": True, "model": RESNET, **changes})
    device, path = torch.device("cuda", 0), folder / "digits.csv.gz"
    data = image_data.load(digits(path), chosen["data"], device, channels_last=True)
    rows: Rows = []

    def record(type: str, /, **fields: Any) -> None:
        rows.append({"type": type, **fields})

    return Trainer(chosen, data, device, table.build(chosen), record), rows


def test_all_rows_are_written_under_mixed_precision(tmp_path: Path) -> None:
    trainer, rows = a_trainer(tmp_path, precision="float16")
    for number in range(3):
        trainer.epoch(number)
    kinds = [row["type"] for row in rows]
    counted = {kind: kinds.count(kind) for kind in set(kinds)}
    assert counted == {
        "batch": 21,
        "quarter": 12,
        "slope": 12,
        "curvature": 3,
        "noise": 1,
        "resources": 3,
        "epoch": 3,
    }
    last = [row for row in rows if row["type"] == "resources"][-1]
    assert 0 < last["gpu_memory_allocated_bytes"] <= last["gpu_memory_reserved_bytes"]


def test_a_run_gone_on_with_has_its_losses_scale_and_momenta_on_the_gpu(tmp_path: Path) -> None:
    first, _ = a_trainer(tmp_path, precision="float16", optimizer="adamw", lr=0.003)
    first.epoch(0)
    saved = checkpoints.Checkpoint(1, 7, [], first.plain(), first.saved())
    checkpoints.write(tmp_path, "task", saved)
    found, _ = checkpoints.newest(tmp_path, "task", until=1)
    assert found is not None
    second, rows = a_trainer(tmp_path, precision="float16", optimizer="adamw", lr=0.003)
    second.restore(found)
    for number in (1, 2):
        second.epoch(number)
    # the window of the noise row reaches over the checkpoint
    (noise,) = [row for row in rows if row["type"] == "noise"]
    assert noise["window_losses"] == 14
    assert [row for row in rows if row["type"] == "warning"] == []
    assert second.scaler.get_scale() == found.plain["scaler"]["scale"]
    for parameter in second.model.parameters():
        kept = second.optimizer.state[parameter]["exp_avg"]
        assert (kept.device, kept.stride()) == (parameter.device, parameter.stride())


def an_attempt(folder: Path, **changes: Any) -> Ran:
    folder.mkdir()
    block = {"file": "input:images", "format": "idx", "validation_fraction": None}
    chosen = settings(device="cuda", data=block, **changes)
    inputs = {"images": idx(folder / "images", rows=120)}
    ran = run_attempt(folder, MODULE, chosen, inputs=inputs, gpu="0", timeout_s=500)
    assert ran.outcome["what"] == "done", ran.outcome
    assert ran.of("warning") == []
    return ran


@pytest.mark.parametrize("model", [{}, RESNET], ids=["small_cnn", "resnet18"])
def test_deterministic_gives_the_same_bits_again(model: dict[str, Any], tmp_path: Path) -> None:
    # 6x6 activations, pooled to 4x4: the windows overlap
    pair = [
        an_attempt(tmp_path / name, deterministic=True, model=model, precision="bfloat16")
        for name in ("one", "two")
    ]
    losses = [[row["loss_train_nats"] for row in ran.of("batch")] for ran in pair]
    assert losses[0] == losses[1]
    assert pair[0].of("weights")[0]["sha256"] == pair[1].of("weights")[0]["sha256"]


def test_a_compiled_model_is_trained_and_its_curvature_taken(tmp_path: Path) -> None:
    compiled = an_attempt(tmp_path / "compiled", compile=True, epochs=1)
    plain = an_attempt(tmp_path / "plain", epochs=1)
    (found,), (expected,) = compiled.of("curvature"), plain.of("curvature")
    assert found["lambda_max"] == pytest.approx(expected["lambda_max"], rel=0.05)
    first, other = compiled.of("batch")[0], plain.of("batch")[0]
    assert first["loss_train_nats"] == pytest.approx(other["loss_train_nats"], rel=1e-3)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_curvature_is_of_float32_whatever_the_training_computes_in(
    precision: str, tmp_path: Path
) -> None:
    rows = {}
    for name in ("float32", precision):
        trainer, found = a_trainer(
            tmp_path,
            precision=name,
            lr=1e-12,
            model={**RESNET, "norm": False},
            cadences={"curvature_steps": 1},
        )
        trainer.epoch(0)
        rows[name] = next(row for row in found if row["type"] == "curvature")
    # the weights hardly moved, but a product in half precision would be off in the third digit
    value = rows["float32"]["lambda_max"]
    assert rows[precision]["lambda_max"] == pytest.approx(value, rel=1e-3)


def test_no_step_waits_for_the_gpu(tmp_path: Path) -> None:
    # in float32: the scaler of float16 reads at each step whether the gradient overflowed
    trainer, _ = a_trainer(tmp_path, cadences={"flush_steps": 1000}, grad_clip_norm=1.0)
    trainer.callbacks[:] = [one for one in trainer.callbacks if one.name == "batches"]
    trainer.epoch(0)
    batches = trainer.images.epoch(
        1, batch_size=16, seed=0, augment=trainer.settings["augmentation"]
    )
    images, labels = next(batches)
    torch.cuda.set_sync_debug_mode("error")
    try:
        trainer._step(7, lambda: (images, labels))
        next(batches)
    finally:
        torch.cuda.set_sync_debug_mode("default")
