"""Write what collate made: tables, documents, checksums. The door to the output folder.

Every file is written to a temporary name and moved, so that a reader never sees half of one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from operator import itemgetter
from pathlib import Path

import polars as pl

from specc.collate.records.cache import Cache, sha256_of
from specc.collate.records.long_tables import Long
from specc.collate.rooms import tables_room
from specc.collate.values import Study, TaskResult
from specc.model import Json

SUMS = "SHA256SUMS"
_TOGETHER = 256
"""Items of a list that are written at once."""
_HOLE = "\ue000metrics\ue000"
"""Stands where a text is put in; what holds it of its own accord is written in one piece."""
CSV_ROWS = 1_000_000
"""Longer tables are written as Parquet only: no spreadsheet takes more rows."""


def write_text(path: Path, text: str) -> Path:
    """Write a text file whole or not at all."""
    return write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> Path:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(data)
    part.replace(path)
    return path


def write_json(path: Path, value: Json, shared: dict[int, str] | None = None) -> Path:
    """Write one JSON object, a part at a time; see `json_text`.

    shared: what is known of `metrics` that items of several documents have in common, by the ids of
    these; it grows. They must live as long as it does.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with part.open("wb", buffering=1 << 20) as file:
        file.writelines(text.encode() for text in _json_parts(value, shared))
    part.replace(path)
    return path


def json_text(value: Json) -> str:
    """Return one JSON object, a line for each field and for each item of a field that is a list.

    Ten thousand cells indented to their depths would take seconds. Raises ValueError for NaN.
    """
    return "".join(_json_parts(value))


def _encoder(*, sort_keys: bool = False, ensure_ascii: bool = True) -> Callable[[Json], str]:
    """Return what encodes one value after the other, and refuses NaN.

    `json` makes its encoder anew for every value, which costs a third of what a small one takes.
    """
    whole = json.JSONEncoder(
        sort_keys=sort_keys, ensure_ascii=ensure_ascii, allow_nan=False, check_circular=False
    )
    names = ("c_make_encoder", "c_encode_basestring", "c_encode_basestring_ascii")
    make, text, ascii_text = (getattr(json.encoder, name, None) for name in names)
    quote = ascii_text if ensure_ascii else text
    if make is None or quote is None:
        return whole.encode
    parts = make(None, whole.default, quote, None, ": ", ", ", sort_keys, False, False)
    return lambda value: "".join(parts(value, 0))


def _json_parts(value: Json, shared: dict[int, str] | None = None) -> Iterator[str]:
    encode = _encoder(ensure_ascii=False)

    def item_text(item: Json) -> str:
        """Return an item, its metrics as they were written before: most of it are metrics."""
        metrics = item.get("metrics") if shared is not None and isinstance(item, dict) else None
        if shared is None or not isinstance(metrics, dict):
            return encode(item)
        text = shared.get(id(metrics))
        if text is None:
            text = shared[id(metrics)] = encode(metrics)
        head, _, tail = encode({**item, "metrics": _HOLE}).partition(f'"{_HOLE}"')
        return encode(item) if _HOLE in tail else f"{head}{text}{tail}"

    before = "{\n"
    for name, part in value.items():
        yield f"{before}{encode(name)}: "
        before = ",\n"
        if isinstance(part, list) and part:
            gap = "[\n  "
            for first in range(0, len(part), _TOGETHER):
                yield gap
                gap = ",\n  "
                yield gap.join(map(item_text, part[first : first + _TOGETHER]))
            yield "\n]"
        else:
            yield encode(part)
    yield f"{'' if value else before}\n}}\n"


