"""Gather what a reader needs beside the numbers: machines, packages, inputs, how to do it again.

Pure: reshapes what bundles and launches say about themselves.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence

from specc.collate.finding.lineage import parents_first
from specc.collate.values import Source, TaskResult
from specc.model import Json
from specc_runtime.contract.slurm import scripts_of


def bundle_facts(sources: Sequence[Source]) -> list[dict[str, Json]]:
    """Return one entry for each bundle: what it is and what it was made from."""
    return [
        {
            "bundle_id": source.bundle_id,
            "name": source.manifest["name"],
            "parent_bundle_id": source.parent,
            "specc_version": source.manifest["specc_version"],
            "compiled_at": source.compile_info.get("compiled_at"),
            "manifest_sha256": source.manifest_sha256,
            "spec_sha256": source.spec_sha256,
            "git": source.compile_info.get("git"),
            "code_tree": (source.manifest.get("code") or {}).get("tree"),
            "spec_text": source.compile_info.get("spec_text"),
            "shapes": source.manifest["shapes"],
            "environments": {
                name: {
                    **{key: one.get(key) for key in ("mode", "python", "pinned", "lock_sha256")},
                    "image": one.get("image"),
                    "image_digest": one.get("digest") or one.get("sha256"),
                }
                for name, one in source.manifest["environments"].items()
            },
        }
        for source in sources
    ]


def input_facts(
    sources: Sequence[Source], launches: Sequence[Mapping[str, Json]] = ()
) -> list[dict[str, Json]]:
    """Return every input once, with its licence and hash; an unpinned one says so.

    `seen` of an input at the cluster is what launches found there, each value once.
    """
    found: dict[str, dict[str, Json]] = {}
    for source in sources:
        for one in source.manifest["inputs"]:
            entry = {
                "name": one["name"],
                "at": one["at"],
                "bytes": one.get("bytes"),
                "licence": one.get("licence"),
                "source": one.get("source"),
                "pin": one.get("pin"),
                "pinned": one.get("pin") is not None,
                "seen": _seen(one["name"], source.bundle_id, launches),
            }
            found.setdefault(json.dumps(entry, sort_keys=True), entry)
    return list(found.values())


def _seen(name: str, bundle_id: str, launches: Sequence[Mapping[str, Json]]) -> list[str]:
    of_bundle = [launch for launch in launches if launch["bundle_id"] == bundle_id]
    entries = [(launch.get("inputs") or {}).get(name) for launch in of_bundle]
    return sorted({entry["pin"] for entry in entries if entry})


def machine_facts(launches: Sequence[Mapping[str, Json]]) -> list[dict[str, Json]]:
    """Return every distinct machine and environment once, with the launches and runs that had it.

    Names of launches say no bundle, and runs of several bundles may have one name: `runs` does.
    """
    found: dict[str, dict[str, Json]] = {}
    for launch in launches:
        entry = {
            "host": launch["host"],
            "hardware": launch["hardware"],
            "python": launch["python"],
            "environment": launch["environment"],
            "network": launch["network"],
            "bundle_verified": launch["bundle_verified"],
        }
        key = json.dumps({**entry, "hardware": _steady(launch["hardware"])}, sort_keys=True)
        known = found.setdefault(key, {**entry, "launches": [], "runs": []})
        known["launches"].append(f"{launch['run_id']}/{launch['shard_id']}/{launch['launch']}")
        run = {"bundle_id": launch["bundle_id"], "run_id": launch["run_id"]}
        if run not in known["runs"]:
            known["runs"].append(run)
    return list(found.values())


def _steady(hardware: Mapping[str, Json]) -> dict[str, Json]:
    """Return the parts that describe the machine; free memory and temperatures come and go."""
    named = ("cpu", "gpus", "kernel", "unavailable")
    return {key: hardware[key] for key in named if key in hardware}


def run_facts(
    tasks: Sequence[TaskResult], launches: Sequence[Mapping[str, Json]]
) -> list[dict[str, Json]]:
    """Return each run of each bundle: its conditions, hosts and number of launches."""
    found: dict[tuple[str, str], dict[str, Json]] = {}
    for task in tasks:
        entry = found.setdefault(
            (task.bundle_id, task.run_id),
            {
                "bundle_id": task.bundle_id,
                "run_id": task.run_id or None,
                "condition_ids": [],
                "hosts": [],
                "launches": 0,
                "started_epoch_ns": None,
            },
        )
        if task.condition_id is not None and task.condition_id not in entry["condition_ids"]:
            entry["condition_ids"].append(task.condition_id)
    for launch in launches:
        known = found.get((launch["bundle_id"], launch["run_id"]))
        if known is not None:
            known["launches"] += 1
            known["hosts"] = sorted({*known["hosts"], launch["host"]})
            times = [known["started_epoch_ns"], launch["started_epoch_ns"]]
            known["started_epoch_ns"] = min(t for t in times if t is not None)
    return list(found.values())


def failure_facts(
    tasks: Sequence[TaskResult], launches: Sequence[Mapping[str, Json]]
) -> list[dict[str, Json]]:
    """Return every failed task with its category, message, place and suggestion."""
    keep = ("category", "transient", "message", "suggestion", "type", "exit_code", "signal")
    hosts = {
        (one["bundle_id"], one["run_id"], f"{one['shard_id']}/{one['launch']}"): one["host"]
        for one in launches
    }
    return [
        {
            "task_id": task.task_id,
            "bundle_id": task.bundle_id,
            "run_id": task.run_id,
            "axes": dict(task.axes),
            "repetition": task.repetition,
            "attempts": task.attempts,
            "launch": task.launch,
            "host": hosts.get((task.bundle_id, task.run_id, task.launch or "")),
            "gpu": task.gpu,
            **{key: task.failure.get(key) for key in (*keep, "stderr_tail", "evidence")},
        }
        for task in tasks
        if task.failure is not None
    ]


def reproducibility(sources: Sequence[Source], runs: Sequence[Mapping[str, Json]]) -> list[str]:
    """Return the commands that make these results again, in order, for any machine.

    They start from the bundle, whose id says what it holds; where it was compiled is no matter.
    """
    commands = []
    if any(run["run_id"] for run in runs):
        commands.append("# in bundles without results; beside these, name a run anew: SPECC_RUN=…")
    for source in parents_first(sources):
        bundle = source.bundle_id
        commands.append(f"# {bundle}: sha256 of manifest.json {source.manifest_sha256}")
        if source.spec_sha256 is not None:
            commands.append(f"# {bundle}: sha256 of spec.resolved.yaml {source.spec_sha256}")
        commands.append(f"specc verify {bundle}")
        ids = [r["run_id"] for r in runs if r["bundle_id"] == bundle and r["run_id"]] or ["r1"]
        scripts = list(scripts_of(source.manifest["shapes"]))
        for start, after, where in (("sbatch", "", "on a cluster"), ("bash", " --here", "or here")):
            commands.append(f"# {where}")
            commands.extend(
                f"(cd {bundle} && SPECC_RUN={shlex.quote(run_id)} {start} {script}{after})"
                for run_id in ids
                for script in scripts
            )
    commands.append("# when the results are back in the bundle")
    commands.append(f"specc collate {' '.join(s.bundle_id for s in sources)} --out report")
    return commands
