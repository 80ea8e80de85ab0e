"""What a task printed, as one JSON object and as text for people."""

from __future__ import annotations

from collections.abc import Sequence

from specc.model import Json
from specc.watching.logs import AttemptLog, Run
from specc.watching.words import axes, clock, moment
from specc_runtime.contract.launches import node_name
from specc_runtime.contract.runs import TaskState

_TAIL = 3


def task_text(run: Run, task: TaskState, logs: Sequence[AttemptLog]) -> str:
    """Return all that is known of the attempts of a task."""
    head = f"task {task.task_id} {axes(run.rows[task.task_id])}: {task.state}"
    reason = f" ({task.reason})" if task.reason and not logs else ""
    return "\n".join([head + reason, *(_attempt_text(log) for log in logs)])


def _attempt_text(log: AttemptLog) -> str:
    attempt, failure = log.attempt, log.attempt.failure or {}
    info = log.launch.info or {}
    took = f" after {clock(attempt.duration_s)}" if attempt.duration_s is not None else ""
    category = f" ({failure['category']})" if failure else ""
    places = [f"{attempt.launch} slot {attempt.slot}"]
    places += [f"GPU {attempt.gpu}"] if attempt.gpu else []
    places += [f"node {_node(log)}"] if info else []
    places += [f"started {moment(attempt.started_epoch_ns)}"]
    lines = [
        f"attempt {attempt.attempt}: {attempt.outcome}{category}{took}",
        "  " + ", ".join(places),
    ]
    if failure:
        lines.append(f"  {failure['message']}")
        if failure["suggestion"]:
            lines.append(f"  hint: {failure['suggestion']}")
    if log.job_log is not None:
        lines.append(f"  log of its job: {log.job_log}")
    for output in log.outputs:
        lines.append(f"  printed, in {output.path.name} from byte {output.start}:")
        lines += [f"  | {line}" for line in output.text().splitlines()]
    tail = failure.get("stderr_tail") or ()
    if not log.outputs:
        lines.append("  its last lines, from the journal:" if tail else "  printed nothing")
        lines += [f"  | {line}" for line in tail]
    return "\n".join(lines)


def _node(log: AttemptLog) -> str:
    return "an unknown node" if log.launch.info is None else node_name(log.launch.info)


def failed_text(run: Run, tasks: Sequence[TaskState]) -> str:
    """Return each failed task with its last lines; `task_text` tells all of one."""
    lines = [f"{run.target.bundle_id} run {run.target.run_id}: {len(tasks)} failed"]
    for task in tasks:
        failure = task.failure or {}
        named = f"{task.task_id} {axes(run.rows[task.task_id])}"
        lines.append(f"{named}: {failure.get('category')}: {task.reason}")
        lines += [f"  | {line}" for line in failure.get("stderr_tail", ())[-_TAIL:]]
    return "\n".join(lines)


def as_json(run: Run, tasks: Sequence[TaskState], *, number: int | None) -> dict[str, Json]:
    """Return tasks with their attempts and texts as one JSON object."""
    return {
        "bundle_id": run.target.bundle_id,
        "run_id": run.target.run_id,
        "tasks": [
            {
                "task_id": task.task_id,
                "axes": dict(run.rows[task.task_id].axes),
                "repetition": run.rows[task.task_id].repetition,
                "state": task.state,
                "reason": task.reason,
                "attempts": [_attempt_json(log) for log in run.logs(task, number=number)],
            }
            for task in tasks
        ],
    }


def _attempt_json(log: AttemptLog) -> dict[str, Json]:
    attempt, failure = log.attempt, log.attempt.failure or {}
    names = ("category", "transient", "type", "message", "exit_code", "signal", "suggestion")
    return {
        "attempt": attempt.attempt,
        "outcome": attempt.outcome,
        "launch": attempt.launch,
        "slot": attempt.slot,
        "gpu": attempt.gpu,
        "node": _node(log) if log.launch.info else None,
        "started_epoch_ns": attempt.started_epoch_ns,
        "duration_s": attempt.duration_s,
        "failure": {name: failure.get(name) for name in names} if failure else None,
        "stderr_tail": list(failure.get("stderr_tail", ())),
        "job_log": None if log.job_log is None else str(log.job_log),
        "outputs": [
            {"file": str(each.path), "offset": each.start, "text": each.text()}
            for each in log.outputs
        ],
    }
