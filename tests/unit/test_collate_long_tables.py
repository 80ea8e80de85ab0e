"""A long table is written in memory that does not grow with it, and says what it says in one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from requests_kind import tables as requests_kind

from specc.collate.records.cache import Cache
from specc.collate.records.long_tables import Long
from specc.collate.records.rows import CORE
from specc.collate.values import Part, Records
from specc.kinds.command import tables as command
from specc.kinds.inference import tables as inference

PIECE = 20_000
KEYS = {"cell": "c", "bundle_id": "b", "run_id": "r1", "task_id": "t", "repetition": 0}
# memory that is free goes back at once, so that the peak is of what is held
AT_ONCE = "dirty_decay_ms:0,muzzy_decay_ms:0"
CHILD = """
import sys
from pathlib import Path
from test_collate_long_tables import write
write(Path(sys.argv[1]), int(sys.argv[2]))
status = Path("/proc/self/status").read_text()
print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
"""


def piece(number: int) -> pl.LazyFrame:
    """Return a piece of requests, each with the number of its place in the whole table."""
    place = pl.int_range(number * PIECE, (number + 1) * PIECE)
    schema = {**CORE, **requests_kind.record_columns(), "task": pl.Int64()}
    known = {"type": pl.lit("request"), "task": pl.lit(number % 4, dtype=pl.Int64)}
    times = {name: place + n for n, name in enumerate(("sent_ns", "end_ns", "bytes", "tokens"))}
    given = {**known, **times}
    columns = {name: given.get(name, pl.lit(None, dtype=type_)) for name, type_ in schema.items()}
    return pl.select(**columns).lazy()


def write(folder: Path, pieces: int) -> Path:
    """Write a table of so many pieces, made anew each time they are asked for."""
    parts = [
        Part(make=lambda number=number: piece(number), tasks=frozenset({number % 4}), rows=PIECE)
        for number in range(pieces)
    ]
    records = Records(parts=tuple(parts), key="known", kept=None)
    tasks = pl.DataFrame([{"task": task, **KEYS, "axis_n": task} for task in range(4)])
    long = Long(folder, tasks, requests_kind, records, Cache(folder / "cache"))
    table = requests_kind.frames(parts[0].frame)["requests"]
    return long.write("requests", table, pieces * PIECE)


def test_all_rows_stand_in_the_order_of_the_pieces(tmp_path: Path) -> None:
    table = pl.read_parquet(write(tmp_path, 5))
    assert table["sent_ns"].to_list() == list(range(5 * PIECE))
    assert table["axis_n"].gather_every(PIECE).to_list() == [0, 1, 2, 3, 0]


def test_four_times_the_rows_take_the_same_memory(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "_RJEM_MALLOC_CONF": AT_ONCE}
    peaks_mib = [
        int(subprocess.check_output([sys.executable, "-c", CHILD, tmp_path, str(n)], env=env))
        / 1024
        for n in (60, 240)
    ]
    # the further rows are 3.6 million of 13 columns, some 300 MiB
    assert peaks_mib[1] - peaks_mib[0] < 30


@pytest.mark.parametrize("room", [requests_kind, command, inference])
def test_tables_called_row_by_row_are_the_same_made_in_two_pieces(room: object) -> None:
    schema = {**CORE, **room.record_columns(), "task": pl.Int64()}
    types = ("request", "load", "metric", "process", "rank", "attempt", "batch", "window", "memory")
    rows = [{"type": type_, "task": n % 2, "attempt": n} for n, type_ in enumerate(types * 4)]
    columns = {name: [row.get(name) for row in rows] for name in schema}
    records = pl.DataFrame(columns, schema=schema)
    whole = room.frames(records.lazy())
    pieces = [room.frames(one.lazy()) for one in (records[:17], records[17:])]
    for name in room.ROW_BY_ROW:
        made = pl.concat(one[name].collect() for one in pieces if name in one)
        assert made.equals(whole[name].collect()), name
