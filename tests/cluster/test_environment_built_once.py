"""Sixteen elements of an array that start at once and all need an environment that is not there."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from jobs import awaited, submitted, totals
from path import specc_json
from slurm import Element, Slurm
from wheelhouse import SPEC, TOY, desk, generations


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toys")
    spec = folder / "spec.yaml"
    text = SPEC.format(environment=TOY).replace("range: [1, 4]", "range: [1, 16]")
    spec.write_text(text, encoding="utf-8")
    made = specc_json("compile", spec, "--out", folder / "build", env=desk(folder))
    moved = folder / "the bundle"
    shutil.copytree(made["bundle"], moved)
    return moved


def test_one_element_builds_it_and_fifteen_wait(slurm: Slurm, bundle: Path, tmp_path: Path) -> None:
    (job,) = submitted(
        slurm, bundle, SPECC_ENV_DIR=str(tmp_path / "environments"),
        SPECC_PYTHON=str(Path(sys.executable).resolve()),
    )  # fmt: skip
    ended = awaited(slurm, job, seconds=90)
    assert ended == {index: Element("COMPLETED", 0) for index in range(16)}
    (only,) = generations(tmp_path)
    assert only.endswith("/000001")
    logs = [path.read_text(encoding="utf-8") for path in bundle.glob(f"slurm-{job}_*.out")]
    assert sum(": building " in log for log in logs) == 1
    assert totals(bundle, metric="answer") == [42] * 16
