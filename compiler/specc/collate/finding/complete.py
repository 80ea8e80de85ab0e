"""Hold what came back against what was expected: every task has one state and a reason.

Pure. Runs of a bundle and of the bundles that rerun parts of it are merged only within one run id
and one condition; a cure that `on_failure` declared keeps the condition and is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from specc.collate.finding.lineage import conditions, cure_of, lineage_of, parents_first
from specc.collate.finding.read import Found, Run
from specc.collate.values import STATES, Source, State, TaskResult
from specc.model import Json
from specc_runtime.contract.runs import AttemptState, TaskState
from specc_runtime.contract.tasks import TaskRow

_Key = tuple[str, str, str | None, str]


def complete(found: Found) -> tuple[TaskResult, ...]:
    """Return one result for each task of each run, parents before their reruns."""
    merged: dict[_Key, TaskResult] = {}
    for source in parents_first(found.sources):
        lineage = lineage_of(source, found.sources)
        runs = [run for run in found.runs if run.source is source]
        for result in _results(source, lineage, runs):
            key = (lineage, result.run_id, result.condition_id, result.task_id)
            merged[key] = _merge(merged[key], result) if key in merged else result
    return tuple(_without_shadows(merged))


def completeness(tasks: Sequence[TaskResult]) -> dict[str, Json]:
    """Count the states, and list every task that has no result with its reason."""
    states = [task.state for task in tasks]
    counts: dict[str, Json] = {state: states.count(state) for state in STATES}
    duplicates = [t for t in tasks if t.duplicates]
    return {
        "expected": len(tasks),
        **counts,
        "duplicate": sum(len(t.duplicates) for t in duplicates),
        "tasks": {
            **{s: [_line(t) for t in tasks if t.state == s] for s in STATES if s != "completed"},
            "duplicate": [{**_line(t), "reason": "; ".join(t.duplicates)} for t in duplicates],
        },
    }


def _line(task: TaskResult) -> dict[str, Json]:
    return {
        "task_id": task.task_id,
        "bundle_id": task.bundle_id,
        "run_id": task.run_id or None,
        "axes": dict(task.axes),
        "repetition": task.repetition,
        "reason": task.reason,
    }


def _results(source: Source, lineage: str, runs: Sequence[Run]) -> Iterator[TaskResult]:
    of_task = conditions(source)
    if not runs:
        yield from (_blank(row, source, lineage, of_task) for row in source.tasks)
    for run in runs:
        for row in source.tasks:
            if (why := run.unreadable.get(row.task_id)) is not None:
                blank = _blank(row, source, lineage, of_task, run_id=run.run_id)
                yield replace(blank, state="invalid", reason=why)
            else:
                yield _filled(row, run, lineage, of_task)


def _blank(
    row: TaskRow, source: Source, lineage: str, of_task: Mapping[str, str], *, run_id: str = ""
) -> TaskResult:
    """Return a task as its bundle says it, before anything of it was run."""
    return TaskResult(
        task_id=row.task_id,
        lineage=lineage,
        bundle_id=source.bundle_id,
        run_id=run_id,
        condition_id=of_task.get(row.task_id),
        axes=row.axes,
        repetition=row.repetition,
        settings=row.settings,
        state="missing" if row.not_run is None else "not_run",
        reason=row.not_run or "the bundle has not been run",
        attempt=None,
        attempts=0,
        launch=None,
        gpu=None,
        duration_s=None,
        failure=None,
        run_path=None,
        segments=(),
        cure=cure_of(source, row.task_id),
    )


def _filled(row: TaskRow, run: Run, lineage: str, of_task: Mapping[str, str]) -> TaskResult:
    """Return a task as its run tells of it."""
    task = run.tasks[row.task_id]
    shown = task.done or (task.attempts[-1] if task.attempts else None)
    state, reason = _state(task, shown)
    return TaskResult(
        task_id=row.task_id,
        lineage=lineage,
        bundle_id=run.source.bundle_id,
        run_id=run.run_id,
        condition_id=of_task.get(row.task_id),
        axes=row.axes,
        repetition=row.repetition,
        settings=row.settings,
        state=state,
        reason=reason,
        attempt=shown.attempt if shown else None,
        attempts=len(task.attempts),
        launch=shown.launch if shown else None,
        gpu=shown.gpu if shown else None,
        duration_s=shown.duration_s if shown else None,
        failure=task.failure if state == "failed" else None,
        run_path=run.path,
        segments=task.segments,
        beside=shown.neighbours if shown else (),
        duplicates=tuple(_named(run, again) for again in task.duplicates),
        cure=cure_of(run.source, row.task_id),
    )


def _state(task: TaskState, shown: AttemptState | None) -> tuple[State, str | None]:
    for state in STATES:
        if task.state == state:
            return state, task.reason
    attempt = f"attempt {shown.attempt} in {shown.launch}" if shown else "an attempt"
    return "missing", f"{attempt} has no end yet"


def _named(run: Run, attempt: AttemptState) -> str:
    return f"{run.source.bundle_id} {run.run_id} {attempt.launch} attempt {attempt.attempt}"


def _merge(first: TaskResult, second: TaskResult) -> TaskResult:
    """Return the first completion; without one, what was seen last."""
    if first.state == "completed" and second.state == "completed":
        again = f"{second.bundle_id} {second.run_id} {second.launch} attempt {second.attempt}"
        return replace(
            first,
            duplicates=(*first.duplicates, again, *second.duplicates),
            others=(*first.others, second),
        )
    if first.state == "completed" or second.attempts == 0:
        return first
    return replace(second, attempts=first.attempts + second.attempts)


def _without_shadows(merged: Mapping[_Key, TaskResult]) -> Iterator[TaskResult]:
    """Drop what a rerun has replaced: not_run in the parent, or a parent's empty run id."""
    placed = {(t.lineage, t.run_id, t.task_id) for t in merged.values() if t.condition_id}
    started = {(t.lineage, t.task_id) for t in merged.values() if t.run_id}
    for task in merged.values():
        if task.condition_id is None and (task.lineage, task.run_id, task.task_id) in placed:
            continue
        if not task.run_id and (task.lineage, task.task_id) in started:
            continue
        yield task
