"""Say how far the runs of a bundle are, from their journals alone.

Rows are not compared with their hashes here: that is for the next launch and for collate.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import List, Optional

from .contract.launches import RunFolder, find_runs
from .contract.manifest import read_manifest
from .contract.progress import totals, was_stopped
from .contract.runs import RunState, TaskState, fold
from .contract.slurm import scripts_of
from .contract.tasks import read_tasks

_SHOWN = 10
_WORDS = ("completed", "failed", "stopped", "running", "not_run", "missing", "invalid")


def results_folder(bundle: str, bundle_id: str) -> str:
    """Return where a bundle's runs stand: $SPECC_RESULTS/<bundle_id>, else its own results/."""
    asked = os.environ.get("SPECC_RESULTS")
    if asked:
        return os.path.join(os.path.abspath(asked), bundle_id)
    return os.path.join(bundle, "results")


def describe_runs(bundle: str, run_id: Optional[str]) -> List[str]:
    """Return lines about all runs, or one. Raises OSError, Damage, KeyError (no such run)."""
    manifest = read_manifest(bundle)
    found = find_runs(results_folder(bundle, manifest.bundle_id))
    runs = [run for run in found if run_id is None or run.run_id == run_id]
    if run_id is not None and not runs:
        names = ", ".join(run.run_id for run in found) or "none"
        raise KeyError(f"no run {run_id!r} here; there are: {names}")
    if not runs:
        return ["nothing has run yet"]
    tasks = read_tasks(bundle)
    scripts = scripts_of(manifest.predicate["shapes"])
    states = [fold(run.path, tasks, check=False, scripts=scripts) for run in runs]
    return [line for run, state in zip(runs, states) for line in _run(run, state)]


def _run(run: RunFolder, state: RunState) -> List[str]:
    counts = totals([state])
    parts = [f"{vars(counts)[word]} {word}" for word in _WORDS if vars(counts)[word]]
    lines = [f"{run.run_id}  {counts.shown_percent} % of {counts.to_run} tasks: {', '.join(parts)}"]
    failed = [
        task for task in state.tasks.values() if task.state == "failed" and not was_stopped(task)
    ]
    lines.extend(f"  {_failure(task)}" for task in failed[:_SHOWN])
    if len(failed) > _SHOWN:
        lines.append(f"  … and {len(failed) - _SHOWN} more that failed")
    lines.extend(_missing(state))
    return lines


def _missing(state: RunState) -> List[str]:
    """Say why tasks have no end, as far as Slurm has said so."""
    reasons = Counter(task.reason for task in state.tasks.values() if task.state == "missing")
    told = [
        (reason, count) for reason, count in reasons.most_common() if "Slurm says" in (reason or "")
    ]
    lines = [f"  {count} missing: {reason}" for reason, count in told[:_SHOWN]]
    if len(told) > _SHOWN:
        lines.append(f"  … and {sum(count for _, count in told[_SHOWN:])} more that are missing")
    return lines


def _failure(task: TaskState) -> str:
    event = task.failure or {}
    return f"{task.task_id}  {event.get('category')}: {event.get('message')}"
