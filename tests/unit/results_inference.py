"""Records of the kind inference, by hand, as docs/contract.md has them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from results import ABundle, a_bundle

BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64)


def a_reading(
    joules: float | None, *, scope: str = "package", source: str = "rapl", reason: str | None = None
) -> dict[str, Any]:
    return {"scope": scope, "source": source, "joules": joules, "reason": reason, "detail": {}}


def rows(
    device: str,
    batch_size: int,
    *,
    seed: int = 0,
    batches: int = 60,
    energy: bool = True,
    logits: list[list[float]] | None = None,
    throttle: list[str] | None = None,
    stopped_by: str = "rule",
) -> list[dict[str, Any]]:
    """One run of one cell: 60 timed batches, two windows, memory, outputs."""
    rng = random.Random(f"{device} {batch_size} {seed}")
    run = rng.lognormvariate(0, 0.02)
    base_ms = (4 + 3.1 * batch_size) if device == "cpu" else (2.5 + 0.05 * batch_size)
    gpu = device == "cuda"
    out: list[dict[str, Any]] = [
        {"type": "model", "load_s": 1.25, "parameters": 22_000_000, "checkpoint_sha256": "a" * 64}
    ]
    milliseconds = [base_ms * run * rng.lognormvariate(0, 0.03) for _ in range(batches + 5)]
    out.extend(_batch(n, int(ms * 1e6), batch_size, gpu) for n, ms in enumerate(milliseconds))
    watts = 230.0 if gpu else 90.0
    scope, source = ("device", "nvml") if gpu else ("package", "rapl")

    def read(joules: float) -> list[dict[str, Any]]:
        if not energy:
            why = "no powercap zone can be read (permission denied)"
            return [a_reading(None, scope=scope, source="none", reason=why)]
        return [a_reading(joules, scope=scope, source=source)]

    out.append({"type": "idle", "duration_ns": 2_000_000_000, "energy": read(watts * 0.3 * 2)})
    for _ in range(2):
        duration_ns = int(2.1e9 * rng.lognormvariate(0, 0.001))
        count = int(2000 / (base_ms * run * 0.93))
        state = {
            "start": {},
            "end": {},
            "core_throttles": 0,
            "package_throttles": None,
            "gpu_reasons": throttle or [],
        }
        window = {"stopped_by": stopped_by, "duration_ns": duration_ns, "batches": count}
        energies = read(watts * duration_ns / 1e9)
        window |= {"samples": count * batch_size, "energy": energies, "throttle": state}
        out.append({"type": "window", "pass": "throughput", **window})
    out.extend(_memory(gpu, batch_size))
    out.append(
        {
            "type": "outputs",
            "samples": 4,
            "predictions_sha256": "b" * 64,
            "accuracy": 0.78,
            "logits": logits
            or [[0.1, 0.9 + (1e-6 if gpu else 0)], [2.0, -1.0], [0.3, 0.1], [-1.0, 1.0]],
        }
    )
    return out


def _batch(index: int, ns: int, batch_size: int, gpu: bool) -> dict[str, Any]:
    """Return one batch of the latency pass; the first five are warm-up, and slow."""
    return {
        "type": "batch",
        "pass": "latency",
        "phase": "timed" if index >= 5 else "warmup",
        "index": index,
        "duration_ns": ns * (1 if index >= 5 else 9),
        "device_ns": ns - 1000 if gpu else None,
        "samples": batch_size,
        "tokens": 20 * batch_size,
        "padded_tokens": 32 * batch_size,
    }


def _memory(gpu: bool, batch_size: int) -> Iterator[dict[str, Any]]:
    none = "no CUDA device"
    for phase, rss in (("load", 900), ("steady", 620 + 4 * batch_size)):
        yield {
            "type": "memory",
            "phase": phase,
            "rss_peak_bytes": rss * 2**20,
            "rss_peak_bytes_reason": None,
            "cgroup_peak_bytes": None,
            "cgroup_peak_bytes_reason": "no cgroup of its own",
            "torch_allocated_bytes": (95 + 6 * batch_size) * 2**20 if gpu else None,
            "torch_allocated_bytes_reason": None if gpu else none,
            "torch_reserved_bytes": (120 + 7 * batch_size) * 2**20 if gpu else None,
            "torch_reserved_bytes_reason": None if gpu else none,
            "nvml_process_bytes": 600 * 2**20 if gpu else None,
            "nvml_process_bytes_reason": None if gpu else none,
            "nvml_device_bytes": None,
            "nvml_device_bytes_reason": none,
        }


def a_study(
    root: Path,
    *,
    repetitions: int = 3,
    cuda: bool = True,
    energy: bool = True,
    batch_sizes: tuple[int, ...] = BATCH_SIZES,
    **changes: Any,
) -> ABundle:
    """CPU and CUDA over batch sizes; without cuda those points are not run."""
    points = [{"device": d, "batch_size": b} for d in ("cpu", "cuda") for b in batch_sizes]
    missing = (
        {} if cuda else {n: "no CUDA device" for n, p in enumerate(points) if p["device"] == "cuda"}
    )

    def shape(axes: Mapping[str, Any]) -> str:
        return "1-cpu" if axes["device"] == "cpu" else "2-gpu"

    bundle = a_bundle(
        root,
        kind="inference",
        name="distilbert",
        points=points,
        not_run=missing,
        repetitions=repetitions,
        shape_of=shape,
        **changes,
    )
    run = bundle.run()
    for name in ("1-cpu", "2-gpu") if cuda else ("1-cpu",):
        launch = run.launch(name)
        for task in bundle.tasks:
            if task["shape"] == name:
                axes = task["axes"]
                launch.complete(
                    task,
                    rows(
                        axes["device"], axes["batch_size"], seed=task["repetition"], energy=energy
                    ),
                )
        launch.end()
    return bundle
