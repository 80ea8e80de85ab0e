"""Collate of many rows: exact numbers, the cache that stands in for the files, long tables.

What is long is made short here, so that a study of some megabytes takes the way of ten million
rows; one study is long enough as it is.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest
from many_requests import KNOWN, a_study, records_of
from results import ABundle

from specc.collate import export
from specc.collate.finding.read import read
from specc.collate.pipeline import collate_data, settle
from specc.collate.records import batches, cache, kept, pieces, rows, samples
from specc.collate.values import Collated
from specc.kinds import KINDS

QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999)
NAMES = ("p50", "p90", "p95", "p99", "p99.9")


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, room in KNOWN.items():
        monkeypatch.setitem(KINDS, kind, room)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take some megabytes for very many."""
    monkeypatch.setattr(rows, "SMALL", 1 << 20)
    monkeypatch.setattr(batches, "BATCH", 1 << 20)
    monkeypatch.setattr(pieces, "PIECE", 1 << 20)
    monkeypatch.setattr(pieces, "_WORTH", 1 << 10)
    monkeypatch.setattr(cache, "_WORTH", 1 << 10)


def collated(bundle: ABundle, out: Path, **options: Any) -> Collated:
    return collate_data([bundle.path], out, **options)


def latencies(done: Collated) -> dict[int, dict[str, Any]]:
    return {
        cell["axes"]["concurrency"]: cell["metrics"]["latency_s"]["distribution"]
        for cell in done.summary["cells"]
    }


def states(done: Collated) -> dict[str, int]:
    return {name: n for name, n in done.completeness.items() if isinstance(n, int) and n}


def cached(out: Path) -> list[Path]:
    return sorted((out / "cache").rglob("*.parquet"))


