"""How far a run is, told from what its nodes have written so far.

Reads results only; asks no scheduler, so it works on a copy as well as on the cluster.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from specc.model import Json
from specc.problems import BundleInvalid
from specc_runtime.contract.fields import Damage
from specc_runtime.contract.manifest import manifest_id
from specc_runtime.contract.progress import Totals, read_progress, totals
from specc_runtime.contract.runs import RunState, TaskState, fold
from specc_runtime.contract.tasks import TaskRow, read_tasks

FIRST_RUN = "r1"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """One run of one bundle at this moment."""

    bundle_id: str
    run_id: str
    results: Path
    """Folder of the run; it may not exist yet."""
    totals: Totals
    eta_s: float | None
    """The longest that a running launch says it needs; None when none says."""
    slots: tuple[dict[str, Json], ...]
    """What each slot of a running launch does, as in progress.json, with its `launch`."""
    unfinished: tuple[TaskState, ...]
    """Failed, invalid and missing tasks."""
    tasks: Mapping[str, TaskRow]


def results_root(bundle: Path, bundle_id: str, elsewhere: Path | None = None) -> Path:
    """Return where runs of a bundle are written: in the bundle, unless told (by SPECC_RESULTS)."""
    told = elsewhere or os.environ.get("SPECC_RESULTS")
    return Path(told) / bundle_id if told else bundle / "results"


def chosen_run(run_id: str | None) -> str:
    """Return the run that is meant: as given, else SPECC_RUN, else the first."""
    return run_id or os.environ.get("SPECC_RUN") or FIRST_RUN


def read_status(
    bundle: Path, *, run_id: str | None = None, results: Path | None = None, check: bool = True
) -> RunStatus:
    """Read the status of a run of a bundle folder. Raises BundleInvalid.

    results: where results are written when not in the bundle, as SPECC_RESULTS.
    check: compare finished rows with their hashes (slower; "invalid" is only found so).
    """
    bundle_id = manifest_id(bundle)
    if bundle_id is None:
        raise BundleInvalid(
            f"{bundle} is not a bundle: it has no manifest.json",
            hint="give the folder that `specc compile` printed",
        )
    run = chosen_run(run_id)
    folder = results_root(bundle, bundle_id, results) / run
    try:
        rows = read_tasks(bundle)
        state = fold(folder, rows, check=check)
        slots, eta_s = _at_work(state)
    except (Damage, OSError) as damage:
        raise BundleInvalid(str(damage)) from damage
    unfinished = ("failed", "invalid", "missing")
    return RunStatus(
        bundle_id=bundle_id,
        run_id=run,
        results=folder,
        totals=totals([state]),
        eta_s=eta_s,
        slots=slots,
        unfinished=tuple(task for task in state.tasks.values() if task.state in unfinished),
        tasks={row.task_id: row for row in rows},
    )


def _at_work(state: RunState) -> tuple[tuple[dict[str, Json], ...], float | None]:
    slots: list[dict[str, Json]] = []
    etas: list[float] = []
    for launch in state.launches:
        if launch.ended is not None:
            continue
        told = read_progress(launch.folder.path)
        if told is None or not told["running"]:
            continue
        slots.extend({"launch": launch.folder.launch, **slot} for slot in told["slots"])
        if told["eta_s"] is not None:
            etas.append(float(told["eta_s"]))
    return tuple(slots), max(etas, default=None)


def as_json(status: RunStatus) -> dict[str, Json]:
    """Return the status as one JSON object."""
    return {
        "bundle_id": status.bundle_id,
        "run_id": status.run_id,
        "results": str(status.results),
        **asdict(status.totals),
        "percent": round(status.totals.percent, 1),
        "eta_s": status.eta_s,
        "slots": list(status.slots),
        "unfinished": [
            {
                "task_id": task.task_id,
                "state": task.state,
                "reason": task.reason,
                "category": task.failure["category"] if task.failure else None,
                "axes": dict(status.tasks[task.task_id].axes),
            }
            for task in status.unfinished
        ],
    }


def as_text(status: RunStatus, *, most: int = 20) -> str:
    """Return the status for people; at most `most` unfinished tasks are named."""
    sums = status.totals
    counts = ", ".join(
        f"{number} {name.replace('_', ' ')}"
        for name, number in asdict(sums).items()
        if name not in ("total", "left_out") and (number or name == "completed")
    )
    lines = [
        f"{status.bundle_id} run {status.run_id}: {sums.percent:.0f} % of {sums.total} tasks",
        f"  {counts}",
    ]
    if status.eta_s is not None:
        lines.append(f"  about {status.eta_s:.0f} s left")
    lines += [f"  {_slot(slot)}" for slot in status.slots]
    failed = [task for task in status.unfinished if task.state != "missing"]
    for task in failed[:most]:
        category = f" ({task.failure['category']})" if task.failure else ""
        axes = " ".join(f"{k}={v}" for k, v in status.tasks[task.task_id].axes.items())
        lines.append(f"  {task.state}{category} {task.task_id} {axes}: {task.reason}")
    if len(failed) > most:
        lines.append(f"  … and {len(failed) - most} more; --json lists them all")
    return "\n".join(lines)


def _slot(slot: Mapping[str, Json]) -> str:
    place = f"{slot['launch']} slot {slot['slot']}"
    gpu = f" on GPU {slot['gpu']}" if slot["gpu"] else ""
    return f"{place}{gpu}: {slot['task_id'] or 'idle'}"
