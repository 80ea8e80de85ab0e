"""Tables and metrics of inference: latency, throughput, memory, energy, and the same answers.

Raw rows come in; definitions are applied here, so that old rows can be read under new ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from specc.kinds.base import Measurement, Metric
from specc.kinds.inference import disturbances, energy, outputs, timelines
from specc.kinds.inference.definitions import FIXED, MEMORY
from specc.model import Json

windows = disturbances.windows
series = timelines.series

_ENERGY = pl.List(
    pl.Struct(
        {
            "scope": pl.String(),
            "source": pl.String(),
            "joules": pl.Float64(),
            "reason": pl.String(),
        }
    )
)
_THROTTLE = pl.Struct(
    {
        "core_throttles": pl.Int64(),
        "package_throttles": pl.Int64(),
        "gpu_reasons": pl.List(pl.String()),
    }
)
_MODEL = ("parameters", "checkpoint_sha256", "layout", "dtype", "attention")
_THREADS = ("threads", "interop_threads")
FAMILIES = energy.FAMILIES
_WARMUP = ("warmup", "warm_up")
_BYTES = (
    "rss_peak_bytes",
    "cgroup_peak_bytes",
    "torch_allocated_bytes",
    "torch_reserved_bytes",
    "nvml_process_bytes",
    "nvml_device_bytes",
)
_REASONS = tuple(f"{name}_reason" for name in _BYTES)
_LATENCIES = (
    ("latency_ms_per_batch", "duration_ns", "no timed batch of the latency pass"),
    ("device_ms", "device_ns", "no device clock on this device"),
)
"""(metric, its field of a `batch` record, why a run has none)."""


def record_columns() -> Mapping[str, Any]:
    """Return the polars type of every field a record of this kind may carry."""
    texts = ("pass", "phase", "checkpoint_sha256", "predictions_sha256", *_REASONS)
    texts += ("definition", "stopped_by", "accuracy_reason", "layout", "dtype", "attention")
    whole = (
        "index",
        "duration_ns",
        "device_ns",
        "samples",
        "tokens",
        "padded_tokens",
        "batches",
        "parameters",
        *_THREADS,
        *_BYTES,
    )
    return {
        **dict.fromkeys(texts, pl.String()),
        **dict.fromkeys(whole, pl.Int64()),
        "load_s": pl.Float64(),
        "accuracy": pl.Float64(),
        "energy": _ENERGY,
        "throttle": _THROTTLE,
        "logits": pl.List(pl.List(pl.Float64())),
    }


def bulk_columns() -> Mapping[str, Sequence[str]]:
    """Return the fields of a batch: small ones are timed by the hundred thousand."""
    return {
        "batch": (
            *(
                "attempt",
                "t_ns",
                "pass",
                "phase",
                "index",
                "duration_ns",
                "device_ns",
                "samples",
                "tokens",
                "padded_tokens",
            ),
        )
    }


def frames(records: pl.LazyFrame) -> dict[str, pl.LazyFrame]:
    """Return `attempts`, `batches`, `windows`, `energy`, `memory`, `models` and `outputs`."""
    keys = ["task", "attempt", "t_ns"]

    def of(type_: str, *columns: str) -> pl.LazyFrame:
        return records.filter(pl.col("type") == type_).select(*keys, *columns)

    counts = ("samples", "tokens", "padded_tokens")
    timing = ("pass", "definition", "stopped_by", "duration_ns", "batches")
    windows = of("window", *timing, *counts, "energy", "throttle")
    idle = of("idle", "duration_ns", "energy")
    return {
        "attempts": of("attempt", "epoch_ns", "pid", "slot", "neighbours"),
        "batches": of("batch", "pass", "phase", "index", "duration_ns", "device_ns", *counts),
        "windows": windows.drop("energy"),
        "energy": energy.readings(windows, idle),
        "memory": of("memory", "phase", *_BYTES, *_REASONS),
        "models": of("model", "load_s", *_MODEL, *_THREADS),
        "outputs": of(
            "outputs", "samples", "predictions_sha256", "accuracy", "accuracy_reason", "logits"
        ),
    }


def metrics(
    settings: Sequence[Mapping[str, Json]], frames: Mapping[str, pl.LazyFrame]
) -> tuple[Metric, ...]:
    """Return the fixed metrics, then energy by the scopes and sources that were read."""
    del settings
    return (*FIXED, *energy.metrics(frames["energy"]))


def measurements(frames: Mapping[str, pl.LazyFrame]) -> Iterator[Measurement]:
    """Yield the run-level value of every metric of every task that has records."""
    held = disturbances.held_against(frames)
    attempts = frames["attempts"].select("task").unique(maintain_order=True).collect()
    tasks = attempts["task"].to_list()
    yield from _latency(frames["batches"], tasks, held)
    yield from _throughput(frames["windows"], tasks, held)
    yield from _memory(frames["memory"], tasks)
    yield from energy.measurements(frames["energy"], held)


def details(
    cells: Sequence[Mapping[str, Json]],
    members: Mapping[str, Sequence[int]],
    frames: Mapping[str, pl.LazyFrame],
    analysis: Mapping[str, Json],
) -> dict[str, dict[str, Json]]:
    """Return counts, model, and agreement with the reference cell, for each cell."""
    timed = frames["batches"].filter(~pl.col("phase").is_in(_WARMUP))
    counted = timed.group_by("task").agg(pl.len().alias("batches"), pl.col("samples").sum())
    counts = {row["task"]: row for row in counted.collect().iter_rows(named=True)}
    models = {row["task"]: row for row in frames["models"].collect().iter_rows(named=True)}
    energies = energy.totals(frames["energy"])
    same = outputs.compare(cells, members, frames["outputs"], analysis.get("reference"))
    found: dict[str, dict[str, Json]] = {}
    for cell in cells:
        tasks = members[cell["cell"]]
        model = next((models[t] for t in tasks if t in models), None)
        found[cell["cell"]] = {
            "device": cell["settings"].get("device", cell["axes"].get("device")),
            "batch_size": cell["settings"].get("batch_size", cell["axes"].get("batch_size")),
            "batches": _total(counts, tasks, "batches"),
            "samples": _total(counts, tasks, "samples"),
            "load_s": model["load_s"] if model else None,
            "parameters": model["parameters"] if model else None,
            **same[cell["cell"]],
            "energy": energy.of_cell(energies, tasks),
        }
    return found


def result_cell(cell: Mapping[str, Json]) -> dict[str, Json]:
    """Return a cell in the flat shape of results-<run_id>.json."""
    detail, values = cell["details"], cell["metrics"]
    latency = values["latency_ms_per_batch"]["distribution"] or {}
    names = ("avg", "min", "max", "p50", "p90", "p95", "p99")
    best = energy.headline(detail.get("energy") or [])
    per_sample = best["joules_per_sample"] if best else None
    keep = (
        "device",
        "batch_size",
        "batches",
        "samples",
        "predictions_sha256",
        "accuracy",
        "argmax_agreement",
        "max_abs_logit_difference",
        "reference_cell",
    )
    return {
        **{name: detail.get(name) for name in keep},
        "axes": cell["axes"],
        "repetitions": cell["repetitions"],
        "verdict": cell["verdict"],
        "verdict_reason": cell["verdict_reason"],
        "latency_ms_per_batch": {name: latency.get(name) for name in names},
        "latency_refused": latency.get("refused", {}),
        "throughput_samples_per_s": values["throughput_samples_per_s"]["value"],
        **{metric.name: values[metric.name]["value"] for metric, _, _ in MEMORY},
        "energy_j_total": best["joules"] if best else None,
        "energy_j_per_sample": per_sample,
        "energy_wh_per_sample": None if per_sample is None else per_sample / 3600,
        "energy_source": best["source"] if best else "none",
        "energy_scope": best["scope"] if best else None,
        "energy_is_estimate": best["source"] == "estimate" if best else None,
        "energy_reason": None if best else energy.why_none(detail.get("energy") or []),
        "energy": detail.get("energy") or [],
        "metrics": values,
    }


def _total(counts: Mapping[int, Mapping[str, int]], tasks: Sequence[int], name: str) -> int | None:
    present = [counts[task][name] for task in tasks if task in counts]
    return sum(present) if present else None


def _latency(
    batches: pl.LazyFrame,
    tasks: Sequence[int],
    held: Mapping[int, tuple[tuple[str, str], ...]],
) -> Iterator[Measurement]:
    counted = _timed(batches).group_by("task").agg(pl.col("duration_ns", "device_ns").count())
    rows = {row["task"]: row for row in counted.collect().iter_rows(named=True)}
    for name, column, missing in _LATENCIES:
        for task in tasks:
            yield Measurement(
                task=task,
                metric=name,
                value=None,
                reason=None if rows.get(task, {}).get(column) else missing,
                warnings=held.get(task, ()),
            )


def samples(frames: Mapping[str, pl.LazyFrame]) -> Mapping[str, pl.LazyFrame]:
    """Return the time of every timed batch of the latency pass, by our clock and the device's."""
    # batches differ in width, and a pass that ends in mid-cycle must not look like drift
    relative = pl.col("duration_ns") / pl.col("duration_ns").median()
    shaped = _timed(frames["batches"]).with_columns(
        relative.over("task", "samples", "padded_tokens").alias("sequence")
    )
    return {
        name: shaped.drop_nulls(column)
        .select("task", pl.col(column) / 1e6, "sequence")
        .rename({column: "value"})
        for name, column, _ in _LATENCIES
    }


