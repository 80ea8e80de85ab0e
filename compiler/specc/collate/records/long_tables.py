"""Write tables that don't fit into memory, and leave them as they are while nothing changed."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from specc.collate.records.cache import Cache, key_of, said_of

_MEMORY = "tables"


class Long:
    """Writes long tables as Parquet, piece by piece; rows stay in the order of their files."""

    def __init__(self, folder: Path, tasks: pl.DataFrame, records: str, cache: Cache) -> None:
        """tasks: where each task stands in the study.   records: names the rows of the study."""
        axes = [name for name in tasks.columns if name.startswith("axis_")]
        # written as numbers of a list of texts, which costs a fraction of the texts themselves
        texts = [name for name, type_ in tasks.schema.items() if type_ == pl.String]
        self._keys = tasks.with_columns(pl.col(texts).cast(pl.Categorical())).select(
            "task", "cell", "bundle_id", "run_id", "task_id", "repetition", *axes
        )
        self._folder = folder
        self._records = records
        self._cache = cache
        self._known = cache.remembered(_MEMORY)
        self.written: list[Path] = []

    def write(self, name: str, table: pl.LazyFrame) -> int:
        """Write a table, and return how many rows it has."""
        path = self._folder / f"{name}.parquet"
        path.with_suffix(".csv").unlink(missing_ok=True)
        whole = self._keyed(table)
        key = key_of(self._records, self._keys.write_json(), table.explain(optimized=False))
        known = self._known.get(name) or {}
        if known.get("key") != key or not self._cache.as_written(path, known.get("said")):
            self._cache.progress(f"writing {path.name}")
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f".{path.name}.part")
            whole.sink_parquet(part, compression="zstd", compression_level=1)
            part.replace(path)
            rows = pl.scan_parquet(path).select(pl.len()).collect().item()
            self._known[name] = {"key": key, "said": said_of(path), "rows": rows}
            self._cache.remember(_MEMORY, self._known)
        self.written.append(path)
        return int(self._known[name]["rows"])

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
