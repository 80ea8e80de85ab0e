"""export and compare of a long study take what a collate of it remembers, and leave it as it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from many_requests import KNOWN, a_study, records_of
from results import ABundle
from typer.testing import CliRunner

from specc.bundle_folders import report_folders
from specc.cli import app
from specc.collate.pipeline import collate_data
from specc.collate.records import batches, cache, pieces, rows
from specc.comparing.sides import read_side
from specc.exporting.pipeline import export
from specc.kinds import KINDS


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take some megabytes for very many, and know the kind of such studies."""
    for kind, room in KNOWN.items():
        monkeypatch.setitem(KINDS, kind, room)
    for module, name in ((rows, "SMALL"), (batches, "BATCH"), (pieces, "PIECE")):
        monkeypatch.setattr(module, name, 1 << 20)
    monkeypatch.setattr(pieces, "_WORTH", 1 << 10)
    monkeypatch.setattr(cache, "_WORTH", 1 << 10)


@pytest.fixture
def study(tmp_path: Path) -> ABundle:
    """A collated study; its records were changed since, behind their size, time and inode.

    Who reads them again finds all tasks of the file invalid, who asks the cache finds none.
    """
    bundle = a_study(tmp_path, 20_000)
    collate_data([bundle.path], tmp_path / "report")
    [file] = records_of(bundle)
    before = file.stat()
    file.write_bytes(b"\n" * before.st_size)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    return bundle


def stamps(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_export_takes_the_cache_of_a_report(study: ABundle, tmp_path: Path) -> None:
    made = export([study.path], tmp_path / "data", ["dataset"], reports=[tmp_path / "report"])
    assert made.completeness["completed"] == 20


def test_export_into_the_report_takes_its_cache(study: ABundle, tmp_path: Path) -> None:
    made = export([study.path], tmp_path / "report", ["dataset"])
    assert made.completeness["completed"] == 20


def test_export_without_a_cache_reads_the_records(study: ABundle, tmp_path: Path) -> None:
    made = export([study.path], tmp_path / "data", ["dataset"])
    assert made.completeness["completed"] == 0


def test_compare_takes_the_cache_of_a_report(study: ABundle, tmp_path: Path) -> None:
    side = read_side(str(study.path), reports=[tmp_path / "report"])
    assert side.summary["completeness"]["completed"] == 20


def test_a_cache_and_the_results_stay_as_they_are(study: ABundle, tmp_path: Path) -> None:
    before = stamps(study.path), stamps(tmp_path / "report")
    export([study.path], tmp_path / "data", ["dataset"], reports=[tmp_path / "report"])
    read_side(f"{study.path}/results/r1", reports=[tmp_path / "report"])
    assert (stamps(study.path), stamps(tmp_path / "report")) == before


def test_a_damaged_cache_is_not_believed(study: ABundle, tmp_path: Path) -> None:
    for table in (tmp_path / "report" / "cache").rglob("*.parquet"):
        table.write_bytes(b"")
    made = export([study.path], tmp_path / "data", ["dataset"], reports=[tmp_path / "report"])
    assert made.completeness["completed"] == 0


@pytest.mark.parametrize("verb", ["collate", "export", "compare"])
def test_a_cache_that_a_disk_spoilt_is_named_with_what_to_do(
    study: ABundle, tmp_path: Path, verb: str
) -> None:
    report = tmp_path / "report"
    for table in report.rglob("cache/**/*.parquet"):
        before = table.stat()
        table.write_bytes(bytes(255 - byte for byte in table.read_bytes()))
        os.utime(table, ns=(before.st_atime_ns, before.st_mtime_ns))
    (report / "cache" / "computed.json").unlink(missing_ok=True)
    words: dict[str, list[str | Path]] = {
        "collate": ["--out", report],
        "export": ["--out", tmp_path / "data", "--report", report],
        "compare": [study.path, "--report", report],
    }
    said = CliRunner().invoke(app, [str(word) for word in (verb, study.path, *words[verb])])
    assert said.exit_code == 4
    told = " ".join(said.output.split())
    assert f"{report}/cache: what an earlier collate kept there can't be read" in told
    assert "delete it, or collate with --rehash" in told


@pytest.mark.parametrize("named", ["", ":r1", "/results/r1"])
def test_the_verb_finds_the_report_that_collate_writes_unless_told(
    study: ABundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "report").rename(tmp_path / f"{study.path.name}-report")
    words = ["export", f"{study.path}{named}", "--out", "data", "--format", "prometheus"]
    assert "20 completed" in CliRunner().invoke(app, words).output


def test_the_verb_takes_a_report_by_name(study: ABundle, tmp_path: Path) -> None:
    report = tmp_path / "report"
    words = ["export", study.path, "--out", tmp_path / "data", "--report", report]
    assert "20 completed" in CliRunner().invoke(app, list(map(str, words))).output


def test_a_folder_that_is_no_report_is_refused(study: ABundle, tmp_path: Path) -> None:
    words = ["compare", study.path, study.path, "--report", tmp_path]
    said = CliRunner().invoke(app, list(map(str, words)))
    assert (said.exit_code, "has no summary.json" in said.output) == (2, True)


def test_a_run_is_looked_for_in_the_report_of_its_bundle_too(study: ABundle) -> None:
    names = [path.name for path in report_folders([study.path / "results" / "r1"])]
    assert names == ["r1-report", f"{study.path.name}-report"]