def spoil(path: Path) -> None:
    """Change a digit in the middle of a file, behind the back of its size, time and inode."""
    before = path.stat()
    data = path.read_bytes()
    place = data.index(b'"end_ns":', len(data) // 2) + len(b'"end_ns":')
    with path.open("r+b") as file:
        file.seek(place)
        file.write(b"1" if data[place : place + 1] != b"1" else b"2")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_percentiles_of_a_long_study_agree_with_duckdb_and_numpy(tmp_path: Path):
    bundle = a_study(tmp_path, 360_000, tokens=True)
    done = collated(bundle, tmp_path / "out")
    assert cached(tmp_path / "out") != []
    [file] = records_of(bundle)
    level = {task["task_id"]: task["axes"]["concurrency"] for task in bundle.tasks}
    rows = duckdb.sql(
        "select task_id, (end_ns - sent_ns) / 1e9 as latency_s, (first_ns - sent_ns) / 1e9 "
        f"from read_json('{file}', format='newline_delimited', columns={{type: 'VARCHAR', "
        "task_id: 'VARCHAR', ok: 'BOOLEAN', sent_ns: 'BIGINT', first_ns: 'BIGINT', "
        "end_ns: 'BIGINT'}) where type = 'request' and ok"
    )
    by_level = dict(
        duckdb.sql(
            "select level, quantile_cont(latency_s, [0.5, 0.9, 0.95, 0.99, 0.999]) from rows "
            "join (select unnest(?) as task_id, unnest(?) as level) using (task_id) group by 1",
            params=[list(level), list(level.values())],
        ).fetchall()
    )
    found = latencies(done)
    for concurrency, expected in by_level.items():
        assert [found[concurrency][name] for name in NAMES] == pytest.approx(expected, rel=1e-12)
    values = rows.fetchnumpy()
    first = values["latency_s"][values["task_id"] == bundle.tasks[0]["task_id"]]
    runs = done.summary["cells"][0]["metrics"]["latency_s"]["run_values"]
    assert runs[0] == pytest.approx(np.median(first), rel=1e-12)


@pytest.mark.usefixtures("short")
def test_the_cached_study_says_what_the_study_in_memory_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    bundle = a_study(tmp_path, 20_000, tokens=True)
    by_pieces = collated(bundle, tmp_path / "pieces").summary
    again = collated(bundle, tmp_path / "pieces").summary
    monkeypatch.setattr(rows, "SMALL", 1 << 30)
    whole = collated(bundle, tmp_path / "whole").summary
    assert cached(tmp_path / "whole") == []
    assert by_pieces == again == whole


@pytest.mark.usefixtures("short")
def test_batches_of_few_tasks_say_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    bundle = a_study(tmp_path, 20_000)
    whole = latencies(collated(bundle, tmp_path / "out"))
    monkeypatch.setattr("specc.collate.records.computed.BATCH_ROWS", 3000)
    monkeypatch.setattr(samples, "_TOGETHER", 1000)
    monkeypatch.setattr(kept, "IN_MEMORY", 3000)
    found = latencies(collated(bundle, tmp_path / "out"))
    for level, one in whole.items():
        # a mean of means may differ in its last digit
        assert found[level].pop("avg") == pytest.approx(one.pop("avg"), rel=1e-12)
        assert found[level] == one


@pytest.mark.usefixtures("short")
def test_an_unchanged_file_is_not_read_again(tmp_path: Path):
    bundle = a_study(tmp_path, 20_000)
    first = collated(bundle, tmp_path / "out")
    spoil(records_of(bundle)[0])
    assert collated(bundle, tmp_path / "out").summary == first.summary


@pytest.mark.usefixtures("short")
def test_rehash_reads_an_unchanged_file_again(tmp_path: Path):
    bundle = a_study(tmp_path, 20_000)
    collated(bundle, tmp_path / "out")
    spoil(records_of(bundle)[0])
    assert states(collated(bundle, tmp_path / "out", rehash=True)) == {
        "expected": 20,
        "completed": 19,
        "invalid": 1,
    }


@pytest.mark.usefixtures("short")
def test_rows_that_do_not_fit_their_hash_are_not_remembered(tmp_path: Path):
    bundle = a_study(tmp_path, 20_000)
    [file] = records_of(bundle)
    whole = file.read_bytes()
    spoil(file)
    assert states(collated(bundle, tmp_path / "out"))["invalid"] == 1
    file.write_bytes(whole)
    mended = collated(bundle, tmp_path / "out").summary
    assert mended == collated(bundle, tmp_path / "clean").summary


@pytest.mark.usefixtures("short")
def test_a_file_with_another_time_is_read_again(tmp_path: Path):
    bundle = a_study(tmp_path, 20_000)
    collated(bundle, tmp_path / "out")
    [file] = records_of(bundle)
    spoil(file)
    os.utime(file)
    done = collated(bundle, tmp_path / "out")
    assert states(done) == {"expected": 20, "completed": 19, "invalid": 1}


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _nonsense(path: Path) -> None:
    path.write_bytes(b"\0" * path.stat().st_size)


def _gone(path: Path) -> None:
    path.unlink()


def _another(path: Path) -> None:
    pl.DataFrame({"segment": [0], "end_ns": [1]}).write_parquet(path)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("damage", [_cut, _nonsense, _gone, _another])
def test_a_damaged_table_of_the_cache_is_made_again(tmp_path: Path, damage: Any):
    bundle = a_study(tmp_path, 20_000)
    first = collated(bundle, tmp_path / "out")
    before = {path: path.read_bytes() for path in cached(tmp_path / "out")}
    damage(max(before, key=lambda path: path.stat().st_size))
    assert collated(bundle, tmp_path / "out").summary == first.summary
    assert {path: path.read_bytes() for path in cached(tmp_path / "out")} == before


@pytest.mark.usefixtures("short")
def test_rehash_finds_a_table_of_the_cache_changed_behind_its_time(tmp_path: Path):
    bundle = a_study(tmp_path, 20_000)
    first = collated(bundle, tmp_path / "out")
    table = max(cached(tmp_path / "out"), key=lambda path: path.stat().st_size)
    whole, before = table.read_bytes(), table.stat()
    with table.open("r+b") as file:
        file.seek(1000)
        file.write(b"\xff" * 8)
    os.utime(table, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert collated(bundle, tmp_path / "out", rehash=True).summary == first.summary
    assert table.read_bytes() == whole


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("name", ["checked.json", "tables.json", "rows/*/index.json"])
@pytest.mark.parametrize("text", ["", "[]", '{"key": 1, "files": 2}', "\0\0"])
def test_an_odd_note_of_the_cache_is_no_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
):
    monkeypatch.setattr(export, "CSV_ROWS", 1000)
    bundle = a_study(tmp_path, 20_000)
    first = collated(bundle, tmp_path / "out")
    notes = list((tmp_path / "out" / "cache").glob(name))
    for note in notes:
        note.write_text(text)
    assert collated(bundle, tmp_path / "out").summary == first.summary


@pytest.mark.usefixtures("short")
def test_the_cache_keeps_no_tables_that_nobody_asks_for(tmp_path: Path):
    one, two = a_study(tmp_path / "a", 20_000), a_study(tmp_path / "b", 20_000, seed=2)
    collated(one, tmp_path / "out")
    before = {path.parent.name for path in cached(tmp_path / "out")}
    (tmp_path / "out" / "cache" / "rows" / ".half-written.part").mkdir()
    collated(two, tmp_path / "out")
    after = {path.name for path in (tmp_path / "out" / "cache" / "rows").iterdir()}
    assert before & after == set()
    assert ".half-written.part" not in after


@pytest.mark.usefixtures("short")
def test_results_are_only_read(tmp_path: Path):
    bundle = a_study(tmp_path, 20_000)
    before = {p: (p.stat().st_mtime_ns, p.is_dir()) for p in bundle.path.rglob("*")}
    collated(bundle, tmp_path / "out")
    assert {p: (p.stat().st_mtime_ns, p.is_dir()) for p in bundle.path.rglob("*")} == before


@pytest.mark.usefixtures("short")
def test_rows_outside_segments_are_no_data(tmp_path: Path):
    bundle = a_study(tmp_path, 20_000)
    before = latencies(collated(bundle, tmp_path / "before"))
    with records_of(bundle)[0].open("ab") as file:
        file.write(b'{"type":"request","ok":true,"sent_ns":0,"end_ns":1}\nnonsense\n{"type":"req')
    assert latencies(collated(bundle, tmp_path / "after")) == before


def _with_wrong_row(tmp_path: Path, text: bytes) -> tuple[ABundle, int]:
    """Return a study whose row in the middle is wrong, though its segment's hash fits."""
    import hashlib

    bundle = a_study(tmp_path, 20_000)
    [file] = records_of(bundle)
    lines = file.read_bytes().splitlines(keepends=True)
    number = len(lines) // 2
    lines[number] = text.ljust(len(lines[number]) - 1) + b"\n"
    data = b"".join(lines)
    file.write_bytes(data)
    journal = file.with_name("events.jsonl")
    events = [json.loads(line) for line in journal.read_text().splitlines()]
    for event in events:
        for segment in event.get("segments", ()):
            own = data[segment["offset"] : segment["offset"] + segment["bytes"]]
            segment["sha256"] = hashlib.sha256(own).hexdigest()
    journal.write_text("".join(json.dumps(event) + "\n" for event in events))
    return bundle, number + 1


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    "text",
    [
        b'{"type":"request","task_id":1,"end_ns":"soon"}',
        b'{"type":"request","end_ns":',
        b"",
        b"[1, 2]",
    ],
)
def test_a_wrong_row_is_located_and_costs_its_task_alone(tmp_path: Path, text: bytes):
    bundle, line = _with_wrong_row(tmp_path, text)
    for _ in range(2):  # from the files, then from the cache
        done = collated(bundle, tmp_path / "out")
        assert states(done) == {"expected": 20, "completed": 19, "invalid": 1}
        [damage] = done.summary["damage"]
        assert (damage["file"], damage["line"]) == (
            "1-cpu-0000/launch-001/records.0.1.jsonl",
            line,
        )