def _timed(batches: pl.LazyFrame) -> pl.LazyFrame:
    return batches.filter((pl.col("pass") == "latency") & (~pl.col("phase").is_in(_WARMUP)))


def _throughput(
    windows: pl.LazyFrame,
    tasks: Sequence[int],
    held: Mapping[int, tuple[tuple[str, str], ...]],
) -> Iterator[Measurement]:
    own = windows.filter(pl.col("pass") == "throughput")
    summed = own.group_by("task").agg(pl.col("samples").sum(), pl.col("duration_ns").sum())
    rows = {row["task"]: row for row in summed.collect().iter_rows(named=True)}
    for task in tasks:
        row = rows.get(task)
        ran = row is not None and row["duration_ns"] > 0
        yield Measurement(
            task=task,
            metric="throughput_samples_per_s",
            value=row["samples"] / row["duration_ns"] * 1e9 if row is not None and ran else None,
            reason=None if ran else "no window of the throughput pass",
            warnings=held.get(task, ()),
        )


def _memory(memory: pl.LazyFrame, tasks: Sequence[int]) -> Iterator[Measurement]:
    rows = {(r["task"], r["phase"]): r for r in memory.collect().iter_rows(named=True)}
    for metric, phase, column in MEMORY:
        for task in tasks:
            row = rows.get((task, phase))
            value = row[column] if row else None
            reason = (row or {}).get(f"{column}_reason") or f"not recorded in phase {phase}"
            yield Measurement(
                task=task,
                metric=metric.name,
                value=value,
                reason=None if value is not None else reason,
            )
