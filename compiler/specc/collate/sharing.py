"""Tell which tasks had a node that the job did not have to itself.

Pure. What other jobs did there is not known, only that they could: see docs/report.md. Tasks of the
same run that ran beside each other are recorded as neighbours, and are no matter of this module.
"""

from __future__ import annotations

from collections.abc import Mapping

from specc.collate.values import Study
from specc.model import Json

VERDICT = "SHARED_NODE"


def shared_nodes(study: Study) -> dict[int, tuple[tuple[str, str], ...]]:
    """Return place of the task -> ("SHARED_NODE", evidence); nothing for the others."""
    alone = {
        (source.bundle_id, shape["name"])
        for source in study.sources
        for shape in source.manifest["shapes"]
        if shape["job"].get("exclusive")
    }
    told = {
        (one["bundle_id"], one["run_id"], f"{one['shard_id']}/{one['launch']}"): evidence(one)
        for one in study.launches
        if (one["bundle_id"], one.get("shape")) not in alone
    }
    found: dict[int, tuple[tuple[str, str], ...]] = {}
    for place, task in enumerate(study.tasks):
        text = told.get((task.bundle_id, task.run_id, task.launch or ""))
        if text is not None:
            found[place] = ((VERDICT, text),)
    return found


def evidence(launch: Mapping[str, Json]) -> str | None:
    """Return why a job that did not ask for whole nodes may have had company; None when not.

    launch: its launch.json. Outside Slurm nobody shares nodes out, and where the job had all CPUs
    of the node no other job could start there.
    """
    slurm = launch.get("slurm") or {}
    had = str(slurm.get("SLURM_CPUS_ON_NODE", ""))
    there = ((launch.get("hardware") or {}).get("cpu") or {}).get("threads")
    if "SLURM_JOB_ID" not in slurm or not had.isdigit() or not isinstance(there, int):
        return None
    if int(had) >= there:
        return None
    return f"the job had {had} of {there} CPUs and had not asked for the node alone"
