"""export: a study in other programs' formats, from the same numbers as its report.

Every file is written whole or not at all; twice the same input gives the same bytes, but for the
date in the data set's metadata. Start reading here.
"""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import polars as pl

from specc.collate.export import json_text, write_bytes
from specc.collate.pipeline import Analysed, analyse
from specc.collate.records.cache import Cache, caches_in
from specc.collate.records.cache_damage import cache_damage_named
from specc.collate.records.computed import BATCH_ROWS
from specc.collate.rooms import tables_room
from specc.comparing.junit import junit
from specc.exporting.cases import cases
from specc.exporting.csv_text import TooSmallForCsv, six_decimals
from specc.exporting.dataset import checked, default_dataset
from specc.exporting.metadata import describe_table, export_date
from specc.exporting.prometheus import exposition
from specc.exporting.ro_crate import METADATA, FileFacts, crate
from specc.exporting.timeseries import series_files
from specc.kinds.optional import Dataset
from specc.model import Json
from specc.problems import ExitCode, SpeccError

FORMATS = ("dataset", "prometheus", "junit", "ro-crate")


class UnknownFormat(SpeccError):
    """A name for --format that stands for nothing."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written."""

    out: Path
    paths: tuple[Path, ...]
    refused: TooSmallForCsv | None
    """Why there is no CSV; None when there is one, or when none was asked for."""
    completeness: Mapping[str, Json]


def read_formats(text: str) -> tuple[str, ...]:
    """Return the formats named, in a fixed order; "all" names all. Raises UnknownFormat."""
    named = {word.strip() for word in text.split(",") if word.strip()}
    unknown = sorted(named - {*FORMATS, "all"})
    if unknown or not named:
        raise UnknownFormat(
            f"no format is called {', '.join(unknown) or repr(text)}",
            hint=f"--format takes {', '.join(FORMATS)} (commas between), or all",
        )
    return FORMATS if "all" in named else tuple(name for name in FORMATS if name in named)


def export(
    paths: Sequence[Path],
    out: Path,
    formats: Sequence[str],
    *,
    reports: Iterable[Path] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> Exported:
    """Write a study in the formats asked for. Raises ResultsInvalid, MissingColumns, WrongType.

    reports: folders that collate has written to, whose caches spare reading long results again.
    """
    cache = Cache(others=caches_in([*reports, out]), progress=progress)
    with cache_damage_named(cache):
        made = analyse(paths, cache, progress=progress)
        progress("writing")
        return _export(made, out, formats)


def _export(made: Analysed, out: Path, formats: Sequence[str]) -> Exported:
    exported = export_date(_now_s())
    written: dict[str, FileFacts] = {}
    refused = None
    if "dataset" in formats:
        files, refused = _dataset(made, exported)
        for path, data in chain(files.items(), _series(made)):
            written[path] = _write(out, path, data)
    if "prometheus" in formats:
        data = exposition(made.summary).encode()
        written["metrics.prom"] = _write(out, "metrics.prom", data)
    if "junit" in formats:
        text = junit(cases(made.summary), name=str(made.summary["name"]))
        written["junit.xml"] = _write(out, "junit.xml", text.encode())
    if "ro-crate" in formats:
        told = crate(made.summary, written, exported)
        written[METADATA] = _write(out, METADATA, json_text(told).encode())
    if refused is not None:
        # of an earlier export; beside this Parquet file it would be believed
        (out / f"{made.summary['name']}.csv").unlink(missing_ok=True)
    paths = tuple(out / path for path in written)
    done = made.summary["completeness"]
    return Exported(out=out, paths=paths, refused=refused, completeness=done)


def _write(out: Path, path: str, data: bytes) -> FileFacts:
    """Write a file, and keep of it what the crate will say."""
    write_bytes(out / path, data)
    return FileFacts(size=len(data), sha256=hashlib.sha256(data).hexdigest())


def _now_s() -> float:
    """Return the clock, or the moment that builds which can be repeated give instead."""
    told = os.environ.get("SOURCE_DATE_EPOCH", "")
    return float(told) if told.isdigit() else time.time()


def _dataset(made: Analysed, exported: str) -> tuple[dict[str, bytes], TooSmallForCsv | None]:
    """Return the files of the data set; the CSV is left out where it would claim a zero."""
    name = str(made.summary["name"])
    dataset = _table(made)
    table = checked(dataset)
    csv: bytes | None = None
    refused: TooSmallForCsv | None = None
    try:
        csv = six_decimals(table).encode()
    except TooSmallForCsv as error:
        refused = error
    told = describe_table(
        table,
        made.summary,
        exported=exported,
        csv=csv,
        refused=None if refused is None else str(refused),
        missing=dataset.missing,
        unfinished={
            place: f"{task.state}: {task.reason}"
            for place, task in enumerate(made.study.tasks)
            if task.state != "completed"
        },
    )
    files = {f"{name}.parquet": _parquet(table), f"{name}_metadata.json": json_text(told).encode()}
    if csv is not None:
        files[f"{name}.csv"] = csv
    return files, refused


def _series(made: Analysed) -> Iterator[tuple[str, bytes]]:
    """Yield the files of time series, whose memory does not grow with the tasks."""
    room = tables_room(made.study.kind)
    series = getattr(room, "series", None)
    if series is None:
        return
    batches = made.study.records.batches(BATCH_ROWS)
    found = (series(room.frames(batch)) for batch in batches)
    for path, text in series_files(made.study.tasks, found):
        yield path, text.encode()


def _table(made: Analysed) -> Dataset:
    room = tables_room(made.study.kind)
    own = getattr(room, "dataset", None)
    if own is None:
        return default_dataset(made.study.tasks, made.summary)
    tasks = [
        {
            "task_id": task.task_id,
            "axes": task.axes,
            "repetition": task.repetition,
            "state": task.state,
            "settings": task.settings,
        }
        for task in made.study.tasks
    ]
    found: Dataset = own(made.frames, tasks)
    return found


def _parquet(table: pl.DataFrame) -> bytes:
    written = io.BytesIO()
    table.write_parquet(written, compression="zstd")
    return written.getvalue()
