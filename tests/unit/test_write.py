"""A bundle is on disk whole or not at all, and is what was sealed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bundling import a_plan, a_spec, sealed

from specc.problems import BundleInvalid
from specc.stages.survey import survey
from specc.stages.write import write
from specc.verify import verify_bundle


class Steps:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.bytes = 0

    def start(self, what: str, total_bytes: int | None) -> None:
        self.said.append(what)

    def advance(self, done_bytes: int) -> None:
        self.bytes += done_bytes

    def finish(self) -> None:
        self.said.append("done")


def test_what_is_written_verifies(tmp_path: Path) -> None:
    target = write(sealed(a_plan(tmp_path)), tmp_path / "out", provenance={})
    assert verify_bundle(target).clean
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [target.name]


def test_modes_are_the_manifests_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        target = write(sealed(a_plan(tmp_path)), tmp_path / "out", provenance={})
    finally:
        os.umask(before)
    assert (target / "job.sbatch").stat().st_mode & 0o777 == 0o755
    assert (target / "tasks.jsonl").stat().st_mode & 0o777 == 0o644
    assert (target / "compile.json").stat().st_mode & 0o777 == 0o644
    assert (target / "runtime").stat().st_mode & 0o777 == 0o755
    assert target.stat().st_mode & 0o777 == 0o755


def test_compile_json_stands_outside_the_hash(tmp_path: Path) -> None:
    bundle = sealed(a_plan(tmp_path))
    target = write(bundle, tmp_path / "out", provenance={"compiled_at": "then"})
    about = json.loads((target / "compile.json").read_text())
    assert about == {"bundle_id": bundle.bundle_id, "compiled_at": "then"}


def test_an_identical_bundle_is_left_alone(tmp_path: Path) -> None:
    bundle = sealed(a_plan(tmp_path))
    target = write(bundle, tmp_path / "out", provenance={"compiled_at": "first"})
    (target / "results").mkdir()
    before = (target / "job.sbatch").stat().st_mtime_ns
    assert write(bundle, tmp_path / "out", provenance={"compiled_at": "second"}) == target
    assert (target / "job.sbatch").stat().st_mtime_ns == before
    assert "first" in (target / "compile.json").read_text()


def test_another_content_under_the_same_name_is_refused(tmp_path: Path) -> None:
    bundle = sealed(a_plan(tmp_path))
    target = write(bundle, tmp_path / "out", provenance={})
    (target / "tasks.jsonl").write_text("{}\n")
    with pytest.raises(BundleInvalid, match="does not match its manifest"):
        write(bundle, tmp_path / "out", provenance={})


def test_an_input_that_changed_since_it_was_hashed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(b"before")
    spec = a_spec(tmp_path, inputs=[{"name": "data", "path": "data.bin", "at": "desk"}])
    bundle = sealed(a_plan(tmp_path, spec=spec, facts=survey(spec, None)[0]))
    (tmp_path / "data.bin").write_bytes(b"after!")
    with pytest.raises(BundleInvalid, match="changed while the bundle was written"):
        write(bundle, tmp_path / "out", provenance={})
    assert list((tmp_path / "out").iterdir()) == []


def test_progress_of_a_large_copy_adds_up(tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(bytes(33 << 20))
    spec = a_spec(tmp_path, inputs=[{"name": "data", "path": "data.bin", "at": "desk"}])
    bundle = sealed(a_plan(tmp_path, spec=spec, facts=survey(spec, None)[0]))
    steps = Steps()
    write(bundle, tmp_path / "out", provenance={}, progress=steps)
    assert steps.said == ["writing the bundle", "done"]
    assert steps.bytes == sum(f.bytes for f in bundle.files)


SLOW = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from bundling import a_plan, sealed
from specc.stages.write import write

class Slow:
    def start(self, what, total): pass
    def finish(self): pass
    def advance(self, count):
        print(count, flush=True)
        time.sleep(0.05)

root = Path(sys.argv[1])
write(sealed(a_plan(root)), root / "out", provenance={}, progress=Slow())
"""


def test_interrupting_leaves_no_half_bundle(tmp_path: Path) -> None:
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", SLOW, str(tmp_path), here]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.2)
        names = [path.name for path in (tmp_path / "out").iterdir()]
        assert len(names) == 1
        assert names[0].endswith(".tmp")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) != 0
    assert list((tmp_path / "out").iterdir()) == []
