"""The status of runs as one JSON object, and as text for people."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from specc.model import Json
from specc.watching.shards import STATES, ShardStatus
from specc.watching.status import RunStatus, SlotStatus
from specc_runtime.contract.progress import Totals, was_stopped
from specc_runtime.contract.runs import TaskState
from specc_runtime.contract.tasks import TaskRow

_COUNTED = (
    "completed", "failed", "stopped", "running", "unknown", "not_run", "missing", "invalid"
)  # fmt: skip
_NOT_CHECKED = "rows were not compared with their hashes; --check does so"


def as_json(status: RunStatus) -> dict[str, Json]:
    """Return the status of a run as one JSON object."""
    sums = status.totals
    return {
        "bundle_id": status.bundle_id,
        "run_id": status.run_id,
        "other_runs": list(status.target.other_runs),
        "results": str(status.target.folder),
        **asdict(sums),
        "given_up": len(status.given_up),
        "damage": list(status.damage),
        "invalid": sums.invalid if status.checked else None,
        "invalid_reason": None if status.checked else _NOT_CHECKED,
        "percent": round(sums.percent, 1),
        "eta_s": status.eta_s,
        "queue": {
            "asked": list(status.queue.asked),
            "silence": status.queue.silence,
            "elements": [asdict(element) for element in status.queue.elements.values()],
        },
        "shards": [asdict(shard) for shard in status.shards],
        "slots": [asdict(slot) for slot in status.slots],
        "failures": [asdict(failures) for failures in status.failures],
        "unfinished": [
            {
                "task_id": task.task_id,
                "state": _state(task),
                "reason": task.reason,
                "given_up": task.task_id in status.given_up,
                "category": task.failure["category"] if task.failure else None,
                "axes": dict(status.tasks[task.task_id].axes),
            }
            for task in status.unfinished
        ],
    }


def as_text(status: RunStatus, *, most: int = 20) -> str:
    """Return the status of a run for people; at most `most` of each list are named."""
    sums = status.totals
    left = f", about {clock(status.eta_s)} left" if status.eta_s else ""
    head = f"{status.bundle_id} run {status.run_id}: {sums.shown_percent} % of {sums.to_run} tasks"
    lines = [head + left, f"  {counts(sums)}"]
    if sums.failed:
        lines.append(f"  {_outlook(sums.failed, len(status.given_up))}")
    if len(status.shards) > 1:
        lines.append(f"  {len(status.shards)} shards: {shard_counts(status.shards)}")
    shown = [shard for shard in status.shards if not _quiet(shard)]
    lines += _capped([f"  {shard_line(shard)}" for shard in shown], most, "shards")
    busy = [slot for slot in status.slots if slot.task_id]
    lines += _capped(
        [f"    {_slot_line(slot, status.tasks)}" for slot in busy], most, "tasks at work"
    )
    for failures in status.failures:
        times = f"{failures.tasks} {failures.category}"
        lines.append(f"  {times}, last {failures.task_id}: {failures.message}")
        if failures.suggestion:
            lines.append(f"    hint: {failures.suggestion}")
    failed = [task for task in status.unfinished if _state(task) in ("failed", "invalid")]
    lines += _capped(
        [f"  {_task_line(task, status.tasks)}" for task in failed], most, "failed tasks"
    )
    damaged = [f"  damaged, what only it tells counts as missing: {each}" for each in status.damage]
    lines += _capped(damaged, most, "damaged files")
    if status.target.other_runs:
        lines.append(f"  other runs here: {', '.join(status.target.other_runs)}")
    return "\n".join(lines)


def _outlook(failed: int, given_up: int) -> str:
    """Say what becomes of failed tasks."""
    parts = []
    if given_up:
        parts.append(f"{given_up} given up (`specc rerun` cures, ./submit.sh --again repeats)")
    if failed > given_up:
        parts.append(f"{failed - given_up} taken up by the next launch")
    return f"of the failed, {'; '.join(parts)}"


def total_text(all_runs: Sequence[RunStatus]) -> str:
    """Return one line about several runs together."""
    sums = [status.totals for status in all_runs]
    total, done = sum(each.to_run for each in sums), sum(each.completed for each in sums)
    added: Counter[str] = Counter()
    for each in sums:
        added.update(_named(each))
    share = 100 if done == total else min(99, round(100 * done / total))
    return f"{len(all_runs)} runs: {share} % of {total} tasks: {_join(added)}"


def counts(sums: Totals) -> str:
    """Return the numbers of tasks in each state that occurs."""
    return _join(_named(sums))


def _named(sums: Totals) -> dict[str, int]:
    return {name: getattr(sums, name) for name in _COUNTED}


def _join(numbers: Mapping[str, int]) -> str:
    return ", ".join(
        f"{number} {name.replace('_', ' ')}"
        for name, number in numbers.items()
        if number or name == "completed"
    )


def shard_counts(shards: Iterable[ShardStatus]) -> str:
    """Return how many shards are in each state that occurs."""
    found = Counter(shard.state for shard in shards)
    return ", ".join(f"{found[state]} {state}" for state in STATES if found[state])


def shard_line(shard: ShardStatus) -> str:
    """Return one line about a shard."""
    parts = [f"{shard.shard_id}  {shard.state}", f"{shard.completed}/{shard.total}"]
    parts += [f"{number} {name}" for name, number in
              (("failed", shard.failed), ("stopped", shard.stopped)) if number]  # fmt: skip
    if shard.job:
        parts.append(f"job {shard.job}")
    if shard.detail:
        parts.append(shard.detail)
    if shard.state == "unknown" and shard.sign_epoch_ns:
        parts.append(
            f"last sign of life {moment(shard.sign_epoch_ns)} by the clock of {shard.node}"
        )
    return "  ".join(parts)


def _quiet(shard: ShardStatus) -> bool:
    """Return whether it is enough to count a shard."""
    return shard.state == "done" or (shard.state == "waiting" and shard.job is None)


def axes(row: TaskRow) -> str:
    """Return what tells a task from its siblings."""
    words = [f"{name}={value}" for name, value in row.axes.items()]
    return " ".join([*words, *([f"#{row.repetition}"] if row.repetition else [])])


def _slot_line(slot: SlotStatus, tasks: Mapping[str, TaskRow]) -> str:
    gpu = f" GPU {slot.gpu}" if slot.gpu else ""
    since = f" since {moment(slot.since_epoch_ns)}" if slot.since_epoch_ns else ""
    task_id = slot.task_id or ""
    return f"{slot.shard_id} slot {slot.slot}{gpu}: {task_id} {axes(tasks[task_id])}{since}"


def _task_line(task: TaskState, tasks: Mapping[str, TaskRow]) -> str:
    category = f" ({task.failure['category']})" if task.failure else ""
    return f"{task.state}{category} {task.task_id} {axes(tasks[task.task_id])}: {task.reason}"


def _state(task: TaskState) -> str:
    return "stopped" if was_stopped(task) else task.state


def _capped(lines: list[str], most: int, what: str) -> list[str]:
    if len(lines) <= most:
        return lines
    return [*lines[:most], f"  … and {len(lines) - most} more {what}; --json lists them all"]


def moment(epoch_ns: int) -> str:
    """Return a wall-clock time for display, in this machine's zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(epoch_ns / 1e9))


def clock(seconds: float) -> str:
    """Return a duration as hours:minutes:seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
