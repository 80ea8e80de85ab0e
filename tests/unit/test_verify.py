"""Every flipped byte, missing and extra file of a bundle is named."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from bundling import a_bundle, a_spec

from specc.problems import BundleInvalid
from specc.verify import findings, verify_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("verify")
    (root / "data").mkdir()
    (root / "data" / "ü b.txt").write_text("one\n")
    (root / "data" / "back\\slash").write_text("two\n")
    spec = a_spec(root, inputs=[{"name": "data", "path": "data", "at": "desk"}])
    return a_bundle(root, spec=spec)


def test_a_flipped_byte_in_any_file_is_named(bundle: Path) -> None:
    flipped = 0
    for path in sorted(p for p in bundle.rglob("*") if p.is_file()):
        name = path.relative_to(bundle).as_posix()
        before = path.read_bytes()
        if name == "compile.json" or not before:
            continue
        damaged = bytearray(before)
        damaged[len(damaged) // 2] ^= 1
        path.write_bytes(damaged)
        verdict = verify_bundle(bundle)
        path.write_bytes(before)
        assert not verdict.intact, name
        # a damaged manifest may blame others as well, for it states their hashes
        named = verdict.changed[:1] if name == "manifest.json" else verdict.changed
        assert named == (name,), name
        flipped += 1
    assert flipped > 30
    assert verify_bundle(bundle).clean


def test_coreutils_alone_find_a_flipped_byte(bundle: Path) -> None:
    command = ["sha256sum", "--check", "--quiet", "manifest-sha256.txt"]
    assert subprocess.run(command, cwd=bundle, check=False).returncode == 0
    path = bundle / "submit.sh"
    before = path.read_bytes()
    path.write_bytes(before.replace(b"submit", b"Submit", 1))
    done = subprocess.run(command, cwd=bundle, capture_output=True, text=True, check=False)
    path.write_bytes(before)
    assert done.returncode == 1
    assert "submit.sh: FAILED" in done.stdout


def test_a_missing_file_is_named(bundle: Path) -> None:
    path = bundle / "tasks.jsonl"
    before = path.read_bytes()
    path.unlink()
    verdict = verify_bundle(bundle)
    path.write_bytes(before)
    assert findings(verdict) == ("missing  tasks.jsonl",)


def test_an_extra_file_is_named(bundle: Path) -> None:
    path = bundle / "runtime" / "json.py"
    path.write_text("")
    verdict = verify_bundle(bundle)
    path.unlink()
    assert findings(verdict) == ("extra    runtime/json.py",)


def test_results_and_job_logs_are_no_part_of_the_bundle(bundle: Path) -> None:
    (bundle / "results").mkdir()
    (bundle / "results" / "x").write_text("")
    (bundle / "slurm-1_0.out").write_text("")
    verdict = verify_bundle(bundle)
    (bundle / "slurm-1_0.out").unlink()
    assert verdict.clean


def test_a_changed_mode_is_named_but_breaks_nothing(bundle: Path) -> None:
    (bundle / "job.sbatch").chmod(0o644)
    verdict = verify_bundle(bundle)
    (bundle / "job.sbatch").chmod(0o755)
    assert verdict.intact
    assert findings(verdict) == ("mode     job.sbatch: 0644, compiled as 0755",)


def test_no_bundle_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BundleInvalid, match="is not a folder"):
        verify_bundle(tmp_path / "nothing")
    assert findings(verify_bundle(tmp_path))[0] == "missing  manifest.json"


def test_progress_reaches_the_number_of_bytes(bundle: Path) -> None:
    seen: list[int] = []

    class Counting:
        def start(self, what: str, total_bytes: int | None) -> None:
            seen.append(0)

        def advance(self, done_bytes: int) -> None:
            seen.append(done_bytes)

        def finish(self) -> None:
            seen.append(0)

    verdict = verify_bundle(bundle, progress=Counting())
    assert verdict.manifest is not None
    assert sum(seen) == sum(subject.bytes for subject in verdict.manifest.subjects)


def test_the_bundles_id_is_its_folders_name(bundle: Path) -> None:
    digest = hashlib.sha256((bundle / "manifest.json").read_bytes()).hexdigest()
    assert bundle.name == f"study-{digest[:12]}"
