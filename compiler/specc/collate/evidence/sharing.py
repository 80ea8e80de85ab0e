"""Tell which tasks had a node that the job did not have to itself. A door: reads Slurm's words.

What other jobs did there is not known, only that they could. Tasks of the same run that ran beside
each other are recorded as neighbours, and are no matter of this module.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from specc.collate.values import Study
from specc.model import Json

VERDICT = "SHARED_NODE"
_Held = Mapping[int, tuple[tuple[str, str], ...]]
_SAID = re.compile(r"^JobId=(\d+) .*? OverSubscribe=(\S+)", re.MULTILINE)


def with_company(held: _Held, study: Study) -> _Held:
    """Return what is held against tasks, and ("SHARED_NODE", evidence) of those it fits."""
    found = dict(held)
    for place, text in shared_nodes(study).items():
        found[place] = (*found.get(place, ()), (VERDICT, text))
    return found


def shared_nodes(study: Study) -> dict[int, str]:
    """Return place of the task -> why its job may have had company; nothing for the others."""
    alone = {
        (source.bundle_id, shape["name"])
        for source in study.sources
        for shape in source.manifest["shapes"]
        if shape["job"].get("exclusive")
    }
    said = {path: _said(path) for path in {str(one["path"]) for one in study.launches}}
    told = {}
    for one in study.launches:
        if (one["bundle_id"], one.get("shape")) not in alone:
            job = str((one.get("slurm") or {}).get("SLURM_JOB_ID", ""))
            key = (one["bundle_id"], one["run_id"], f"{one['shard_id']}/{one['launch']}")
            told[key] = evidence(one, said[str(one["path"])].get(job))
    keys = ((task.bundle_id, task.run_id, task.launch or "") for task in study.tasks)
    return {place: text for place, key in enumerate(keys) if (text := told.get(key)) is not None}


def evidence(launch: Mapping[str, Json], said: str | None = None) -> str | None:
    """Return why a job that did not ask for whole nodes may have had company; None when not.

    launch: its launch.json.   said: OverSubscribe in Slurm's words of the job, where recorded: NO
    is a node of its own, YES and USER are company, OK (and silence) leaves it to the CPUs. Outside
    Slurm nobody shares nodes out; where the job had all CPUs no other job could start there.
    """
    slurm = launch.get("slurm") or {}
    if "SLURM_JOB_ID" not in slurm or said == "NO":
        return None
    if said in ("YES", "USER"):
        return f"Slurm let jobs share the node's CPUs (OverSubscribe={said})"
    had = str(slurm.get("SLURM_CPUS_ON_NODE", ""))
    there = ((launch.get("hardware") or {}).get("cpu") or {}).get("threads")
    if not had.isdigit() or not isinstance(there, int) or int(had) >= there:
        return None
    return f"the job had {had} of {there} CPUs and had not asked for the node alone"


def _said(run: str) -> dict[str, str]:
    """Return job id -> OverSubscribe, as far as `status.sh` and `submit.sh` recorded it."""
    found: dict[str, str] = {}
    for path in sorted((Path(run) / "slurm").glob("*.scontrol.txt")):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        found.update(_SAID.findall(text))
    return found
