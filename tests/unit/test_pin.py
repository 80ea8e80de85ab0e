"""Pins of cluster inputs come from a run into the user's own spec."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bundling import a_bundle

from specc.model import Json
from specc.pin import pin
from specc.problems import BundleInvalid, SpeccError

SPEC = """\
name: study   # kept
inputs:
  - {name: corpus, at: cluster, path: /project/x}
  - name: table
    at: cluster
    path: "/project/t"   # quoted
    pin: {size: 3}
  - {name: own, path: own.txt}
"""


class Run:
    """A spec, its bundle, and launches that saw something."""

    def __init__(self, root: Path) -> None:
        self.spec = root / "spec.yaml"
        self.spec.write_text(SPEC)
        self.bundle = a_bundle(root)

    def launch(self, number: int, bundle_id: str | None = None, **inputs: Json) -> None:
        folder = self.bundle / "results" / "r1" / "1-cpu-0000" / f"launch-{number:03}"
        folder.mkdir(parents=True)
        launch = {"bundle_id": bundle_id or self.bundle.name, "inputs": inputs}
        (folder / "launch.json").write_text(json.dumps(launch))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_a_missing_pin_is_filled_in_and_the_rest_kept(run: Run) -> None:
    run.launch(1, corpus="tree:" + "a" * 64, table="size:3", own="sha256:" + "b" * 64)
    assert pin(run.spec, run.bundle).pins == {"corpus": "tree:" + "a" * 64}
    text = run.spec.read_text()
    assert "name: study   # kept\n" in text
    assert 'path: "/project/t"   # quoted\n' in text
    assert f"path: /project/x, pin: {{tree: {'a' * 64}}}}}" in text
    assert "own.txt}\n" in text


def test_a_pin_may_stand_in_an_object(run: Run) -> None:
    run.launch(1, corpus={"pin": "size:12", "bytes": 12})
    assert pin(run.spec, run.bundle).pins == {"corpus": "size:12"}
    assert "pin: {size: 12}" in run.spec.read_text()


def test_a_pin_that_disagrees_is_an_error(run: Run) -> None:
    run.launch(1, table="size:4")
    with pytest.raises(BundleInvalid, match="pinned to size:3, but the run saw size:4"):
        pin(run.spec, run.bundle)
    assert run.spec.read_text() == SPEC


def test_launches_that_disagree_are_an_error(run: Run) -> None:
    run.launch(1, corpus="size:1")
    run.launch(2, corpus="size:2")
    with pytest.raises(BundleInvalid, match="was size:1 in one launch and size:2 in"):
        pin(run.spec, run.bundle)


def test_results_of_another_bundle_are_refused(run: Run) -> None:
    run.launch(1, bundle_id="study-000000000000", corpus="size:1")
    with pytest.raises(BundleInvalid, match="is of study-000000000000"):
        pin(run.spec, run.bundle)


def test_no_run_is_said(run: Run, tmp_path: Path) -> None:
    with pytest.raises(SpeccError, match="no launch of this bundle"):
        pin(run.spec, run.bundle)
    with pytest.raises(BundleInvalid, match="is not a bundle"):
        pin(run.spec, tmp_path)


def test_nothing_to_fill_in_leaves_the_file_alone(run: Run) -> None:
    run.launch(1, table="size:3")
    before = run.spec.stat().st_mtime_ns
    assert pin(run.spec, run.bundle).pins == {}
    assert run.spec.stat().st_mtime_ns == before
