"""Training's callbacks on a real GPU: the CPU's curvature, memory given back, rows complete."""

import sys
from pathlib import Path

import pytest
import torch
from torch.nn import functional

sys.path.append(str(Path(__file__).parents[1] / "node"))
from training_parts import digits, settings

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


def test_all_rows_are_written_under_mixed_precision(tmp_path: Path) -> None:
    chosen = settings(
        device="cuda",
        precision="float16",
        channels_last=True,
        model={"architecture": "resnet18", "width": 8},
    )
    device = torch.device("cuda", 0)
    data = image_data.load(
        digits(tmp_path / "digits.csv.gz"), chosen["data"], device, channels_last=True
    )
    rows: list[dict[str, object]] = []
    trainer = Trainer(
        chosen,
        data,
        device,
        table.build(chosen),
        lambda type, /, **fields: rows.append({"type": type, **fields}),
    )
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
