"""A sealed bundle lists every file, and its id is the hash of that list."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest
from bundling import a_plan, a_spec, sealed

from specc.model import Json
from specc.sealed import Bundle
from specc.stages.render import render
from specc.stages.seal import seal
from specc_runtime.contract.manifest import parse_manifest


def content(bundle: Bundle, path: str) -> bytes:
    found = next(f.content for f in bundle.files if f.path == path)
    assert found is not None
    return found


def manifest(bundle: Bundle) -> Json:
    return json.loads(content(bundle, "manifest.json"))


def test_the_id_is_name_and_hash_of_the_manifest(tmp_path: Path) -> None:
    bundle = sealed(a_plan(tmp_path))
    digest = hashlib.sha256(content(bundle, "manifest.json")).hexdigest()
    assert bundle.bundle_id == f"study-{digest[:12]}"


def test_the_node_reads_the_manifest(tmp_path: Path) -> None:
    bundle = sealed(a_plan(tmp_path))
    read = parse_manifest(content(bundle, "manifest.json"))
    assert read.bundle_id == bundle.bundle_id
    assert read.hash_list().encode() == content(bundle, "manifest-sha256.txt")


def test_every_other_file_is_a_subject(tmp_path: Path) -> None:
    bundle = sealed(a_plan(tmp_path))
    own = {"manifest.json", "manifest-sha256.txt"}
    subjects = {s["name"]: s for s in manifest(bundle)["subject"]}
    assert subjects.keys() == {f.path for f in bundle.files} - own
    assert subjects["job.sbatch"]["annotations"]["mode"] == "0755"
    assert subjects["tasks.jsonl"]["annotations"]["mode"] == "0644"


def test_axes_stand_in_the_order_of_the_matrix(tmp_path: Path) -> None:
    plan = a_plan(tmp_path, tasks=1)
    task = dataclasses.replace(plan.expansion.tasks[0], axes={"z": 1, "a": 2})
    plan = dataclasses.replace(plan, expansion=dataclasses.replace(plan.expansion, tasks=(task,)))
    assert manifest(sealed(plan))["predicate"]["axes"] == ["z", "a"]


def test_tasks_are_counted(tmp_path: Path) -> None:
    plan = a_plan(tmp_path, tasks=3)
    skipped = dataclasses.replace(plan.expansion.tasks[0], not_run="no such device")
    expansion = dataclasses.replace(plan.expansion, tasks=(skipped, *plan.expansion.tasks[1:]))
    plan = dataclasses.replace(plan, expansion=expansion)
    counted = manifest(sealed(plan))["predicate"]["tasks"]
    assert counted == {
        "file": "tasks.jsonl",
        "count": 3,
        "runnable": 2,
        "points": 3,
        "repetitions": 1,
    }


def test_a_task_that_is_not_run_has_no_place(tmp_path: Path) -> None:
    plan = a_plan(tmp_path, tasks=1)
    skipped = dataclasses.replace(plan.expansion.tasks[0], not_run="no such device")
    expansion = dataclasses.replace(plan.expansion, tasks=(skipped,))
    line = json.loads(
        content(sealed(dataclasses.replace(plan, expansion=expansion)), "tasks.jsonl")
    )
    assert (line["shape"], line["shard"], line["position"]) == (None, None, None)
    assert line["not_run"] == "no such device"


def test_inputs_stand_in_the_manifest_with_their_pins(tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_bytes(b"x\n")
    spec = a_spec(
        tmp_path,
        inputs=[
            {"name": "data", "path": "data.txt", "at": "desk", "licence": "MIT"},
            {"name": "far", "path": "/project/x", "at": "cluster"},
        ],
    )
    assert manifest(sealed(a_plan(tmp_path, spec=spec)))["predicate"]["inputs"] == [
        {
            "name": "data",
            "at": "desk",
            "path": "inputs/data",
            "pin": f"sha256:{hashlib.sha256(b'x' + bytes([10])).hexdigest()}",
            "bytes": 2,
            "folder": False,
            "licence": "MIT",
            "source": None,
        },
        {
            "name": "far",
            "at": "cluster",
            "path": "/project/x",
            "pin": None,
            "bytes": None,
            "folder": False,
            "licence": None,
            "source": None,
        },
    ]


def test_a_changed_setting_changes_the_id(tmp_path: Path) -> None:
    one = sealed(a_plan(tmp_path, settings={"argv": ["true"]}))
    other = sealed(a_plan(tmp_path, settings={"argv": ["false"]}))
    assert one.bundle_id != other.bundle_id


def test_the_parent_is_named(tmp_path: Path) -> None:
    plan = a_plan(tmp_path)
    files = render(plan, rooms=("kinds/command",))
    bundle = seal(plan, files, parent_bundle_id="study-000000000000")
    assert manifest(bundle)["predicate"]["parent_bundle_id"] == "study-000000000000"


def test_two_files_of_one_path_are_our_mistake(tmp_path: Path) -> None:
    plan = a_plan(tmp_path)
    files = render(plan, rooms=("kinds/command",))
    with pytest.raises(ValueError, match="one path"):
        seal(plan, (*files, files[0]))


def test_a_stall_limit_stands_in_its_shape_only_where_the_spec_sets_one(tmp_path: Path) -> None:
    plan = a_plan(tmp_path)
    (shape,) = plan.shapes
    limited = dataclasses.replace(shape.task, stall_limit_s=90.0)
    with_limit = dataclasses.replace(plan, shapes=(dataclasses.replace(shape, task=limited),))
    found = [manifest(sealed(p))["predicate"]["shapes"][0]["task"] for p in (plan, with_limit)]
    assert [task.get("stall_limit_s", "absent") for task in found] == ["absent", 90]
