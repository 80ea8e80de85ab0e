"""Tables and metrics of training: what every record says, and what a run comes to.

Raw rows come in; windows and fits are applied here, so that old rows can be read under new ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from specc.kinds.base import Measurement, Metric, Window
from specc.kinds.training import across as over_cells
from specc.kinds.training import exports, runs
from specc.kinds.training.definitions import METRICS
from specc.kinds.training.pairing import SEED
from specc.model import Json

dataset = exports.dataset
series = exports.series
across = over_cells.across
REPLICATES = (SEED,)
ROW_BY_ROW = frozenset(
    {"batches", "quarters", "slopes", "curvature", "noise", "epochs", "warnings", "models"}
)

_BATCH = (
    *("step", "epoch", "loss_train_nats", "loss_train_bits", "acc_train"),
    *("lr", "wd", "step_ns", "callbacks_ns"),
)
_WITH_REASONS = {
    "quarters": ("loss_val_nats", "acc_val", "grad_norm", "weight_norm"),
    "slopes": ("loss_slope", "loss_slope_error"),
    "curvature": ("lambda_max", "lambda_residual", "hutchinson_trace", "hutchinson_error"),
    "noise": ("psd_tail", "gradient_variance", "residual_power"),
    "resources": ("gpu_memory_allocated_bytes", "gpu_memory_reserved_bytes", "rss_peak_bytes"),
    "weights": ("loss_val_all_nats", "acc_val_all"),
}
"""Values that may be null, with `<name>_reason` beside them."""
_CURVATURE = ("lambda_iterations", "lambda_tolerance", "hutchinson_probes", "subsample")
_SLOPE = ("loss_slope_points", "loss_slope_skipped")
_NOISE = ("window_losses", "gradient_batches", "gradient_batch_size")
_WINDOWS = ("alpha_early_from_epoch", "alpha_early_to_epoch", "burn_in_ce", "smoothing_steps")
_MODEL = (
    *("parameters", "architecture", "dtype", "device", "classes"),
    *("train_samples", "val_samples", "quarter_samples", "steps_per_epoch"),
)
_EPOCH = ("train_s", "callbacks_s", "seconds")


def record_columns() -> Mapping[str, Any]:
    """Return the polars type of every field a record of this kind may carry."""
    reasons = [f"{name}_reason" for names in _WITH_REASONS.values() for name in names]
    texts = (
        *("architecture", "dtype", "device", "callback", "message", "checkpoint", "reason"),
        "sha256",
    )
    whole = (
        *("step", "step_ns", "callbacks_ns", "parameters", "classes", "times"),
        *("train_samples", "val_samples", "quarter_samples", "steps_per_epoch"),
        *("lambda_iterations", "hutchinson_probes", "subsample"),
        *_WITH_REASONS["resources"],
        *_SLOPE,
        *_NOISE,
    )
    real = (
        *("epoch", "loss_train_nats", "loss_train_bits", "acc_train", "lr", "wd"),
        *(
            name
            for key in ("quarters", "slopes", "curvature", "noise", "weights")
            for name in _WITH_REASONS[key]
        ),
        "lambda_tolerance",
        *_WINDOWS,
        *_EPOCH,
    )
    return {
        **dict.fromkeys((*texts, *reasons), pl.String()),
        **dict.fromkeys(whole, pl.Int64()),
        **dict.fromkeys(real, pl.Float64()),
    }


def bulk_columns() -> Mapping[str, Sequence[str]]:
    """Return the fields of a batch: a study of 216 runs has millions of them."""
    return {"batch": ("attempt", "t_ns", *_BATCH)}


def frames(records: pl.LazyFrame) -> dict[str, pl.LazyFrame]:
    """Return `batches`, `quarters`, `slopes`, `curvature`, `noise`, `epochs`, `warnings`,
    `resumes`, `resources`, `models`, `weights` and `starts` (of attempts, with their neighbours).

    `slopes` is what the run said of itself while it went on, over all steps from the first; the
    slopes of the report are taken anew of `batches`, over their windows.
    """
    keys = ["task", "attempt", "t_ns"]

    def of(type_: str, *columns: str) -> pl.LazyFrame:
        return records.filter(pl.col("type") == type_).select(*keys, *columns)

    def reasoned(table: str) -> tuple[str, ...]:
        names = _WITH_REASONS[table]
        return (*names, *(f"{name}_reason" for name in names))

    return {
        "batches": of("batch", *_BATCH),
        "quarters": of("quarter", "step", "epoch", *reasoned("quarters")),
        "slopes": of("slope", "step", "epoch", *reasoned("slopes"), *_SLOPE),
        "curvature": of("curvature", "step", "epoch", *reasoned("curvature"), *_CURVATURE),
        "noise": of("noise", "step", "epoch", *reasoned("noise"), *_NOISE),
        "epochs": of("epoch", "epoch", "step", *_EPOCH),
        "warnings": of("warning", "step", "callback", "message", "times"),
        "resumes": of("resume", "epoch", "step", "checkpoint", "reason"),
        "resources": of("resources", "step", "epoch", *reasoned("resources")),
        "weights": of("weights", "epoch", "sha256", *reasoned("weights")),
        "models": of("model", *_MODEL, *_WINDOWS),
        "starts": of("attempt", "epoch_ns", "slot", "neighbours"),
    }


def metrics(
    settings: Sequence[Mapping[str, Json]], frames: Mapping[str, pl.LazyFrame]
) -> tuple[Metric, ...]:
    """Return the metrics that every training run has."""
    del settings, frames
    return METRICS


def measurements(frames: Mapping[str, pl.LazyFrame]) -> Iterator[Measurement]:
    """Yield the run-level value of every metric of every task that has records."""
    for task, values in runs.of_every_task(frames):
        for name, (value, reason) in values.items():
            yield Measurement(task=task, metric=name, value=value, reason=reason)


def samples(frames: Mapping[str, pl.LazyFrame]) -> Mapping[str, pl.LazyFrame]:
    """Return nothing: the values of one curve are no repeated measurements."""
    del frames
    return {}


def windows(frames: Mapping[str, pl.LazyFrame]) -> Iterator[Window]:
    """Yield nothing: neighbours change how long a run takes, not what it learns."""
    del frames
    return iter(())


def details(
    cells: Sequence[Mapping[str, Json]],
    members: Mapping[str, Sequence[int]],
    frames: Mapping[str, pl.LazyFrame],
    analysis: Mapping[str, Json],
) -> dict[str, dict[str, Json]]:
    """Return model and data of each cell, its failed callbacks, resumes and neighbours."""
    del analysis
    models = {row["task"]: row for row in frames["models"].collect().iter_rows(named=True)}
    warnings, resumes = _failed_callbacks(frames["warnings"]), _counts(frames["resumes"])
    beside = _neighbours(frames["starts"])
    found: dict[str, dict[str, Json]] = {}
    for cell in cells:
        tasks = members[cell["cell"]]
        model = next((models[task] for task in tasks if task in models), None)
        found[cell["cell"]] = {
            **{name: None if model is None else model[name] for name in _MODEL},
            "warnings": sum(warnings.get(task, 0) for task in tasks) if tasks else None,
            "resumes": sum(resumes.get(task, 0) for task in tasks) if tasks else None,
            "neighbours": max((beside[task] for task in tasks if task in beside), default=None),
        }
    return found


def result_cell(cell: Mapping[str, Json]) -> dict[str, Json]:
    """Return axes, repetitions, model and metrics of a cell."""
    keys = ("cell", "axes", "repetitions", "verdict", "verdict_reason", "details", "metrics")
    return {key: cell[key] for key in keys}


def _counts(rows: pl.LazyFrame) -> dict[int, int]:
    return dict(rows.group_by("task").len().collect().iter_rows())


def _failed_callbacks(rows: pl.LazyFrame) -> dict[int, int]:
    """Return how often callbacks failed in each task, as far as rows tell: they get fewer."""
    by_callback = rows.group_by("task", "callback").agg(
        pl.max_horizontal(pl.col("times").max(), pl.len()).alias("times")
    )
    return dict(by_callback.group_by("task").agg(pl.col("times").sum()).collect().iter_rows())


def _neighbours(rows: pl.LazyFrame) -> dict[int, int]:
    """Return how many other tasks ran at some time beside each."""
    counts = rows.select("task", pl.col("neighbours").list.len().fill_null(0).alias("count"))
    return dict(counts.group_by("task").agg(pl.col("count").max()).collect().iter_rows())
