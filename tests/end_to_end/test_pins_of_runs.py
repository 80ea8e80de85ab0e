"""Inputs at the cluster: a run says what they are, `specc pin` writes it, the next run checks."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from path import SPEC, compiled, run_script, specc, specc_json

ABC = hashlib.sha256(b"abc").hexdigest()
TREE = hashlib.sha256(f"0644 {ABC} part\n".encode()).hexdigest()


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A folder with a spec of two inputs at the cluster, neither pinned."""
    (tmp_path / "project" / "tree").mkdir(parents=True)
    for name in ("file", "tree/part"):
        (tmp_path / "project" / name).write_text("abc")
    return tmp_path


def text(study: Path) -> str:
    inputs = "".join(
        f"  - {{name: {name}, at: cluster, path: {study}/project/{name}}}  # ours\n"
        for name in ("file", "tree")
    )
    return SPEC.replace("settings:", f"inputs:\n{inputs}settings:")


def run(study: Path, bundle: Path) -> tuple[int, str]:
    done = run_script(bundle, SPECC_ENV_DIR=str(study / "env"))
    return done.returncode, done.stderr


def test_pins_come_from_a_run_and_are_checked_by_the_next(study: Path) -> None:
    bundle = compiled(study, text(study))
    assert run(study, bundle)[0] == 0
    spec = study / "spec.yaml"
    found = specc_json("pin", bundle, spec)
    assert found["pins"] == {"file": f"sha256:{ABC}", "tree": f"tree:{TREE}"}
    assert f"path: {study}/project/file, pin: {{sha256: {ABC}}}}} # ours\n" in spec.read_text()
    pinned = compiled(study, spec.read_text())
    assert pinned.name != bundle.name
    assert run(study, pinned)[0] == 0
    (study / "project" / "tree" / "part").write_text("abd")
    code, told = run(study, pinned)
    assert code == 4
    assert "input tree does not match its pin: tree is " in told
    assert f", not {TREE}" in told


def test_a_second_pin_finds_nothing_to_do(study: Path) -> None:
    bundle = compiled(study, text(study))
    assert run(study, bundle)[0] == 0
    specc_json("pin", bundle, study / "spec.yaml")
    before = (study / "spec.yaml").read_text()
    assert specc_json("pin", bundle, study / "spec.yaml")["pins"] == {}
    assert (study / "spec.yaml").read_text() == before


def test_before_a_run_there_is_nothing_to_pin(study: Path) -> None:
    ended = specc("pin", compiled(study, text(study)), study / "spec.yaml")
    assert ended.returncode == 1
    assert "run the bundle first" in ended.stderr


def test_unpinned_inputs_are_said_by_launch_and_report(study: Path) -> None:
    bundle = compiled(study, text(study))
    assert run(study, bundle)[0] == 0
    (launch,) = bundle.glob("results/r1/*/launch-001/launch.json")
    told = json.loads(launch.read_text())["inputs"]["file"]
    path = f"{study}/project/file"
    assert told == {"pin": f"sha256:{ABC}", "bytes": 3, "path": path, "pinned": False}
    specc_json("collate", bundle, "--out", study / "report")
    page = (study / "report" / "report.md").read_text(encoding="utf-8")
    says = f"Input file is not pinned: its content was not checked; runs read sha256:{ABC}."
    assert says in page
    assert "unpinned" in page
    (entry, _) = json.loads((study / "report" / "summary.json").read_text())["inputs"]
    assert (entry["pinned"], entry["seen"]) == (False, [f"sha256:{ABC}"])


def test_runs_that_read_different_contents_are_said(study: Path) -> None:
    bundle = compiled(study, text(study))
    assert run(study, bundle)[0] == 0
    (study / "project" / "file").write_text("abd")
    env = {"SPECC_ENV_DIR": str(study / "env"), "SPECC_RUN": "r2"}
    assert run_script(bundle, **env).returncode == 0
    specc_json("collate", bundle, "--out", study / "report")
    page = (study / "report" / "report.md").read_text(encoding="utf-8")
    assert "Input file is not pinned: runs read different contents" in page
    assert specc("pin", bundle, study / "spec.yaml").returncode == 4
