"""Results that the user may not read: each place is named, and the rest collated.

Run by root, the tests step down to an ordinary user while they collate.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from results import a_bundle, metric, process
from test_collate_bad_input import LAUNCH, SHARD, problem, two_shards
from test_collate_read import counts, run_all

from specc.collate.pipeline import collate_data
from specc.collate.values import Collated

NOBODY = 65534


@contextmanager
def ordinary_user() -> Iterator[None]:
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Give a folder that everybody may enter; what pytest gives only its owner may."""
    # modules that the first collate imports may stand where an ordinary user can't look
    first = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    run_all(first)
    collate_data([first.path], tmp_path / "out")
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def collated(place: Path, *paths: Path) -> Collated:
    with ordinary_user():
        return collate_data(paths, place / "out")


def test_a_shard_that_may_not_be_listed(place: Path) -> None:
    bundle = two_shards(place)
    shard = bundle.path / "results/r1" / SHARD
    shard.chmod(0)
    try:
        done = collated(place, bundle.path)
    finally:
        shard.chmod(0o755)
    assert counts(done) == {"expected": 2, "completed": 1, "missing": 1}
    assert problem(done)["file"] == f"results/r1/{SHARD}"
    assert problem(done)["message"] == "the folder can't be listed: Permission denied"


@pytest.mark.parametrize(
    ("name", "state"),
    [("events.jsonl", "invalid"), ("launch.json", "completed"), ("hardware.jsonl", "completed")],
)
def test_a_file_that_may_not_be_read(place: Path, name: str, state: str) -> None:
    bundle = two_shards(place)
    file = bundle.path / "results/r1" / LAUNCH / name
    file.touch()
    file.chmod(0)
    done = collated(place, bundle.path)
    assert done.completeness[state] == (2 if state == "completed" else 1)
    assert problem(done)["file"] == f"r1/{LAUNCH}/{name}"
    assert problem(done)["message"] == "can't be read: Permission denied"


def test_records_that_may_not_be_read(place: Path) -> None:
    bundle = two_shards(place)
    (bundle.path / "results/r1" / LAUNCH / "records.0.1.jsonl").chmod(0)
    done = collated(place, bundle.path)
    assert counts(done) == {"expected": 2, "completed": 1, "invalid": 1}
    reason = done.completeness["tasks"]["invalid"][0]["reason"]
    assert reason == f"{LAUNCH}/records.0.1.jsonl: Permission denied"


def test_a_bundle_that_may_not_be_entered(place: Path) -> None:
    bundle = two_shards(place / "a")
    closed = a_bundle(place / "b", name="closed", points=[{"n": 1}], repetitions=1)
    launch = closed.run().launch()
    launch.complete(closed.tasks[0], [metric("time_s", 1.0), process()])
    closed.path.chmod(0)
    try:
        done = collated(place, bundle.path, closed.path)
    finally:
        closed.path.chmod(0o755)
    assert counts(done) == {"expected": 2, "completed": 2}
    assert any(
        (one["file"], one["message"])
        == (closed.path.name, "the folder can't be listed: Permission denied")
        for one in done.summary["damage"]
    )
