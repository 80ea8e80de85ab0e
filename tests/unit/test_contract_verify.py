"""A bundle folder against its manifest: every kind of difference is found and named."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from specc_runtime.contract.fields import Damage
from specc_runtime.contract.manifest import (
    manifest_id,
    parse_manifest,
    read_manifest,
    tree_hash,
)
from specc_runtime.contract.tasks import parse_tasks, shard_tasks
from specc_runtime.contract.verify import verify

CORPUS = Path(__file__).parents[1] / "contract"
GOOD: dict[str, Any] = json.loads((CORPUS / "manifest.json").read_text())[0]["base"]
TASK: dict[str, Any] = json.loads((CORPUS / "task.json").read_text())[0]["base"]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle of three files, one of them executable."""
    folder = tmp_path / "bundle"
    for name, mode in (("job.sbatch", 0o755), ("inputs/m/ä b", 0o644), ("wheels/x.whl", 0o644)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        path.chmod(mode)
    subjects = [
        {
            "name": path.relative_to(folder).as_posix(),
            "digest": {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()},
            "annotations": {
                "bytes": path.stat().st_size,
                "mode": "0755" if os.access(path, os.X_OK) else "0644",
            },
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
    (folder / "manifest.json").write_text(json.dumps({**GOOD, "subject": subjects}))
    (folder / "manifest-sha256.txt").write_text(read_manifest(folder).hash_list())
    (folder / "compile.json").write_text("{}")
    return folder


def test_untouched_bundle_is_clean(bundle: Path) -> None:
    verdict = verify(bundle)
    assert (verdict.clean, verdict.verified) == (True, "full")


def test_coreutils_agree(bundle: Path) -> None:
    command = ["sha256sum", "--strict", "--quiet", "-c", "manifest-sha256.txt"]
    subprocess.run(command, cwd=bundle, check=True)


def test_same_length_other_byte_is_changed(bundle: Path) -> None:
    (bundle / "job.sbatch").write_text("job.sbatcH")
    verdict = verify(bundle)
    assert (verdict.changed, verdict.intact) == (("job.sbatch",), False)


def test_missing_and_extra_files_are_told_apart(bundle: Path) -> None:
    (bundle / "wheels/x.whl").rename(bundle / "wheels/y.whl")
    verdict = verify(bundle)
    assert (verdict.missing, verdict.extra) == (("wheels/x.whl",), ("wheels/y.whl",))


def test_results_and_job_logs_are_not_extra(bundle: Path) -> None:
    (bundle / "results/r1").mkdir(parents=True)
    (bundle / "results/r1/x").touch()
    (bundle / "slurm-12_0.out").touch()
    assert verify(bundle).clean


def test_link_to_a_folder_is_extra(bundle: Path) -> None:
    (bundle / "etc").symlink_to("/etc")
    assert verify(bundle).extra == ("etc",)


def test_other_mode_leaves_it_intact(bundle: Path) -> None:
    (bundle / "job.sbatch").chmod(0o644)
    verdict = verify(bundle)
    assert (verdict.intact, verdict.modes) == (True, (("job.sbatch", 0o755, 0o644),))


def test_folder_in_place_of_a_file_is_changed(bundle: Path) -> None:
    (bundle / "job.sbatch").unlink()
    (bundle / "job.sbatch").mkdir()
    assert verify(bundle).changed == ("job.sbatch",)


def test_changed_manifest_is_found_by_the_hash_list(bundle: Path) -> None:
    text = (bundle / "manifest.json").read_text()
    (bundle / "manifest.json").write_text(text.replace('"purpose": null', '"purpose": "x"'))
    assert verify(bundle).changed == ("manifest.json",)


def test_changed_hash_list_is_found_by_the_manifest(bundle: Path) -> None:
    path = bundle / "manifest-sha256.txt"
    path.write_text(path.read_text().replace("  job.sbatch", "  job.sbatcg"))
    assert verify(bundle).changed == ("manifest-sha256.txt",)
    path.unlink()
    assert verify(bundle).missing == ("manifest-sha256.txt",)


def test_manifest_that_is_no_json(bundle: Path) -> None:
    (bundle / "manifest.json").write_text("{\n,")
    verdict = verify(bundle)
    assert (verdict.manifest, verdict.changed) == (None, ("manifest.json",))
    assert verdict.detail is not None
    assert verdict.detail.startswith("manifest.json:2: not JSON")


def test_no_manifest(tmp_path: Path) -> None:
    verdict = verify(tmp_path)
    assert (verdict.missing, verdict.intact) == (("manifest.json",), False)
    assert manifest_id(tmp_path) is None


def test_stamp_saves_hashing_of_wheels_and_inputs_only(bundle: Path, tmp_path: Path) -> None:
    stamp = tmp_path / "stamps" / "x.json"
    assert verify(bundle, stamp=stamp, full=False).stamped == 0
    hashed: list[int] = []
    again = verify(bundle, stamp=stamp, full=False, on_bytes=hashed.append)
    assert (again.stamped, again.verified, sum(hashed)) == (2, "stamped", len("job.sbatch"))
    assert verify(bundle, stamp=stamp, full=True).verified == "full"


def test_changed_file_is_hashed_in_spite_of_the_stamp(bundle: Path, tmp_path: Path) -> None:
    stamp = tmp_path / "x.json"
    verify(bundle, stamp=stamp)
    (bundle / "wheels/x.whl").write_text("wheels/y.whl")
    assert verify(bundle, stamp=stamp, full=False).changed == ("wheels/x.whl",)


@pytest.mark.parametrize("text", ["", "[]", '{"manifest": 1}', '{"files": {"a": 1}}'])
def test_damaged_stamp_only_costs_time(bundle: Path, tmp_path: Path, text: str) -> None:
    stamp = tmp_path / "x.json"
    stamp.write_text(text)
    assert verify(bundle, stamp=stamp, full=False).clean


def test_path_listed_twice_is_refused() -> None:
    twice = {**GOOD, "subject": GOOD["subject"] * 2}
    with pytest.raises(Damage, match="a file is listed twice"):
        parse_manifest(json.dumps(twice).encode())


def test_bundle_id_is_name_and_start_of_the_hash() -> None:
    data = json.dumps(GOOD).encode()
    assert parse_manifest(data).bundle_id == f"study-{hashlib.sha256(data).hexdigest()[:12]}"


def test_unknown_shape_lists_those_there_are() -> None:
    with pytest.raises(KeyError, match="no shape 'x'; this bundle has 1-cpu"):
        parse_manifest(json.dumps(GOOD).encode()).shape("x")


def test_tree_hash_by_hand() -> None:
    expected = hashlib.sha256(b"0755 aa a\n0644 bb b/c\n").hexdigest()
    assert tree_hash([("b/c", 0o644, "bb"), ("a", 0o755, "aa")]) == expected


def test_tasks_of_a_shard_come_in_their_order() -> None:
    first = {**TASK, "task_id": "1" * 16, "position": 1}
    second = {**TASK, "task_id": "2" * 16, "position": 0}
    data = "".join(json.dumps(row) + "\n" for row in (first, second)).encode()
    rows = shard_tasks(parse_tasks(data), "1-cpu-0000")
    assert [row.task_id[0] for row in rows] == ["2", "1"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (json.dumps(TASK) * 1, "tasks.jsonl:1: the last line is cut off"),
        (
            (json.dumps(TASK) + "\n") * 2,
            f"tasks.jsonl:2: task {TASK['task_id']} stands there twice",
        ),
        (json.dumps(TASK) + "\n{}\n", "tasks.jsonl:2: task_id: is missing"),
        ("NaN\n", "tasks.jsonl:1: not a JSON line: NaN is not JSON"),
    ],
)
def test_damage_to_the_task_table_is_located(data: str, says: str) -> None:
    with pytest.raises(Damage) as caught:
        parse_tasks(data.encode())
    assert str(caught.value) == says
