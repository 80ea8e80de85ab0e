"""Close a bundle: its manifest, and the id that is the manifest's hash.

Pure. Every file but manifest.json, manifest-sha256.txt and compile.json is a subject of it.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from functools import cache

from specc.bundling.canonical import canonical
from specc.bundling.hashing import sha256_bytes
from specc.bundling.portable import input_path, portable_spec
from specc.model import InputFact, JobShape, Json, Plan, Shape, TaskShape
from specc.sealed import Bundle, BundleFile
from specc_runtime.contract import manifest as contract

LENT = ("wheels/", "inputs/", "images/")
"""What a thin bundle does not carry: large, and equal to what its parent has."""


def seal(
    plan: Plan,
    files: Sequence[BundleFile],
    *,
    parent_bundle_id: str | None = None,
    cures: Mapping[str, Json] | None = None,
    lender: str | None = None,
) -> Bundle:
    """Return the bundle of these files, manifest.json and manifest-sha256.txt added.

    cures: task id to what `on_failure` changed for that task, and the condition that it keeps.
    lender: bundle in which the files of `LENT` stand; the bundle is thin and names them by hash.
    """
    files = sorted(files, key=lambda file: file.path)
    paths = [file.path for file in files]
    if len(set(paths)) != len(paths):
        twice = sorted({path for path in paths if paths.count(path) > 1})
        raise ValueError(f"two files of the bundle have one path: {', '.join(twice)}")
    lent = [file for file in files if lender is not None and file.path.startswith(LENT)]
    files = [file for file in files if lender is None or not file.path.startswith(LENT)]
    heritage: dict[str, Json] = {"parent_bundle_id": parent_bundle_id}
    if cures:
        heritage["cures"] = dict(cures)
    if lent:
        heritage["borrowed"] = {
            "from": lender,
            "files": [{"path": f.path, "sha256": f.sha256, "bytes": f.bytes} for f in lent],
        }
    statement = {
        "_type": contract.STATEMENT_TYPE,
        "predicateType": contract.PREDICATE_TYPE,
        "subject": [_subject(file) for file in files],
        "predicate": {**_predicate(plan, files), **heritage},
    }
    manifest = _made(contract.MANIFEST, canonical(statement) + b"\n")
    sums = contract.hash_list(((file.path, file.sha256) for file in files), manifest.sha256)
    own = (manifest, _made(contract.HASH_LIST, sums.encode()))
    return Bundle(
        bundle_id=contract.bundle_id(plan.spec.name, manifest.sha256),
        files=tuple(sorted([*files, *own], key=lambda file: file.path)),
        plan=plan,
    )


@cache
def specc_version() -> str:
    """Version of the installed specc; part of the manifest."""
    return importlib.metadata.version("specc")


def _subject(file: BundleFile) -> Json:
    return {
        "name": file.path,
        "digest": {"sha256": file.sha256},
        "annotations": {"bytes": file.bytes, "mode": f"{file.mode:04o}"},
    }


def _predicate(plan: Plan, files: Sequence[BundleFile]) -> dict[str, Json]:
    spec = plan.spec
    tasks = plan.expansion.tasks
    used = {shape.environment for shape in plan.shapes}
    code = plan.facts.code
    return {
        "schema_version": 1,
        "specc_version": specc_version(),
        "name": spec.name,
        "kind": spec.kind,
        "purpose": spec.data.get("purpose"),
        "spec": portable_spec(spec),
        "tasks": {
            "file": "tasks.jsonl",
            "count": len(tasks),
            "runnable": sum(task.not_run is None for task in tasks),
            "points": plan.expansion.points,
            "repetitions": len({task.repetition for task in tasks}),
        },
        # objects of canonical JSON are sorted by name; the author's order is kept here
        "axes": list(tasks[0].axes) if tasks else [],
        "shapes": [_shape(shape) for shape in plan.shapes],
        "on_failure": spec.data.get("on_failure") or {},
        "environments": {
            name: _environment(fact.description, f"env/{name}/requirements.lock", files)
            for name, fact in sorted(plan.facts.environments.items())
            if name in used
        },
        "inputs": [
            _input(declared, plan.facts.inputs[declared["name"]])
            for declared in spec.data.get("inputs") or ()
        ],
        "code": None if code is None else {"tree": code.tree, "path": "code"},
        **({"pilot": True} if plan.pilot else {}),
        # a rerun checks its cures against it, wherever the profile's file is by then
        "profile": spec.profile,
    }


def _environment(
    description: dict[str, Json], lock: str, files: Sequence[BundleFile]
) -> dict[str, Json]:
    found = next((file for file in files if file.path == lock), None)
    if found is None:
        return description
    return {**description, "lock": lock, "lock_sha256": found.sha256}


def _shape(shape: Shape) -> Json:
    return {
        "name": shape.name,
        "script": shape.script,
        "environment": shape.environment,
        "condition_id": shape.condition_id,
        "task": _task_shape(shape.task),
        "job": _job_shape(shape.job),
        "slots": shape.slots,
        "waves": shape.waves,
        "shards": len(shape.shards),
        "fixtures": [{"type": f.type, "options": f.options} for f in shape.fixtures],
        **_arrays(shape),
    }


def _arrays(shape: Shape) -> dict[str, Json]:
    """Return the arrays of a shape that has more than the one its `script` stands for."""
    if len(shape.arrays) == 1:
        return {}
    return {
        "arrays": [
            {"script": each.script, "first": each.first, "count": each.count}
            for each in shape.arrays
        ]
    }


def _task_shape(task: TaskShape) -> Json:
    # left out when absent: bundles that don't ask for it keep their ids
    stall = {} if task.stall_limit_s is None else {"stall_limit_s": task.stall_limit_s}
    return {
        **stall,
        "gpus": task.gpus,
        "gpu_memory_bytes": task.gpu_memory_bytes,
        "cpus": task.cpus,
        "memory_bytes": task.memory_bytes,
        "estimate_s": task.estimate_s,
        "time_limit_s": task.time_limit_s,
        "nodes": task.nodes,
        "processes_per_node": task.processes_per_node,
    }


def _job_shape(job: JobShape) -> Json:
    return {
        "nodes": job.nodes,
        "gpus_per_node": job.gpus_per_node,
        "cpus_per_node": job.cpus_per_node,
        "memory_bytes": job.memory_bytes,
        "time_limit_s": job.time_limit_s,
        "max_running": job.max_running,
        "exclusive": job.exclusive,
        "partition": job.partition,
    }


def _input(declared: dict[str, Json], fact: InputFact) -> Json:
    return {
        "name": fact.name,
        "at": fact.at,
        "path": input_path(fact.name) if fact.at == "desk" else declared.get("path"),
        "pin": fact.pin,
        "bytes": fact.bytes,
        "folder": fact.folder,
        "licence": declared.get("licence"),
        "source": declared.get("source"),
    }


def _made(path: str, content: bytes) -> BundleFile:
    return BundleFile(
        path=path,
        mode=0o644,
        bytes=len(content),
        sha256=sha256_bytes(content),
        content=content,
        source=None,
    )
