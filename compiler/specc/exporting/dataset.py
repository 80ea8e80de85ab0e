"""Make the data set: one row for each task, with its axes, its state and every metric.

Pure. A kind with a table of its own gives it by `ExportRoom.dataset`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from specc.collate.cells import cell_members
from specc.collate.values import TaskResult
from specc.kinds.optional import Dataset
from specc.model import Json
from specc.problems import SpeccError

_TYPES: Mapping[str, pl.DataType] = {
    "int": pl.Int64(),
    "float": pl.Float64(),
    "text": pl.String(),
}
_ALWAYS = ("task_id", "bundle_id", "run_id", "condition_id", "repetition", "state")


class MissingColumns(SpeccError, ValueError):
    """A table lacks columns that its readers count on."""


class WrongType(SpeccError, ValueError):
    """A value does not have the type of its column."""


def default_dataset(tasks: Sequence[TaskResult], summary: Mapping[str, Json]) -> Dataset:
    """Return task id, bundle, run and condition, axes, repetition, state and each metric.

    A metric that was not measured is null; an axis or metric whose name is taken already is called
    `axis_<name>` or `metric_<name>`.
    """
    columns: dict[str, pl.Series] = {
        "task_id": pl.Series([task.task_id for task in tasks], dtype=pl.String),
        "bundle_id": pl.Series([task.bundle_id for task in tasks], dtype=pl.String),
        "run_id": pl.Series([task.run_id or None for task in tasks], dtype=pl.String),
        "condition_id": pl.Series([task.condition_id for task in tasks], dtype=pl.String),
    }
    taken = set(_ALWAYS)
    for axis in dict.fromkeys(name for task in tasks for name in task.axes):
        name = f"axis_{axis}" if axis in taken else axis
        taken.add(name)
        columns[name] = _axis([task.axes.get(axis) for task in tasks])
    columns["repetition"] = pl.Series([task.repetition for task in tasks], dtype=pl.Int64)
    columns["state"] = pl.Series([str(task.state) for task in tasks], dtype=pl.String)
    for metric, numbers in _values(tasks, summary).items():
        name = f"metric_{metric}" if metric in taken else metric
        taken.add(name)
        columns[name] = pl.Series(numbers, dtype=pl.Float64)
    return Dataset(table=pl.DataFrame(columns), required=_ALWAYS, types={})


def _values(
    tasks: Sequence[TaskResult], summary: Mapping[str, Json]
) -> dict[str, list[float | None]]:
    """Return each metric's value of each run: those that the cells' values are made of."""
    values: dict[str, list[float | None]] = {
        metric["name"]: [None] * len(tasks) for metric in summary["metrics"]
    }
    members = cell_members(tasks)
    for cell in summary["cells"]:
        places = [p for p in members[cell["cell"]] if tasks[p].state == "completed"]
        for name, metric in cell["metrics"].items():
            wanted = iter(places)
            runs = zip(metric["run_repetitions"], metric["run_values"], strict=True)
            for repetition, value in runs:
                # both are in the order of the tasks, and some tasks have no value
                place = next(one for one in wanted if tasks[one].repetition == repetition)
                values[name][place] = float(value)
    return values


def _axis(values: Sequence[Json]) -> pl.Series:
    """Return an axis as whole numbers, numbers or flags where all of its values are, else text."""
    present = [value for value in values if value is not None]
    if present and all(isinstance(value, bool) for value in present):
        return pl.Series(values, dtype=pl.Boolean)
    if present and all(type(value) is int for value in present):
        return pl.Series(values, dtype=pl.Int64)
    numbers = [_number(value) for value in present]
    if present and None not in numbers:
        return pl.Series(
            [None if value is None else _number(value) for value in values], dtype=pl.Float64
        )
    return pl.Series([None if value is None else str(value) for value in values], dtype=pl.String)


def _number(value: Json) -> float | None:
    """Return a number, also one that the spec spells in its own way (1e-4); None for any text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def checked(dataset: Dataset) -> pl.DataFrame:
    """Return the table with the types it promises. Raises MissingColumns, WrongType."""
    table = dataset.table
    missing = [name for name in dataset.required if name not in table.columns]
    if missing:
        raise MissingColumns(
            f"Missing required columns: {', '.join(missing)}",
            hint="the records of this study do not carry them; nothing was written",
        )
    for name, wanted in dataset.types.items():
        if name in table.columns:
            table = table.with_columns(_cast(table[name], _TYPES[wanted], wanted))
    return table


def _cast(column: pl.Series, dtype: pl.DataType, wanted: str) -> pl.Series:
    cast = column.cast(dtype, strict=False)
    lost = (cast.is_null() & column.is_not_null()).arg_true()
    if len(lost):
        row = int(lost[0])
        raise WrongType(
            f"column {column.name}, row {row + 1}: {column[row]!r} is no {wanted}",
            hint="nothing was written; correct what writes these records",
        )
    return cast
