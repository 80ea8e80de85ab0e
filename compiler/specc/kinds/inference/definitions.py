"""The metrics of inference that every study has, and what each of them means."""

from __future__ import annotations

from specc.kinds.base import Metric

_LATENCY = (
    Metric(
        name="latency_ms_per_batch",
        label="Latency per batch",
        unit="ms",
        better="lower",
        definition="Wall time of one synchronised forward pass of one batch (pass `latency`, "
        "warm-up left out). A run counts with its median batch; percentiles are pooled over runs.",
    ),
    Metric(
        name="throughput_samples_per_s",
        label="Throughput",
        unit="samples/s",
        better="higher",
        definition="Samples of all windows of the pass `throughput` over their summed wall time; "
        "the device is synchronised only at a window's end.",
    ),
)


def _memory(name: str, label: str, definition: str) -> Metric:
    return Metric(name=name, label=label, unit="B", better="lower", definition=definition)


MEMORY: tuple[tuple[Metric, str, str], ...] = (
    (
        _memory(
            "peak_cpu_rss_bytes",
            "Peak RSS",
            "Largest resident set of the process while it measured, after a reset that follows the "
            "warm-up.",
        ),
        "steady",
        "rss_peak_bytes",
    ),
    (
        _memory(
            "peak_gpu_allocated_bytes",
            "Peak GPU allocated",
            "Most memory in live tensors on the device while measuring, as torch counts it.",
        ),
        "steady",
        "torch_allocated_bytes",
    ),
    (
        _memory(
            "peak_gpu_reserved_bytes",
            "Peak GPU reserved",
            "Most memory that torch's allocator held while measuring; minus allocated: "
            "fragmentation.",
        ),
        "steady",
        "torch_reserved_bytes",
    ),
    (
        _memory(
            "gpu_process_bytes",
            "GPU process memory",
            "What NVML counts for the process, contexts and library buffers included.",
        ),
        "steady",
        "nvml_process_bytes",
    ),
    (
        _memory(
            "load_cpu_rss_bytes",
            "Peak RSS at load",
            "Largest resident set of the process up to the end of loading the model.",
        ),
        "load",
        "rss_peak_bytes",
    ),
)
"""(metric, phase of the `memory` record, its field)."""

_DEVICE = Metric(
    name="device_ms",
    label="Device time per batch",
    unit="ms",
    better="lower",
    definition="Time between two events on the device around the same forward pass; only devices "
    "with a clock of their own have it.",
)

FIXED = (*_LATENCY, *(metric for metric, _, _ in MEMORY), _DEVICE)
"""Most important first."""
