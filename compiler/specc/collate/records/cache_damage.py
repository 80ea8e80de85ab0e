"""Name the cache where its tables can't be read although they look as they were left.

Bytes that a disk lost change neither size nor time of change, and asking each table's hash each
time would cost what the cache spares.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from polars.exceptions import PolarsError

from specc.collate.records.cache import Cache
from specc.collate.values import ResultsInvalid


@contextmanager
def cache_damage_named(cache: Cache) -> Iterator[None]:
    """Raise ResultsInvalid with the folders to delete where polars can't read what they hold."""
    try:
        yield
    except PolarsError as reason:
        folders = ", ".join(str(folder) for folder in cache.places if folder.is_dir())
        if not folders:
            raise
        raise ResultsInvalid(
            f"{folders}: what an earlier collate kept there can't be read ({reason})",
            hint="delete it, or collate with --rehash: it is made again from the results",
        ) from reason
