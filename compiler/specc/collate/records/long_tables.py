"""Write tables that don't fit into memory, and leave them as they are while nothing changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
from polars.io.plugins import register_io_source

from specc.collate.records.cache import Cache, key_of, said_of
from specc.collate.records.computed import code_of
from specc.collate.values import Records
from specc.kinds.base import TablesRoom

BATCH_ROWS = 1_000_000
"""Rows that are asked for at a time; of a longer run all rows, which come by and by."""
CHUNK_ROWS = 100_000
"""Rows that are in memory at a time, several times over."""
_MEMORY = "tables"


class Long:
    """Writes long tables as Parquet, some rows at a time; tasks stand in the order of their files.

    The memory this takes does not grow with the rows: polars is never asked for the whole table,
    for it would hold something of every file that the table comes from.
    """

    def __init__(
        self, folder: Path, tasks: pl.DataFrame, room: TablesRoom, records: Records, cache: Cache
    ) -> None:
        """tasks: where each task stands in the study."""
        axes = [name for name in tasks.columns if name.startswith("axis_")]
        # written as numbers of a list of texts, which costs a fraction of the texts themselves
        texts = [name for name, type_ in tasks.schema.items() if type_ == pl.String]
        self._keys = tasks.with_columns(pl.col(texts).cast(pl.Categorical())).select(
            "task", "cell", "bundle_id", "run_id", "task_id", "repetition", *axes
        )
        self._folder = folder
        self._room = room
        self._records = records
        code = [code_of(room), Path(__file__).read_text("utf-8")]
        self._key = key_of(records.key, self._keys.write_json(), code)
        self._cache = cache
        self._known = cache.remembered(_MEMORY)

    def write(self, name: str, rows: int) -> Path:
        """Write a table of so many rows."""
        path = self._folder / f"{name}.parquet"
        path.with_suffix(".csv").unlink(missing_ok=True)
        key = key_of(self._key, name)
        known = self._known.get(name) or {}
        # rows that are read into memory have no name
        same = self._records.key != "" and known.get("key") == key
        if not (same and self._cache.as_written(path, known.get("said"))):
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f".{path.name}.part")
            whole = register_io_source(
                lambda *_: self._chunks(name, rows), schema=self._schema(name)
            )
            whole.sink_parquet(part, compression="zstd", compression_level=1)
            part.replace(path)
            self._known[name] = {"key": key, "said": said_of(path)}
            self._cache.remember(_MEMORY, self._known)
        return path

    def _schema(self, name: str) -> pl.Schema:
        none = self._records.parts[0].frame.limit(0)
        return self._keyed(self._room.frames(none)[name]).collect_schema()

    def _chunks(self, name: str, rows: int) -> Iterator[pl.DataFrame]:
        done = 0
        for batch in self._records.batches(BATCH_ROWS):
            table = self._keyed(self._room.frames(batch)[name])
            for chunk in table.collect_batches(chunk_size=CHUNK_ROWS, maintain_order=True):
                said = f"writing {name}.parquet: {done / 1e6:.1f} of {rows / 1e6:.1f} million rows"
                self._cache.progress(said)
                done += chunk.height
                yield chunk

    def _keyed(self, table: pl.LazyFrame) -> pl.LazyFrame:
        """Put run, task id, repetition and axes before the columns of the table."""
        schema = table.collect_schema()
        nested = [n for n, t in schema.items() if isinstance(t, pl.List | pl.Struct)]
        flat = table.with_columns(
            pl.col(name).map_batches(_as_json, return_dtype=pl.String(), is_elementwise=True)
            for name in nested
        )
        joined = flat.join(self._keys.lazy(), on="task", how="inner", maintain_order="left")
        own = [name for name in schema if name != "task"]
        return joined.select(*(name for name in self._keys.columns if name != "task"), *own)


def _as_json(values: pl.Series) -> pl.Series:
    texts = [None if value is None else json.dumps(value) for value in values.to_list()]
    return pl.Series(values.name, texts, dtype=pl.String)
