"""List what Slurm said of every array element: what was asked, what it got and what it used.

Pure. A figure that Slurm did not tell is null.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from specc.collate.finding.read import Found, Run
from specc.model import Json
from specc_runtime.contract.slurm import Words, read_words, recorded_jobs, scripts_of


def slurm_rows(found: Found) -> list[dict[str, Json]]:
    """Return one row for each recorded start of each element, in the order of submission."""
    return [row for run in found.runs for row in _of_run(run, read_words(run.path))]


def _of_run(run: Run, words: Words) -> Iterator[dict[str, Json]]:
    shapes = {shape["name"]: shape for shape in run.source.manifest["shapes"]}
    scripts = scripts_of(run.source.manifest["shapes"])
    by_array: dict[str, dict[int, str]] = {}
    for job in words.starts:
        array, _, element = job.partition("_")
        by_array.setdefault(array, {})[int(element or 0)] = job
    for script, array in recorded_jobs(run.path):
        shape, first = scripts.get(script, (None, 0))
        asked = shapes[shape]["job"] if shape is not None else {}
        for index, job in sorted(by_array.get(array, {}).items()):
            for said in words.starts[job]:
                yield {
                    "bundle_id": run.source.bundle_id,
                    "run_id": run.run_id,
                    "shard_id": None if shape is None else f"{shape}-{first + index:04d}",
                    **asdict(said),
                    "category": said.category,
                    "asked_nodes": asked.get("nodes"),
                    "asked_cpus_per_node": asked.get("cpus_per_node"),
                    "asked_gpus_per_node": asked.get("gpus_per_node"),
                    "asked_memory_bytes": asked.get("memory_bytes"),
                    "asked_time_limit_s": asked.get("time_limit_s"),
                    "asked_partition": asked.get("partition"),
                }
