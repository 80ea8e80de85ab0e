"""Records of kind training, by hand, as docs/contract.md has them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from results import ABundle, a_bundle

STEPS_PER_EPOCH = 20
GIB = 2**30
SLOPES = {"base": 0.5, "bn_off": 0.35, "narrow": 0.42, "adamw": 0.6}
"""How fast the loss of each variant falls."""


def rows(
    alpha: float,
    *,
    seed: int = 0,
    epochs: int = 20,
    noise: float = 0.02,
    gpu_memory: int | None = None,
    minutes: float = 10.0,
) -> list[dict[str, Any]]:
    """One run whose loss is 4 * step**-alpha, but for noise; validation lies 0.1 above it."""
    rng = random.Random(f"{alpha} {seed}")
    found: list[dict[str, Any]] = [_model()]
    for step in range(1, epochs * STEPS_PER_EPOCH + 1):
        epoch = step / STEPS_PER_EPOCH
        loss = 4 * step**-alpha * rng.lognormvariate(0, noise)
        found.append(_batch(step, epoch, loss))
        if step % (STEPS_PER_EPOCH // 4) == 0:
            found.append(_quarter(step, epoch, 4 * step**-alpha + 0.1))
        if step % 100 == 0:
            found.append(_curvature(step, epoch))
        if step % STEPS_PER_EPOCH == 0:
            row = {"type": "epoch", "epoch": epoch, "step": step, "train_s": 1.0}
            found.append({**row, "callbacks_s": 0.1, "seconds": 60 * minutes / epochs})
            found.append(_resources(gpu_memory))
    found.append(
        {
            "type": "weights", "sha256": "0" * 64, "epoch": epochs,
            "loss_val_all_nats": 4 * step**-alpha + 0.2, "acc_val_all": 0.8,
        }
    )  # fmt: skip
    return found


def _model() -> dict[str, Any]:
    return {
        "type": "model", "parameters": 1000, "architecture": "small_cnn", "dtype": "float32",
        "device": "cpu", "classes": 10, "train_samples": 640, "val_samples": 160,
        "alpha_early_from_epoch": 5, "alpha_early_to_epoch": 15, "burn_in_ce": 1.0,
        "smoothing_steps": 10,
    }  # fmt: skip


def _batch(step: int, epoch: float, loss: float) -> dict[str, Any]:
    return {
        "type": "batch", "step": step, "epoch": epoch, "loss_train_nats": loss,
        "loss_train_bits": loss / 0.6931471805599453, "acc_train": 0.5, "lr": 0.1, "wd": 1e-4,
        "step_ns": 3_000_000, "callbacks_ns": 1_000_000,
    }  # fmt: skip


def _quarter(step: int, epoch: float, loss: float) -> dict[str, Any]:
    return {
        "type": "quarter", "step": step, "epoch": epoch, "loss_val_nats": loss, "acc_val": 0.75,
        "grad_norm": 1.0, "weight_norm": 10.0,
    }  # fmt: skip


def _curvature(step: int, epoch: float) -> dict[str, Any]:
    return {
        "type": "curvature", "step": step, "epoch": epoch, "lambda_max": 10.0 + step / 100,
        "lambda_residual": 0.001, "lambda_iterations": 10, "lambda_tolerance": 0.001,
        "hutchinson_trace": 50.0, "hutchinson_error": 2.0, "hutchinson_probes": 10,
        "subsample": 64,
    }  # fmt: skip


def _resources(gpu_memory: int | None) -> dict[str, Any]:
    reason = {} if gpu_memory else {"gpu_memory_reserved_bytes_reason": "the task runs on the CPU"}
    return {
        "type": "resources", "gpu_memory_allocated_bytes": gpu_memory,
        "gpu_memory_reserved_bytes": gpu_memory, "rss_peak_bytes": 300_000_000, **reason,
    }  # fmt: skip


def points(
    variants: Sequence[str] = tuple(SLOPES),
    lrs: Sequence[float] = (0.05, 0.1),
    seeds: Sequence[int] = (0, 1),
) -> list[dict[str, Any]]:
    return [
        {"variant": variant, "lr": lr, "weight_decay": 1e-4, "seed": seed}
        for variant in variants
        for lr in lrs
        for seed in seeds
    ]


def a_sweep(root: Path, chosen: Sequence[Mapping[str, Any]] | None = None) -> ABundle:
    """16 completed runs: alpha is the variant's, a little less at the lower rate."""
    bundle = a_bundle(root, kind="training", points=chosen or points(), repetitions=1)
    launch = bundle.run().launch()
    for task in bundle.tasks:
        launch.complete(task, rows(alpha_of(task["axes"]), seed=task["axes"]["seed"]))
    launch.end()
    return bundle


def alpha_of(axes: Mapping[str, Any]) -> float:
    alpha = SLOPES[axes["variant"]] - (0.03 if axes["lr"] == 0.05 else 0.0)
    return alpha + 0.005 * float(axes["seed"])
