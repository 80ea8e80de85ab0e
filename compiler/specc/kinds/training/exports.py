"""The data set of a training study: one row for each run, its curves as files beside it.

A column of a CSV can't hold a curve, so the four trajectory columns name files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from specc.kinds.optional import Dataset
from specc.kinds.training import runs
from specc.model import Json

QUARTER = 0.25
"""Epochs over which the training loss of the exported curve is averaged."""
VARIANT = "variant"
_METRICS = (
    *("r_squared", "knee_epoch", "burn_in_loss", "alpha_early", "alpha_full"),
    *("best_val_ce", "best_val_epoch"),
)
_SETTINGS = {"seed": "int", "lr": "float", "weight_decay": "float"}
_SERIES = {
    "loss_trajectory": "loss",
    "val_trajectory": "val",
    "lambda_max_trajectory": "lambda_max",
    "hutch_trace_trajectory": "hutch_trace",
}
_TWICE = "another run has the same id, which the file is named by"
_NO_ROW = "it was not recorded"
COLUMNS = ("run_id", VARIANT, *_SETTINGS, *_METRICS, *_SERIES)
"""Every column, in the order of the file."""
TYPES = {
    "run_id": "text",
    VARIANT: "text",
    **_SETTINGS,
    **dict.fromkeys(_METRICS, "float"),
    **dict.fromkeys(_SERIES, "text"),
}


def dataset(frames: Mapping[str, pl.LazyFrame], tasks: Sequence[Mapping[str, Json]]) -> Dataset:
    """Return the 16 columns, a row for each task; what a run does not have is null.

    run_id is the task's id.   variant: the name of the point on the axis of that name.
    """
    values = dict(runs.of_every_task(frames))
    rows = [_row(task, values.get(place, {})) for place, task in enumerate(tasks)]
    paths = _paths(frames, tasks)
    for column, series_name in _SERIES.items():
        for place, row in enumerate(rows):
            row[column] = paths[series_name].get(place)
    missing = _missing(values, paths, tasks)
    return Dataset(table=as_table(rows), required=COLUMNS, types=TYPES, missing=missing)


def _missing(
    values: Mapping[int, Mapping[str, runs.Value]],
    paths: Mapping[str, Mapping[int, str]],
    tasks: Sequence[Mapping[str, Json]],
) -> dict[str, dict[int, str]]:
    """Return why a run lacks a number or a curve, by column and row."""
    found: dict[str, dict[int, str]] = {}
    for place, of_run in values.items():
        for name in _METRICS:
            reason = of_run[name][1]
            if reason is not None:
                found.setdefault(name, {})[place] = reason
    times = Counter(task["task_id"] for task in tasks)
    for column, name in _SERIES.items():
        for place, task in enumerate(tasks):
            if place not in paths[name]:
                twice = times[task["task_id"]] > 1
                found.setdefault(column, {})[place] = _TWICE if twice else _NO_ROW
    return found


def as_table(rows: Sequence[Mapping[str, Json]]) -> pl.DataFrame:
    """Return rows as a table with the columns they have; every value keeps its own spelling."""
    names = [name for name in COLUMNS if any(name in row for row in rows) or not rows]
    return pl.DataFrame([_column(name, [row.get(name) for row in rows]) for name in names])


def series(frames: Mapping[str, pl.LazyFrame]) -> Mapping[str, pl.LazyFrame]:
    """Return the curves by name: `task`, `step`, `epoch`, `value`.

    loss: mean training loss of each quarter of an epoch; the others are as they were recorded.
    """
    quarter = (pl.col("epoch") / QUARTER).ceil().alias("quarter")
    loss = (
        frames["batches"]
        .group_by("task", quarter)
        .agg(
            pl.col("step", "epoch").last(),
            pl.col("loss_train_nats").mean().alias("value"),
        )
        .sort("task", "step")
        .select("task", "step", "epoch", "value")
    )
    curvature = frames["curvature"]
    return {
        "loss": loss,
        "val": _values(frames["quarters"], "loss_val_nats"),
        "lambda_max": _values(curvature, "lambda_max"),
        "hutch_trace": _values(curvature, "hutchinson_trace"),
    }


def _values(rows: pl.LazyFrame, column: str) -> pl.LazyFrame:
    return rows.select("task", "step", "epoch", pl.col(column).alias("value"))


def _row(task: Mapping[str, Json], values: Mapping[str, runs.Value]) -> dict[str, Any]:
    settings = task["settings"]
    return {
        "run_id": task["task_id"],
        VARIANT: task["axes"].get(VARIANT),
        **{name: settings.get(name) for name in _SETTINGS},
        **{name: values.get(name, (None, None))[0] for name in _METRICS},
    }


def _paths(
    frames: Mapping[str, pl.LazyFrame], tasks: Sequence[Mapping[str, Json]]
) -> dict[str, dict[int, str]]:
    """Return the file of each curve that a task has; none where one id stands for two runs."""
    times = Counter(task["task_id"] for task in tasks)
    found: dict[str, dict[int, str]] = {}
    for name, rows in series(frames).items():
        present = rows.select("task").unique().collect()["task"].to_list()
        found[name] = {
            place: f"timeseries/{tasks[place]['task_id']}_{name}.csv"
            for place in present
            if times[tasks[place]["task_id"]] == 1
        }
    return found


def _column(name: str, values: Sequence[Json]) -> pl.Series:
    """Return a column; texts among numbers stay texts, which the export casts or refuses."""
    if any(isinstance(value, str) for value in values) or TYPES[name] == "text":
        texts = [None if value is None else str(value) for value in values]
        return pl.Series(name, texts, dtype=pl.String)
    if TYPES[name] == "int":
        return pl.Series(name, values, dtype=pl.Int64)
    floats = [None if value is None else float(value) for value in values]
    return pl.Series(name, floats, dtype=pl.Float64)
