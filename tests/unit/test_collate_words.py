"""What `specc collate` says on the terminal beside its counts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from results import ABundle, a_bundle, metric, process

HINT = "not run yet: `specc run BUNDLE`"


def said(bundle: ABundle, out: Path) -> str:
    code = "from specc.cli import main; main()"
    command = [sys.executable, "-c", code, "collate", bundle.path, "--out", out]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_bundle_that_was_never_run_gets_a_hint(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"n": 1}, {"n": 2}], not_run={1: "no CUDA device"})
    assert HINT in said(bundle, tmp_path / "out")


def test_a_run_that_stands_still_gets_none(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"n": 1}, {"n": 2}], repetitions=1)
    launch = bundle.run().launch()
    launch.complete(bundle.tasks[0], [metric("time_s", 1.0), process()])
    launch.end()
    assert HINT not in said(bundle, tmp_path / "out")
