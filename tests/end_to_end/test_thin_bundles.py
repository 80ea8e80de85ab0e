"""The next bundle of a line, run for real: it borrows wheels, inputs and images from its parent."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from path import compiled as compiled_study
from path import records, run_script, specc, specc_json
from wheelhouse import PYTHON, TOY, compiled, node

APPTAINER = """#!/bin/bash
printf '%s\\n' "$*" >>"$LOG"
shift
while :; do
    case $1 in --bind) shift 2 ;; *) break ;; esac
done
shift
exec "$@"
"""
SLOW = """\
schema_version: 1
name: slow
kind: command
matrix: {axes: {n: [0, 3]}}
settings:
  script: |
    sleep $n
    echo "{\\"n\\": $n}"
  metrics: {n: {from: json_lines, unit: "1", better: higher, definition: what it was given}}
task: {cpus: 1, memory: 64MiB, estimate: 1s, time_limit: 1s}
job: {time_limit: 10min}
on_failure: {timeout: {task.time_limit: x10, attempts: 2}}
"""


def job(bundle: Path, env: dict[str, str], *arguments: str) -> tuple[int, str]:
    """Run the bundle's script here; its exit code and all that it said."""
    ended = subprocess.run(
        ["bash", "job.sbatch", "--here", *arguments],
        cwd=bundle,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    return ended.returncode, ended.stdout


def predicate(bundle: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((bundle / "manifest.json").read_text())["predicate"]
    return found


def begun(folder: Path) -> Path:
    """Return a bundle of four tasks with wheels and an input, of which one task is done."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data.txt").write_text("hello")
    bundle = compiled(folder, more="inputs: [{name: data, path: data.txt}]\n")
    code, told = job(bundle, node(folder), "--shard", "0")
    assert code == 0, told
    return bundle


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A bundle and the thin one that continues it, side by side. Copy before you change it."""
    bundle = begun(tmp_path_factory.mktemp("line"))
    found = specc_json("rerun", bundle)
    assert found["counts"] == {"done": 1, "again": 3, "given_up": 0, "running": 0}
    return bundle, Path(found["bundle"])


@pytest.fixture
def copies(line: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """The same in a folder of the test's own."""
    parent, child = (tmp_path / "here" / bundle.name for bundle in line)
    for old, new in zip(line, (parent, child), strict=True):
        shutil.copytree(old, new)
    return parent, child


def test_a_thin_bundle_names_by_hash_what_its_parent_has(line: tuple[Path, Path]) -> None:
    parent, child = line
    borrowed = predicate(child)["borrowed"]
    assert borrowed["from"] == parent.name
    paths = [file["path"] for file in borrowed["files"]]
    assert [path.partition("/")[0] for path in paths] == ["inputs", "wheels", "wheels"]
    assert not (child / "wheels").exists()
    assert not (child / "inputs").exists()


def test_coreutils_and_verify_agree_that_it_is_whole(line: tuple[Path, Path]) -> None:
    _, child = line
    command = ["sha256sum", "-c", "--quiet", "manifest-sha256.txt"]
    assert subprocess.run(command, cwd=child, check=False).returncode == 0
    assert specc("verify", child).returncode == 0


def test_beside_its_parent_it_runs_and_the_line_collates_as_one(
    copies: tuple[Path, Path], tmp_path: Path
) -> None:
    parent, child = copies
    code, told = job(child, node(tmp_path))
    assert code == 0, told
    assert {row["value"] for row in records(child, "metric")} == {42}
    made = specc_json("collate", parent, child, "--out", tmp_path / "report")
    counts = made["completeness"]
    assert (counts["expected"], counts["completed"], counts["duplicate"]) == (4, 4, 0)
    again = specc("rerun", child)
    assert again.stderr.startswith("nothing to run again: 4 of 4 tasks")
    assert again.stdout == ""


@pytest.mark.parametrize("names", ["the folder itself", "a folder that holds it"])
def test_elsewhere_it_finds_its_parent_by_a_variable(
    copies: tuple[Path, Path], tmp_path: Path, names: str
) -> None:
    parent, child = copies
    if names == "the folder itself":
        parent = parent.rename(parent.with_name("under another name"))
        place = parent
    else:
        place = parent.parent
    moved = tmp_path / "far away" / child.name
    moved.parent.mkdir()
    child.rename(moved)
    given = os.path.relpath(place, moved)
    code, told = job(moved, node(tmp_path, SPECC_PARENT=f"/nowhere:{given}"), "--shard", "0")
    assert code == 0, told


def test_without_its_parent_it_says_what_to_copy_where(
    copies: tuple[Path, Path], tmp_path: Path
) -> None:
    parent, child = copies
    moved = tmp_path / "far away" / child.name
    moved.parent.mkdir()
    child.rename(moved)
    code, told = job(moved, node(tmp_path))
    assert code == 4
    assert "borrows 3 files" in told
    assert f"neither at {moved.parent / parent.name}, and SPECC_PARENT is not set" in told
    assert f"copy {parent.name} beside this bundle" in told
    checked = specc("verify", moved)
    assert (checked.returncode, f"from {parent.name}" in checked.stdout) == (4, True)


def test_another_bundle_in_the_parent_s_place_is_not_taken_for_it(
    copies: tuple[Path, Path], tmp_path: Path
) -> None:
    parent, child = copies
    (parent / "manifest.json").write_bytes((child / "manifest.json").read_bytes())
    code, told = job(child, node(tmp_path))
    assert (code, "borrows 3 files" in told) == (4, True), told


@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_a_borrowed_file_is_checked_like_an_own_one(
    copies: tuple[Path, Path], tmp_path: Path, damage: str
) -> None:
    parent, child = copies
    wheel = parent / "wheels" / "toy-1.0-py3-none-any.whl"
    if damage == "gone":
        wheel.unlink()
    else:
        wheel.write_bytes(wheel.read_bytes()[:-1] + b"x")
    code, told = job(child, node(tmp_path))
    assert (code, f"borrowed {wheel}" in told) == (4, True), told
    checked = specc("verify", child)
    assert (checked.returncode, wheel.name in checked.stdout) == (4, True)


def test_full_ships_everything_and_needs_no_parent(
    copies: tuple[Path, Path], tmp_path: Path
) -> None:
    parent, child = copies
    shutil.rmtree(child)
    found = specc_json("rerun", parent, "--full")
    full = Path(found["bundle"])
    assert (found["borrows_from"], "borrowed" in predicate(full)) == (None, False)
    shutil.rmtree(parent)
    code, told = job(full, node(tmp_path))
    assert code == 0, told


def test_a_thin_bundle_of_a_thin_one_borrows_from_whoever_has_the_files(
    copies: tuple[Path, Path], tmp_path: Path
) -> None:
    parent, child = copies
    assert job(child, node(tmp_path), "--shard", "0")[0] == 0
    grandchild = Path(specc_json("rerun", child)["bundle"])
    found = predicate(grandchild)
    assert (found["parent_bundle_id"], found["borrowed"]["from"]) == (child.name, parent.name)
    code, told = job(grandchild, node(tmp_path))
    assert code == 0, told
    counts = specc_json("collate", grandchild, "--out", tmp_path / "report")["completeness"]
    assert (counts["expected"], counts["completed"]) == (4, 4)


def test_the_full_child_of_a_thin_one_has_the_files_of_the_first(
    copies: tuple[Path, Path], tmp_path: Path
) -> None:
    parent, child = copies
    assert job(child, node(tmp_path), "--shard", "0")[0] == 0
    full = Path(specc_json("rerun", child, "--full")["bundle"])
    wheel = Path("wheels/toy-1.0-py3-none-any.whl")
    assert (full / wheel).read_bytes() == (parent / wheel).read_bytes()
    parent.rename(tmp_path / "gone")
    refused = specc("rerun", child, "--full")
    assert (refused.returncode, f"from {parent.name}" in refused.stderr) == (4, True)


def test_an_image_is_started_from_the_parent_which_the_container_sees(tmp_path: Path) -> None:
    (tmp_path / "base.sif").write_bytes(b"image")
    declared = f'mode: container, image: base.sif, at: desk, python: "{PYTHON}", {TOY}'
    bundle = compiled(tmp_path, declared)
    env = node(tmp_path)
    stub = tmp_path / "bin" / "apptainer"
    stub.write_text(APPTAINER)
    stub.chmod(0o755)
    assert job(bundle, env, "--shard", "0")[0] == 0
    child = Path(specc_json("rerun", bundle)["bundle"])
    assert not (child / "images").exists()
    shutil.rmtree(tmp_path / "environments")
    code, told = job(child, env)
    assert code == 0, told
    last = (tmp_path / "log").read_text().splitlines()[-1]
    assert f"--bind {bundle} {bundle}/images/default.sif python3" in last
    bundle.rename(tmp_path / "gone")
    code, told = job(child, env)
    assert (code, f"copy {bundle.name} beside" in told or bundle.name in told) == (4, True), told


def test_a_task_cut_by_its_time_limit_gets_more_and_completes(tmp_path: Path) -> None:
    bundle = compiled_study(tmp_path, SLOW)
    assert run_script(bundle).returncode == 1
    told = specc("rerun", bundle)
    assert "task.time_limit 00:00:01 → 00:00:10" in told.stderr
    child = Path(told.stdout.removesuffix("\n"))
    (row,) = map(json.loads, (child / "tasks.jsonl").read_text().splitlines())
    assert (row["axes"], row["attempts"]) == ({"n": 3}, 1)
    assert run_script(child).returncode == 0
    made = specc_json("collate", child, "--out", tmp_path / "report")
    assert made["completeness"]["completed"] == 2


def test_a_study_grows_from_the_command_line(tmp_path: Path) -> None:
    bundle = compiled_study(tmp_path, SLOW)
    run_script(bundle)
    wider = SLOW.replace("[0, 3]", "[0, 3, 0.1]").replace("time_limit: 1s", "time_limit: 20s")
    grown = compiled_study(tmp_path, wider, "--skip-done", str(bundle))
    rows = list(map(json.loads, (grown / "tasks.jsonl").read_text().splitlines()))
    assert [row["not_run"] for row in rows] == [f"done in {bundle.name} run r1", None, None]
    assert run_script(grown).returncode == 0
    counts = specc_json("collate", bundle, grown, "--out", tmp_path / "report")["completeness"]
    assert (counts["expected"], counts["completed"]) == (3, 3)
    spec = tmp_path / "spec.yaml"
    done = specc("compile", spec, "--skip-done", bundle, "--skip-done", grown)
    assert done.stderr.startswith("nothing to compile: all 3 tasks")
    assert (done.returncode, done.stdout) == (0, "")
