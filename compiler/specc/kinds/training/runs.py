"""What one run of training comes to: best validation, slopes, power law, knee, time, memory.

Batches are read a few runs at a time; a number that can't be had is None with its reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from specc.analysis.slopes.burn_in import SPAN, burn_in
from specc.analysis.slopes.knee import two_segment_knee
from specc.analysis.slopes.log_slope import loglog_slope
from specc.analysis.slopes.power_law import power_law
from specc.kinds.training.definitions import METRICS

Value = tuple[float | None, str | None]
"""A number, or None and why."""
Row = Mapping[str, Any]

RUNS_AT_A_TIME = 16
EARLY_EPOCHS = (5.0, 15.0)
"""Where the records of a run do not say its windows."""
BURN_IN_CE = 1.0
_NO_VALIDATION = "no validation was recorded"
_NO_WEIGHTS = "no final weights were recorded"


def of_every_task(frames: Mapping[str, pl.LazyFrame]) -> Iterator[tuple[int, dict[str, Value]]]:
    """Yield each task that has records with the value or reason of every metric."""
    models = _last_rows(frames["models"])
    curvature, resources = _last_rows(frames["curvature"]), _peaks(frames["resources"])
    times = _times(frames)
    validation = _validation(frames["quarters"])
    final = {task: _final(row) for task, row in _last_rows(frames["weights"]).items()}
    seen = frames["batches"].select("task").unique().collect(engine="streaming")["task"].to_list()
    tasks = sorted({*seen, *models})
    for start in range(0, len(tasks), RUNS_AT_A_TIME):
        chunk = tasks[start : start + RUNS_AT_A_TIME]
        curves = _curves(frames["batches"], chunk)
        for task in chunk:
            values = {
                "final_val_ce": (None, _NO_WEIGHTS),
                **validation.get(task, _all_missing(_VALIDATION, _NO_VALIDATION)),
                **final.get(task, {}),
                **fits(curves.get(task), models.get(task, {})),
                **_last_values(curvature.get(task)),
                **times.get(task, _all_missing(_TIMES, "no batch was recorded")),
                **_memory(resources.get(task)),
            }
            yield task, {metric.name: values[metric.name] for metric in METRICS}


def fits(curve: pl.DataFrame | None, windows: Row) -> dict[str, Value]:
    """Return slopes, power law, burn-in and knee of one run.

    curve: step, epoch and loss_train_nats of every batch, in order; None for a run without any.
    windows: of the record `model`; what it does not say has the usual value.
    """
    if curve is None or curve.is_empty():
        return _all_missing(_FITS, "no batch was recorded")
    step, epoch, loss = (
        curve[name].cast(pl.Float64).fill_null(math.nan).to_numpy()
        for name in ("step", "epoch", "loss_train_nats")
    )
    low = _or(windows.get("alpha_early_from_epoch"), EARLY_EPOCHS[0])
    high = _or(windows.get("alpha_early_to_epoch"), EARLY_EPOCHS[1])
    burnt = burn_in(
        step,
        loss,
        _or(windows.get("burn_in_ce"), BURN_IN_CE),
        span=_or(windows.get("smoothing_steps"), SPAN),
    )
    early = (
        loglog_slope(epoch, loss, window=(low, high))
        if epoch[-1] >= high
        else f"the run ends at epoch {epoch[-1]:.4g}, before the window does ({high:g})"
    )
    full = loglog_slope(step, loss, window=(burnt.step, None)) if burnt.step is not None else None
    law = power_law(step, loss, from_step=burnt.step)
    no_burn_in = f"no burn-in: {burnt.reason}"
    knee: Value = (None, no_burn_in)
    if burnt.step is not None:
        rest = step >= burnt.step
        bend = two_segment_knee(epoch[rest], loss[rest])
        knee = (bend.value, bend.reason)
    burnt_epoch = None if burnt.step is None else float(epoch[step == burnt.step][0])
    return {
        "alpha_early": (None, early) if isinstance(early, str) else (early.value, early.reason),
        "alpha_early_effective_n": (None, early)
        if isinstance(early, str)
        else (early.effective_n, early.reason),
        "alpha_full": (None, no_burn_in) if full is None else (full.value, full.reason),
        "r_squared": (law.r_squared, law.reason),
        "r_squared_raw": _with_reason(law.r_squared_raw, law.reason or "the loss never varies"),
        "r_squared_holdout": _with_reason(
            law.r_squared_holdout, law.reason or "too little of the curve to hold a part out"
        ),
        "r_squared_effective_n": (law.effective_n, law.reason),
        "r_squared_bins": (law.bins, law.reason),
        "knee_epoch": knee,
        "burn_in_epoch": (burnt_epoch, burnt.reason),
        "burn_in_loss": (burnt.loss, burnt.reason),
    }


_FITS = (
    *("alpha_early", "alpha_early_effective_n", "alpha_full"),
    *("r_squared", "r_squared_raw", "r_squared_holdout"),
    *("r_squared_effective_n", "r_squared_bins"),
    *("knee_epoch", "burn_in_epoch", "burn_in_loss"),
)
_VALIDATION = ("best_val_ce", "best_val_epoch", "final_val_accuracy")
_TIMES = ("duration_min", "step_ms", "callback_share_pct")


def _curves(batches: pl.LazyFrame, tasks: Sequence[int]) -> dict[int, pl.DataFrame]:
    wanted = batches.filter(pl.col("task").is_in(list(tasks)))
    rows = wanted.select("task", "step", "epoch", "loss_train_nats").collect(engine="streaming")
    groups = rows.group_by("task", maintain_order=True)
    return {int(str(task)): group.sort("step") for (task,), group in groups}


def _validation(quarters: pl.LazyFrame) -> dict[int, dict[str, Value]]:
    finite = pl.col("loss_val_nats").is_finite()
    known = quarters.filter(finite)
    best = known.sort("task", "loss_val_nats", "step").group_by("task", maintain_order=True)
    lowest = best.agg(pl.col("loss_val_nats", "epoch").first()).collect()
    last = _last_rows(quarters)
    found: dict[int, dict[str, Value]] = {
        task: {
            **_all_missing(_VALIDATION[:2], "no validation loss is finite"),
            "final_val_accuracy": _with_reason(
                row["acc_val"], row["acc_val_reason"] or "the last validation has none"
            ),
        }
        for task, row in last.items()
    }
    for task, loss, epoch in lowest.iter_rows():
        found[task] |= {"best_val_ce": (loss, None), "best_val_epoch": (epoch, None)}
    return found


def _final(row: Row) -> dict[str, Value]:
    """Return what the final weights reach on all validation images; no accuracy where none is."""
    ce, reason = row["loss_val_all_nats"], row["loss_val_all_nats_reason"]
    found: dict[str, Value] = {"final_val_ce": _with_reason(ce, reason or "it was not recorded")}
    if row["acc_val_all"] is not None:
        found["final_val_accuracy"] = (row["acc_val_all"], None)
    return found


def _times(frames: Mapping[str, pl.LazyFrame]) -> dict[int, dict[str, Value]]:
    batches = frames["batches"]
    steps, callbacks = pl.col("step_ns"), pl.col("callbacks_ns")
    by_run = batches.group_by("task").agg(
        median=steps.median(), steps=steps.sum(), callbacks=callbacks.sum(), told=callbacks.count()
    )
    seconds = frames["epochs"].group_by("task").agg(pl.col("seconds").sum()).collect()
    minutes = {task: total / 60 for task, total in seconds.iter_rows()}
    found: dict[int, dict[str, Value]] = {}
    for row in by_run.collect(engine="streaming").iter_rows(named=True):
        whole = row["steps"] + row["callbacks"]
        share = 100 * row["callbacks"] / whole if row["told"] and whole else None
        step_ms = None if row["median"] is None else row["median"] / 1e6
        found[row["task"]] = {
            "duration_min": _with_reason(minutes.get(row["task"]), "no epoch was recorded"),
            "step_ms": _with_reason(step_ms, "no time of a step was recorded"),
            "callback_share_pct": _with_reason(share, "no time of callbacks was recorded"),
        }
    return found


def _last_values(row: Row | None) -> dict[str, Value]:
    if row is None:
        reason = "no curvature was recorded"
        return _all_missing(("lambda_max_final", "hutchinson_trace_final"), reason)
    return {
        f"{name}_final": _with_reason(row[name], row[f"{name}_reason"] or "it was not recorded")
        for name in ("lambda_max", "hutchinson_trace")
    }


def _memory(row: Row | None) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for metric, name in (
        ("gpu_memory_bytes", "gpu_memory_reserved_bytes"),
        ("rss_peak_bytes", "rss_peak_bytes"),
    ):
        value, reason = (None, None) if row is None else (row[name], row[f"{name}_reason"])
        found[metric] = _with_reason(value, reason or "no resources were recorded")
    return found


def _last_rows(rows: pl.LazyFrame) -> dict[int, dict[str, Any]]:
    last = rows.unique("task", keep="last", maintain_order=True).collect()
    return {row["task"]: row for row in last.iter_rows(named=True)}


def _peaks(rows: pl.LazyFrame) -> dict[int, dict[str, Any]]:
    """Return the largest values of each run: a resumed one starts to count anew."""
    numbers = ("gpu_memory_reserved_bytes", "rss_peak_bytes")
    found = rows.group_by("task").agg(
        pl.col(*numbers).max(), pl.col(*(f"{name}_reason" for name in numbers)).last()
    )
    return {row["task"]: row for row in found.collect().iter_rows(named=True)}


def _all_missing(names: Sequence[str], reason: str) -> dict[str, Value]:
    return dict.fromkeys(names, (None, reason))


def _with_reason(value: float | None, reason: str) -> Value:
    return (None, reason) if value is None else (float(value), None)


def _or(value: float | None, usual: float) -> float:
    return usual if value is None else value