@pytest.mark.usefixtures("short")
def test_rows_of_another_task_cost_the_task_that_claims_them(tmp_path: Path):
    bundle, _ = _with_wrong_row(tmp_path, b'{"type":"request","task_id":"someone","ok":true}')
    done = collated(bundle, tmp_path / "out")
    assert states(done) == {"expected": 20, "completed": 19, "invalid": 1}
    assert "rows of task someone" in done.summary["damage"][0]["message"]


@pytest.mark.usefixtures("short")
def test_a_long_table_is_written_as_parquet_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    bundle = a_study(tmp_path, 20_000)
    collated(bundle, tmp_path / "out")
    folder = tmp_path / "out" / "tables"
    short = pl.read_parquet(folder / "requests.parquet").drop("task_id")
    assert (folder / "requests.csv").exists()
    monkeypatch.setattr(export, "CSV_ROWS", 19_999)
    done = collated(bundle, tmp_path / "out")
    long = pl.read_parquet(folder / "requests.parquet").drop("task_id")
    assert not (folder / "requests.csv").exists()
    assert done.summary["tables_without_csv"] == {"requests": 20_000}
    texts = pl.col("cell", "bundle_id", "run_id").cast(pl.String)
    assert long.with_columns(texts).equals(short)


@pytest.mark.usefixtures("short")
def test_a_long_table_is_left_alone_while_nothing_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(export, "CSV_ROWS", 1000)
    bundle = a_study(tmp_path, 20_000)
    collated(bundle, tmp_path / "out")
    table = tmp_path / "out" / "tables" / "requests.parquet"
    first, whole = table.stat().st_ino, table.read_bytes()
    collated(bundle, tmp_path / "out")
    assert table.stat().st_ino == first
    table.write_bytes(whole[:-100])
    collated(bundle, tmp_path / "out")
    assert table.read_bytes() == whole


@pytest.mark.usefixtures("short")
def test_progress_says_how_much_is_read(tmp_path: Path):
    bundle = a_study(tmp_path, 20_000)
    said: list[str] = []
    collated(bundle, tmp_path / "out", progress=said.append)
    assert any(line.startswith("reading rows: 0.0 of 0.0 GB") for line in said)


@pytest.mark.usefixtures("short")
def test_without_a_folder_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    bundle = a_study(tmp_path, 20_000)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    _, records, damage = settle(read([bundle.path]))
    assert records.all().filter(pl.col("type") == "request").collect().height == 20_000
    assert damage == ()
    del records
    assert list((tmp_path / "temporary").iterdir()) == []
