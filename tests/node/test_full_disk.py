"""A full disk is noticed, written down, and the run goes on once there is room."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import bundles
import pytest

from specc_runtime.books import journal as journal_module
from specc_runtime.books.journal import Journal, JournalLost
from specc_runtime.contract.journal import read_journal

_CAN_MOUNT = (
    os.getuid() == 0
    and subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode == 0
)
needs_mount = pytest.mark.skipif(not _CAN_MOUNT, reason="needs root to mount a small tmpfs")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=2m", "tmpfs"]
    subprocess.run(["mount", *options, str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


WRITER = "for n in range(20000): attempt.record('metric', n=n, text='x' * 1000)"


@needs_mount
def test_task_that_fills_the_disk_fails_for_it_and_the_rest_waits(
    home: Path, small_disk: Path
) -> None:
    bundle = bundles.make_bundle(home / "b", [WRITER, "attempt.record('metric', n=1)"])
    done = bundles.run(bundle, SPECC_RESULTS=str(small_disk))
    assert done.returncode == 75, done.stderr
    run = bundles.find_runs(small_disk)[0]
    names = [
        event["event"] for event in read_journal(run.launches[0].path + "/events.jsonl").events
    ]
    assert names[-3:] == ["task_failed", "task_not_run", "launch_ended"]
    failed = read_journal(run.launches[0].path + "/events.jsonl").events[-3]
    assert (failed["category"], failed["evidence"]) == ("disk", {"errno": 28})


@needs_mount
def test_run_goes_on_once_there_is_room(home: Path, small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1_700_000))
    code = "for n in range(700): attempt.record('metric', n=n, text='x' * 1000)"
    bundle = bundles.make_bundle(home / "b", [code])
    assert bundles.run(bundle, SPECC_RESULTS=str(small_disk)).returncode == 75
    ballast.unlink()
    assert bundles.run(bundle, SPECC_RESULTS=str(small_disk)).returncode == 0


@needs_mount
def test_reserved_room_takes_lines_when_the_disk_is_full(small_disk: Path) -> None:
    journal = Journal(str(small_disk / "events.jsonl"))
    _fill(small_disk / "other")
    for _ in range(100):
        journal.write("task_not_run", task_id="0" * 16, reason="x" * 1000)
    journal.close()
    assert len(read_journal(small_disk / "events.jsonl").events) == 100


@needs_mount
def test_ballast_is_given_up_where_blocks_cannot_be_reserved(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsupported = 95
    monkeypatch.setattr(journal_module, "reserve_room", lambda *_: unsupported)
    journal = Journal(str(small_disk / "events.jsonl"))
    assert (small_disk / "events.jsonl.reserve").stat().st_size == 262_144
    _fill(small_disk / "other")
    for _ in range(100):
        journal.write("task_not_run", task_id="0" * 16, reason="x" * 1000)
    assert journal.full
    journal.close()
    assert len(read_journal(small_disk / "events.jsonl").events) == 100
    assert not (small_disk / "events.jsonl.reserve").exists()


@needs_mount
def test_journal_that_has_no_room_left_at_all_ends_on_a_whole_line(small_disk: Path) -> None:
    journal = Journal(str(small_disk / "events.jsonl"))
    _fill(small_disk / "other")
    with pytest.raises(JournalLost):
        _write_without_end(journal)
    found = read_journal(small_disk / "events.jsonl")
    assert (journal.full, found.torn_bytes) == (True, 0)
    assert len(found.events) > 100


def _write_without_end(journal: Journal) -> None:
    while True:
        journal.write("task_not_run", task_id="0" * 16, reason="x" * 1000)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


def test_results_that_cannot_be_written_are_no_bug_but_said(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", ["attempt.record('metric', n=1)"])
    done = bundles.run(bundle, SPECC_RESULTS="/dev/null")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "can't be read and written at /dev/null/" in done.stderr
    assert "give SPECC_RESULTS a folder that you may read and write" in done.stderr


@needs_mount
def test_a_disk_without_room_for_a_single_file_is_a_matter_of_trying_again(
    home: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "tiny"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "nr_inodes=6", "tmpfs", str(folder)], check=True)
    try:
        bundle = bundles.make_bundle(home / "b", ["attempt.record('metric', n=1)"])
        done = bundles.run(bundle, SPECC_RESULTS=str(folder))
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
    assert done.returncode == 75
    assert "Traceback" not in done.stderr
    assert "No space left on device" in done.stderr