def write_tables(
    folder: Path,
    study: Study,
    frames: Mapping[str, pl.LazyFrame],
    rows: Mapping[str, int],
    cells: Sequence[Json],
    *,
    cache: Cache,
) -> tuple[list[Path], dict[str, int]]:
    """Write every table as Parquet and CSV; each row of a kind's table carries its point.

    rows: how many each of the kind's tables has.
    Returns the files, and the rows of each table that is too long for CSV.
    """
    keys = _task_table(study.tasks, cells)
    tables = {"tasks": keys, "cells": _cell_table(cells, keys), "attempts": study.attempts}
    written = []
    for name, frame in frames.items():
        if rows[name] <= CSV_ROWS:
            tables[name] = _keyed(frame.collect(), keys)
    for name, table in tables.items():
        flat = _flat(table)
        written.append(_write_table(folder / f"{name}.parquet", flat))
        written.append(_write_table(folder / f"{name}.csv", flat))
    without_csv = {name: n for name, n in rows.items() if name not in tables}
    if without_csv:
        long = Long(folder, keys, tables_room(study.kind), study.records, cache)
        written += [long.write(name, frames[name], n) for name, n in without_csv.items()]
    return written, without_csv


def write_rows(folder: Path, name: str, rows: Sequence[Mapping[str, Json]]) -> list[Path]:
    """Write a table of its own, which no task's point belongs to, as Parquet and CSV."""
    table = pl.DataFrame(list(rows), infer_schema_length=None)
    # a column without any value has no type, which not every reader of Parquet takes
    table = table.with_columns(pl.col(pl.Null).cast(pl.Float64))
    return [_write_table(folder / f"{name}{suffix}", table) for suffix in (".parquet", ".csv")]


def _write_table(path: Path, table: pl.DataFrame) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    if path.suffix == ".parquet":
        table.write_parquet(part, compression="zstd")
    else:
        table.write_csv(part)
    part.replace(path)
    return path


def _task_table(tasks: tuple[TaskResult, ...], cells: Iterable[Json]) -> pl.DataFrame:
    """Return one row for each task: where it stands in the study and what became of it."""
    cell_of: dict[tuple[str, str | None, str | None, str], str] = {}
    for cell in cells:
        for task_id in cell["tasks"]:
            key = (cell["bundle_id"], cell["run_id"], cell["condition_id"], task_id)
            cell_of[key] = cell["cell"]
            # a repetition that was left out has no condition of its own
            cell_of.setdefault((key[0], key[1], None, task_id), cell["cell"])
    fixed = {
        "task": range(len(tasks)),
        "cell": [cell_of.get((t.lineage, t.run_id, t.condition_id, t.task_id)) for t in tasks],
        "bundle_id": [t.bundle_id for t in tasks],
        "run_id": [t.run_id or None for t in tasks],
        "condition_id": [t.condition_id for t in tasks],
        "task_id": [t.task_id for t in tasks],
        "repetition": [t.repetition for t in tasks],
        "state": [t.state for t in tasks],
        "reason": [t.reason for t in tasks],
        "attempt": [t.attempt for t in tasks],
        "attempts": [t.attempts for t in tasks],
        "launch": [t.launch for t in tasks],
        "duration_s": [t.duration_s for t in tasks],
        "cure": [None if t.cure is None else json.dumps(t.cure, sort_keys=True) for t in tasks],
        "settings": list(map(_encoder(sort_keys=True), (t.settings for t in tasks))),
    }
    types = {
        **dict.fromkeys(fixed, pl.String()),
        **dict.fromkeys(("task", "repetition", "attempt", "attempts"), pl.Int64()),
        "duration_s": pl.Float64(),
    }
    names = dict.fromkeys(name for t in tasks for name in t.axes)
    axes = [_axis(f"axis_{name}", [t.axes.get(name) for t in tasks]) for name in names]
    return pl.DataFrame(fixed, schema=types).with_columns(axes)


