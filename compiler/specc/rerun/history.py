"""Gather what became of every task over a line of bundles: the start of a rerun.

Reads what collate reads, and what stands beside the newest bundle. A task's state is that in the
last bundle that gave it a place; one that any bundle of the line completed is done.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from specc.collate.finding.attempts import TaskAttempt, all_attempts
from specc.collate.finding.lineage import conditions, cure_of, lineage_of, newest, parents_first
from specc.collate.finding.read import Found, Run, read
from specc.collate.pipeline import settle
from specc.collate.values import Damage, ResultsInvalid, Source
from specc.model import Json
from specc_runtime.contract import fields
from specc_runtime.contract.giving_up import uses_up
from specc_runtime.contract.manifest import MANIFEST, read_manifest
from specc_runtime.contract.runs import JOURNAL
from specc_runtime.contract.tasks import TaskRow


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskHistory:
    """One task of a line of bundles, and what became of it in one run."""

    row: TaskRow
    """As the last bundle has it that gave the task a place."""
    source: Source
    """That bundle."""
    condition_id: str
    """The condition that its numbers belong to."""
    cure: Mapping[str, Json] | None
    """What that bundle had changed for it."""
    state: str
    """A state of the contract, in that bundle; "completed" when any bundle of the line did it."""
    reason: str | None
    failure: Mapping[str, Json] | None
    """The last task_failed event in that bundle; None when it did not fail there."""
    cut_by: str | None
    """Category that Slurm's words give for a last attempt without an end; None without any."""
    used: int
    """Attempts used up over the line, of those that `on_failure` counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A line of bundles in one run."""

    parent: Source
    """The newest bundle of the line, which the next one continues."""
    run_id: str
    tasks: tuple[TaskHistory, ...]
    """Those that had a place in some bundle, in matrix order."""
    runs: tuple[Run, ...]
    """Of this run id, parents first."""
    damage: tuple[Damage, ...]
    """What could not be read."""
    not_given: tuple[str, ...]
    """Bundles beside the parent that continue it as well."""

    def origins(self) -> list[dict[str, Json]]:
        """Return which results this history rests on, by hash of their journals."""
        return [
            {
                "bundle_id": run.source.bundle_id,
                "run_id": run.run_id,
                "journals_sha256": journals_sha256(run),
            }
            for run in self.runs
        ]


def read_history(paths: Sequence[Path], *, run_id: str | None = None) -> History:
    """Read bundles and results of one line. Raises ResultsInvalid.

    run_id: None where there is only one run.
    """
    found = read(paths)
    lines = sorted({lineage_of(source, found.sources) for source in found.sources})
    if len(lines) > 1:
        raise ResultsInvalid(
            f"these are results of {len(lines)} studies: {', '.join(lines)}",
            hint="give the bundles of one study and those that continue it",
        )
    chosen = _run_id(found, run_id)
    parent = newest(found.sources)
    runs = tuple(
        run
        for source in parents_first(found.sources)
        for run in found.runs
        if run.source is source and run.run_id == chosen
    )
    if all(run.source is not parent for run in runs):
        raise ResultsInvalid(
            f"{parent.bundle_id} continues the line and has no run {chosen} yet",
            hint="run it first, or leave it out",
        )
    return History(
        parent=parent,
        run_id=chosen,
        tasks=_tasks(found, runs, parent),
        runs=runs,
        damage=found.damage,
        not_given=tuple(_children_beside(parent)),
    )


def _children_beside(source: Source) -> Iterator[str]:
    """Yield the ids of bundles beside this one that continue it; what can't be read is none."""
    for manifest in sorted(source.path.parent.glob(f"*/{MANIFEST}")):
        with suppress(fields.Damage, OSError):
            beside = read_manifest(manifest.parent)
            if beside.predicate.get("parent_bundle_id") == source.bundle_id:
                yield beside.bundle_id


def _run_id(found: Found, wanted: str | None) -> str:
    known = sorted({run.run_id for run in found.runs})
    if wanted is not None and wanted in known:
        return wanted
    if wanted is not None or not known:
        have = f"; there are {', '.join(known)}" if known else ""
        raise ResultsInvalid(
            f"there are no results of run {wanted}{have}" if wanted else "there are no results yet",
            hint="run the bundle first; where results went elsewhere, give that folder as well",
        )
    if len(known) > 1:
        raise ResultsInvalid(
            f"there are several runs: {', '.join(known)}", hint="choose one with --run"
        )
    return known[0]


def _tasks(found: Found, runs: Sequence[Run], parent: Source) -> tuple[TaskHistory, ...]:
    chosen = {run.run_id for run in runs}
    results = [result for result in settle(found)[0] if result.run_id in chosen]
    done = {result.task_id for result in results if result.state == "completed"}
    unfit = {
        (result.bundle_id, result.task_id): str(result.reason)
        for result in results
        if result.state == "invalid"
    }
    attempts: dict[tuple[str, str], list[TaskAttempt]] = {}
    for one in all_attempts(found):
        if runs and one.run_id == runs[0].run_id:
            attempts.setdefault((one.bundle_id, one.task_id), []).append(one)
    placed: dict[str, TaskHistory] = {}
    still_there = {row.task_id for row in parent.tasks}
    for source in parents_first(found.sources):
        of_task = conditions(source)
        grown = source.spec_sha256 != parent.spec_sha256
        for row in source.tasks:
            if row.task_id not in of_task or (grown and row.task_id not in still_there):
                continue
            placed[row.task_id] = _history(
                row,
                source,
                of_task[row.task_id],
                _that_ran(row.task_id, [run for run in runs if run.source is source]),
                attempts.get((source.bundle_id, row.task_id), []),
                unfit=unfit.get((source.bundle_id, row.task_id)),
                done=row.task_id in done,
            )
    return tuple(sorted(placed.values(), key=lambda task: (task.row.index, task.row.task_id)))


def _that_ran(task_id: str, runs: Sequence[Run]) -> Run | None:
    """Return the folder of a run that knows of a task: its shards may stand in several places."""
    first = runs[0] if runs else None
    return next((run for run in runs if run.tasks[task_id].attempts), first)


def _history(
    row: TaskRow,
    source: Source,
    condition_id: str,
    run: Run | None,
    attempts: Sequence[TaskAttempt],
    *,
    unfit: str | None,
    done: bool,
) -> TaskHistory:
    known = run.tasks.get(row.task_id) if run else None
    state, reason = (known.state, known.reason) if known else ("missing", "never started")
    failure = known.failure if known and state == "failed" else None
    if unfit is not None:
        state, reason, failure = "invalid", unfit, None
    return TaskHistory(
        row=row,
        source=source,
        condition_id=condition_id,
        cure=cure_of(source, row.task_id),
        state="completed" if done else state,
        reason=None if done else reason,
        failure=None if done else failure,
        cut_by=_cut_by(attempts[-1]) if attempts and state == "missing" else None,
        used=row.attempts + sum(uses_up(one.state) for one in attempts),
    )


def _cut_by(one: TaskAttempt) -> str | None:
    return one.category if one.state.outcome == "cut" else None


def journals_sha256(run: Run) -> str:
    """Return one hash over the journals of all launches of a run."""
    digest = hashlib.sha256()
    for launch in run.launches:
        path = Path(launch.folder.path) / JOURNAL
        data = path.read_bytes() if path.is_file() else b""
        digest.update(f"{hashlib.sha256(data).hexdigest()} {launch.folder.launch}\n".encode())
    return digest.hexdigest()
