"""List every attempt of every task over all bundles of a line: what happened, where, and why.

Pure. The order is that of bundles, launches and attempt numbers, never that of clocks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from specc.collate.finding.lineage import conditions, cure_of, lineage_of, parents_first
from specc.collate.finding.read import Found, Run
from specc.collate.values import TaskResult
from specc.model import Json
from specc_runtime.contract.launches import node_name
from specc_runtime.contract.runs import AttemptState


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskAttempt:
    """One try of one task, and the bundle that it belongs to."""

    lineage: str
    bundle_id: str
    run_id: str
    task_id: str
    condition_id: str | None
    state: AttemptState
    host: str | None
    """None when the launch died before it said where it ran."""
    cure: Mapping[str, Json] | None
    """What `on_failure` had changed for this task in its bundle; None when nothing."""

    @property
    def category(self) -> str | None:
        """Cause of its failure; None when it did not fail."""
        return str(self.state.failure["category"]) if self.state.failure else None


def all_attempts(found: Found) -> tuple[TaskAttempt, ...]:
    """Return the attempts of all runs, parents before the bundles that continue them."""
    listed: list[TaskAttempt] = []
    for source in parents_first(found.sources):
        lineage = lineage_of(source, found.sources)
        for run in (run for run in found.runs if run.source is source):
            listed.extend(_of_run(run, lineage))
    return tuple(listed)


def _of_run(run: Run, lineage: str) -> Iterator[TaskAttempt]:
    hosts = {launch.folder.launch: node_name(launch.info) for launch in run.launches if launch.info}
    of_task = conditions(run.source)
    for task_id, task in run.tasks.items():
        for attempt in task.attempts:
            yield TaskAttempt(
                lineage=lineage,
                bundle_id=run.source.bundle_id,
                run_id=run.run_id,
                task_id=task_id,
                condition_id=of_task.get(task_id),
                state=attempt,
                host=hosts.get(attempt.launch),
                cure=cure_of(run.source, task_id),
            )


def attempt_table(attempts: Iterable[TaskAttempt], tasks: Iterable[TaskResult]) -> pl.DataFrame:
    """Return one row for each attempt; `counts` marks the one whose rows are in the numbers."""
    counted = {
        (t.bundle_id, t.run_id, t.task_id, t.launch, t.attempt)
        for t in tasks
        if t.state == "completed"
    }
    listed = list(attempts)
    states = [one.state for one in listed]
    columns = {
        "task_id": [one.task_id for one in listed],
        "bundle_id": [one.bundle_id for one in listed],
        "run_id": [one.run_id for one in listed],
        "condition_id": [one.condition_id for one in listed],
        "launch": [state.launch for state in states],
        "attempt": [state.attempt for state in states],
        "slot": [state.slot for state in states],
        "host": [one.host for one in listed],
        "gpu": [state.gpu for state in states],
        "outcome": [state.outcome for state in states],
        "counts": [
            (one.bundle_id, one.run_id, one.task_id, state.launch, state.attempt) in counted
            for one, state in zip(listed, states, strict=True)
        ],
        "category": [one.category for one in listed],
        "message": [str(state.failure["message"]) if state.failure else None for state in states],
        "duration_s": [state.duration_s for state in states],
        "cure": [
            None if one.cure is None else json.dumps(one.cure, sort_keys=True) for one in listed
        ],
    }
    types = {
        **dict.fromkeys(columns, pl.String()),
        **dict.fromkeys(("attempt", "slot"), pl.Int64()),
        "counts": pl.Boolean(),
        "duration_s": pl.Float64(),
    }
    return pl.DataFrame(columns, schema=types)