def _cell_table(cells: Sequence[Json], tasks: pl.DataFrame) -> pl.DataFrame:
    """Return one row for each metric of each cell: value, interval, verdict, percentiles."""
    numbers = ("value", "low", "high", "level")
    texts = ("reason", "unit", "better", "interval_method", "verdict", "verdict_reason")
    spread = ("samples", "effective_samples", "avg", "min", "p50", "p90", "p95", "p99", "max")
    own = (*numbers, "n", *texts)
    pick = itemgetter(*own)
    metrics = [metric for cell in cells for metric in cell["metrics"].values()]
    # one look at each, for all of them are more than a processor keeps near
    picked = list(map(pick, metrics))
    spreads = [metric["distribution"] or {} for metric in metrics]
    none: list[None] = [None] * len(metrics)
    columns = {
        "cell": [cell["cell"] for cell in cells for _ in cell["metrics"]],
        "metric": [name for cell in cells for name in cell["metrics"]],
        **{key: [each[at] for each in picked] for at, key in enumerate(own)},
        **{key: [one.get(key) for one in spreads] if any(spreads) else none for key in spread},
    }
    schema = {
        **dict.fromkeys(("cell", "metric"), pl.String()),
        **dict.fromkeys(numbers, pl.Float64()),
        "n": pl.Int64(),
        **dict.fromkeys(texts, pl.String()),
        **dict.fromkeys(spread, pl.Float64()),
    }
    axes = [f"axis_{name}" for name in dict.fromkeys(n for cell in cells for n in cell["axes"])]
    keys = tasks.select("cell", "bundle_id", "run_id", "condition_id", *axes)
    keys = keys.unique("cell", keep="first", maintain_order=True)
    return keys.join(pl.DataFrame(columns, schema=schema), on="cell", maintain_order="left_right")


def _axis(name: str, values: list[Json]) -> pl.Series:
    """Return an axis as numbers when all of its values are, else as text."""
    present = [v for v in values if v is not None]
    if present and all(isinstance(v, bool) for v in present):
        return pl.Series(name, values, dtype=pl.Boolean)
    if present and all(isinstance(v, int) and not isinstance(v, bool) for v in present):
        return pl.Series(name, values, dtype=pl.Int64)
    if present and all(isinstance(v, int | float) and not isinstance(v, bool) for v in present):
        return pl.Series(name, [None if v is None else float(v) for v in values])
    texts = [v if v is None or isinstance(v, str) else json.dumps(v) for v in values]
    return pl.Series(name, texts, dtype=pl.String)


def _keyed(table: pl.DataFrame, tasks: pl.DataFrame) -> pl.DataFrame:
    """Put run, task id, repetition and axes before the columns of a kind's table."""
    axes = [name for name in tasks.columns if name.startswith("axis_")]
    keys = tasks.select("task", "cell", "bundle_id", "run_id", "task_id", "repetition", *axes)
    joined = keys.join(table, on="task", how="inner", maintain_order="left_right")
    return joined.drop("task")


def _flat(table: pl.DataFrame) -> pl.DataFrame:
    """Return the table with lists and structs as JSON text, which CSV can hold as well."""
    nested = [n for n, t in table.schema.items() if isinstance(t, pl.List | pl.Struct)]
    return table.with_columns(
        pl.Series(
            name,
            [None if v is None else json.dumps(v) for v in table[name].to_list()],
            dtype=pl.String,
        )
        for name in nested
    )


def vouched_for(out: Path) -> dict[str, str]:
    """Return path -> SHA-256 of the files that an earlier report in a folder lists."""
    try:
        lines = (out / SUMS).read_text("utf-8").splitlines()
    except (OSError, ValueError):
        return {}
    parts = [line.partition("  ") for line in lines]
    return {name: digest for digest, _, name in parts if ".." not in Path(name).parts}


def remove_stale(out: Path, before: Mapping[str, str], written: Iterable[Path]) -> None:
    """Remove what an earlier report wrote and this one has not; what was changed since is left."""
    kept = {file.relative_to(out).as_posix() for file in written}
    for name in sorted(set(before) - kept):
        file = out / name
        if not file.resolve().is_relative_to(out.resolve()) or not file.is_file():
            continue
        if sha256_of(file) == before[name]:
            file.unlink()


def write_sums(out: Path, files: Iterable[Path]) -> Path:
    """Write SHA256SUMS over the files given, as `sha256sum -c` reads it."""
    names = {file.relative_to(out).as_posix(): file for file in files}
    ordered = sorted(names)
    # a processor each for the two large ones, the summary and the results of a run
    with ThreadPoolExecutor(2) as pool:
        hashes = pool.map(sha256_of, [names[name] for name in ordered])
        lines = [f"{one}  {name}\n" for one, name in zip(hashes, ordered, strict=True)]
    return write_text(out / SUMS, "".join(lines))
