"""Compile small studies, write results of them by hand, and ask for the next bundle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from results import ABundle, ALaunch, metric, process

from specc.pipeline import compile_spec
from specc.rerun.pipeline import Rerun, Wanted, rerun

CLUSTER = """\
cluster:
  name: meluxina
  partitions:
    - {name: cpu, nodes: 4, cores_per_node: 128, memory_per_node: 512GiB, gpus_per_node: 0,
       max_time: 2h}
  limits: {task.memory: 480GiB}
"""
SPEC = """\
schema_version: 1
name: study
kind: command
matrix: {axes: {size: [1, 2, 4]}}
settings:
  argv: [echo, "${size}"]
  metrics: {time_s: {from: json_lines, unit: s, better: lower}}
"""
TASK = "task: {memory: 64GiB, estimate: 1min, time_limit: 10min}\njob: {time_limit: 1h}\n"


def a_study(
    folder: Path, *blocks: str, task: str = TASK, spec: str = SPEC, **options: Any
) -> ABundle:
    """Compile a study of three points with these further blocks."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "study.yaml"
    path.write_text(spec + task + "".join(blocks), encoding="utf-8")
    return known(compile_spec(path, out=folder / "build", **options).path)


def known(path: Path) -> ABundle:
    """Return a compiled bundle as the writer of results wants it."""
    predicate = json.loads((path / "manifest.json").read_text())["predicate"]
    rows = [json.loads(line) for line in (path / "tasks.jsonl").read_text().splitlines()]
    shapes = {shape["name"]: shape["condition_id"] for shape in predicate["shapes"]}
    return ABundle(path, path.name, rows, shapes)


def predicate(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((path / "manifest.json").read_text())["predicate"]
    return found


def done(launch: ALaunch, task: Mapping[str, Any], **options: Any) -> dict[str, Any]:
    return launch.complete(task, [metric("time_s", 1.0), process()], **options)


def again(*results: Path, **options: Any) -> Rerun:
    """Ask for the next bundle."""
    chosen: dict[str, Any] = {
        "run_id": None,
        "out": None,
        "full": False,
        "again": False,
        "give_up_capped": False,
        "include_running": False,
        "dry_run": False,
    }
    return rerun(Wanted(results=results, **{**chosen, **options}))


def failed_all(bundle: ABundle, category: str, **options: Any) -> None:
    """Let every task of a bundle fail in one launch for each shape."""
    for shape in bundle.conditions:
        launch = bundle.run().launch(shape)
        for task in bundle.tasks:
            if task["shape"] == shape:
                launch.fail(task, category, **options)
        launch.end()


def the_next(found: Rerun) -> ABundle:
    """Return the bundle that was compiled."""
    assert found.path is not None
    return known(found.path)
