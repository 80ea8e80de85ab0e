"""Inputs at the cluster: checked on arrival, hashed once for a site, told in launch.json."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import bundles
import pytest

from specc_runtime.contract.fields import Damage
from specc_runtime.entering.arrivals import check_inputs
from specc_runtime.slurm_env import Allocation

ABC = hashlib.sha256(b"abc").hexdigest()
ABD = hashlib.sha256(b"abd").hexdigest()
NOWHERE = Allocation(None, 0, None, {})


def entry(path: Path, pin: str | None, name: str = "data") -> dict[str, Any]:
    return {"name": name, "at": "cluster", "path": str(path), "pin": pin}


def looked(*entries: dict[str, Any], stamps: Path, full: bool = False) -> dict[str, Any]:
    return check_inputs(entries, str(stamps), NOWHERE, full=full)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file.txt"
    path.write_text("abc")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.mkdir()
    (path / "x").write_text("abc")
    return path


@pytest.fixture
def stamps(tmp_path: Path) -> Path:
    return tmp_path / "stamps"


TREE = "tree:" + hashlib.sha256(f"0644 {ABC} x\n".encode()).hexdigest()


def test_what_was_found_is_told(file: Path, folder: Path, stamps: Path) -> None:
    found = looked(entry(file, None, "f"), entry(folder, TREE, "d"), stamps=stamps)
    assert found == {
        "f": {"pin": f"sha256:{ABC}", "bytes": 3, "path": str(file), "pinned": False},
        "d": {"pin": TREE, "bytes": 3, "path": str(folder), "pinned": True},
    }


@pytest.mark.parametrize("pin", [TREE, "size:3"])
def test_a_folder_that_changed_is_refused_with_both_values(
    folder: Path, stamps: Path, pin: str
) -> None:
    looked(entry(folder, pin), stamps=stamps)
    (folder / "x").write_text("abcd")
    method, _, value = pin.partition(":")
    with pytest.raises(Damage, match=f"input data does not match its pin: {method} is .*{value}"):
        looked(entry(folder, pin), stamps=stamps)


def test_an_executable_file_is_another_tree(folder: Path, stamps: Path) -> None:
    looked(entry(folder, TREE), stamps=stamps)
    (folder / "x").chmod(0o755)
    with pytest.raises(Damage, match="tree is"):
        looked(entry(folder, TREE), stamps=stamps)


def test_a_size_is_checked_without_reading(file: Path, stamps: Path) -> None:
    file.write_text("xyz")
    assert looked(entry(file, "size:3"), stamps=stamps)["data"]["pin"] == "size:3"
    assert not stamps.exists()


def test_what_looks_the_same_is_not_hashed_again_unless_asked(file: Path, stamps: Path) -> None:
    looked(entry(file, f"sha256:{ABC}"), stamps=stamps)
    status = file.stat()
    file.write_text("abd")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    looked(entry(file, f"sha256:{ABC}"), stamps=stamps)
    with pytest.raises(Damage, match=f"sha256 is {ABD}, not {ABC}"):
        looked(entry(file, f"sha256:{ABC}"), stamps=stamps, full=True)


def test_a_changed_time_is_a_reason_to_hash_again(file: Path, stamps: Path) -> None:
    looked(entry(file, None), stamps=stamps)
    file.write_text("abd")
    os.utime(file, ns=(1, 1))
    assert looked(entry(file, None), stamps=stamps)["data"]["pin"] == f"sha256:{ABD}"


def test_every_wrong_input_is_named(file: Path, tmp_path: Path, stamps: Path) -> None:
    with pytest.raises(Damage) as caught:
        looked(
            entry(tmp_path / "none", None, "lost"), entry(file, "size:4", "short"), stamps=stamps
        )
    assert "input lost is not here" in str(caught.value)
    assert "input short does not match its pin: size is 3, not 4" in str(caught.value)


@pytest.mark.parametrize(
    ("what", "pin", "says"),
    [
        ("folder", f"sha256:{ABC}", "input data is a folder: pin it by tree or size"),
        ("file", TREE, "input data is a file: pin it by sha256 or size"),
        ("file", "md5:1", "this runtime knows no pin 'md5'"),
    ],
)
def test_a_pin_that_cannot_hold_is_said(
    file: Path, folder: Path, stamps: Path, what: str, pin: str, says: str
) -> None:
    with pytest.raises(Damage, match=says):
        looked(entry({"file": file, "folder": folder}[what], pin), stamps=stamps)


def test_a_link_is_followed_and_a_loop_is_not(folder: Path, tmp_path: Path, stamps: Path) -> None:
    (tmp_path / "other").mkdir()
    (folder / "x").rename(tmp_path / "other" / "x")
    (folder / "x").symlink_to(tmp_path / "other" / "x")
    assert looked(entry(folder, TREE), stamps=stamps)["data"]["pin"] == TREE
    (folder / "loop").symlink_to(folder)
    with pytest.raises(Damage, match="a link to a folder that holds it"):
        looked(entry(folder, None), stamps=stamps)


def test_a_broken_link_and_a_pipe_are_said(folder: Path, stamps: Path) -> None:
    (folder / "gone").symlink_to(folder / "nothing")
    with pytest.raises(Damage, match=r"input data lacks .*/gone"):
        looked(entry(folder, None), stamps=stamps)
    (folder / "gone").unlink()
    os.mkfifo(folder / "pipe")
    with pytest.raises(Damage, match="neither a file nor a folder"):
        looked(entry(folder, None), stamps=stamps)


def test_a_name_that_is_not_utf8_is_said(folder: Path, stamps: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).touch()
    with pytest.raises(Damage, match="no UTF-8 file name"):
        looked(entry(folder, None), stamps=stamps)


def test_without_a_place_for_stamps_all_is_hashed(file: Path, tmp_path: Path) -> None:
    (tmp_path / "no").write_text("a file where a folder should be")
    found = looked(entry(file, None), stamps=tmp_path / "no" / "stamps")
    assert found["data"]["pin"] == f"sha256:{ABC}"


def test_a_launch_checks_inputs_and_tells_them(home: Path) -> None:
    corpus = home / "corpus"
    corpus.write_text("abc")
    inputs = [entry(corpus, f"sha256:{ABC}", "corpus"), entry(corpus, None, "free")]
    code = "assert attempt.resolve('input:corpus').read_text() == 'abc'"
    bundle = bundles.make_bundle(home / "b", [code], predicate={"inputs": inputs})
    done = bundles.run(bundle)
    assert done.returncode == 0, done.stderr
    launch = json.loads((bundles.launch_folder(bundle) / "launch.json").read_text())
    told = {name: (one["pin"], one["pinned"]) for name, one in launch["inputs"].items()}
    assert told == {"corpus": (f"sha256:{ABC}", True), "free": (f"sha256:{ABC}", False)}
    corpus.write_text("abd")
    done = bundles.run(bundle)
    assert done.returncode == 4
    assert f"input corpus does not match its pin: sha256 is {ABD}, not {ABC}" in done.stderr
    corpus.unlink()
    done = bundles.run(bundle)
    assert (done.returncode, "input corpus is not here" in done.stderr) == (4, True)


def test_several_launches_hash_an_input_once(home: Path) -> None:
    corpus = home / "corpus"
    with corpus.open("wb") as file:
        file.truncate(1 << 30)
    predicate = {"inputs": [entry(corpus, None, "corpus")]}
    bundle = bundles.make_bundle(home / "b", ["pass"] * 3, shards=3, predicate=predicate)
    runs = [bundles.start(bundle, "--shard", str(number)) for number in range(3)]
    outputs = [process.communicate(timeout=60)[0] for process in runs]
    assert [process.returncode for process in runs] == [0, 0, 0], outputs
    assert "".join(outputs).count("hashing 1.0 GiB, once for this site") == 1
