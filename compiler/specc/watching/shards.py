"""Tell the state of each shard from what its launches wrote and what the queue says of its jobs.

Pure. Where neither says whether a launch still runs, the state is "unknown".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from specc_runtime.contract.launches import node_name
from specc_runtime.contract.progress import was_stopped
from specc_runtime.contract.runs import LaunchState, TaskState

State = Literal["done", "failed", "running", "queued", "stopped", "died", "unknown", "waiting"]
STATES: tuple[State, ...] = (
    "done", "failed", "running", "queued", "stopped", "died", "unknown", "waiting"
)  # fmt: skip
"""In the order in which they are told.

done: every task completed. failed: nothing left that a launch would take up by itself.
stopped: its last launch ended with tasks left. died: its last launch ended without a word, by
evidence. unknown: no word either way. waiting: never started, as far as is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardStatus:
    """One shard at this moment."""

    shard_id: str
    state: State
    total: int
    completed: int
    failed: int
    given_up: int
    """Of the failed ones, those that no launch takes up by itself."""
    stopped: int
    running: int
    """Tasks that were started and have no end yet; those of a shard that died are not."""
    launch: str | None
    """Name of its last launch; None before the first."""
    launches: int
    node: str | None
    job: str | None
    """Slurm's id of the element; None outside Slurm."""
    detail: str
    """What the queue says, or why it stopped; empty when there is nothing to add."""
    sign_epoch_ns: int | None
    """When its node wrote last, by that node's clock. For display only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What is known of a shard's job beside the journals."""

    job: str | None = None
    verdict: Literal["running", "queued", "over"] | None = None
    """None: nobody says."""
    words: str = ""
    node: str | None = None


SILENCE = Word()


def shard_status(
    shard_id: str,
    tasks: Sequence[TaskState],
    launches: Sequence[LaunchState],
    word: Word,
    *,
    given_up: int,
) -> ShardStatus:
    """Put together what is known of one shard. `launches` by number, `word` of its last job."""
    stopped = sum(map(was_stopped, tasks))
    counts = Counter(task.state for task in tasks)
    last = launches[-1] if launches else None
    state, detail = _state(counts, given_up, last, word)
    alive = state in ("running", "unknown", "queued")
    return ShardStatus(
        shard_id=shard_id,
        state=state,
        total=len(tasks),
        completed=counts["completed"],
        failed=counts["failed"] - stopped,
        given_up=given_up,
        stopped=stopped,
        running=counts["running"] if alive else 0,
        launch=None if last is None else last.folder.launch.rpartition("/")[2],
        launches=len(launches),
        node=word.node or _node(last),
        job=word.job,
        detail=detail,
        sign_epoch_ns=None if last is None else last.last_epoch_ns,
    )


def _state(
    counts: Mapping[str, int], given_up: int, last: LaunchState | None, word: Word
) -> tuple[State, str]:
    total = sum(counts.values())
    if counts["completed"] == total:
        return "done", ""
    if word.verdict == "running":
        return "running", word.words
    if word.verdict == "queued":
        return "queued", word.words
    if last is not None and last.ended is None:
        if word.verdict == "over":
            return "died", word.words
        return "unknown", word.words
    if last is None:
        return ("stopped", word.words) if word.verdict == "over" else ("waiting", word.words)
    if counts["completed"] + given_up == total:
        return "failed", word.words
    reason = str((last.ended or {}).get("reason") or "")
    return "stopped", "; ".join(filter(None, (reason, word.words)))


def _node(last: LaunchState | None) -> str | None:
    if last is None or last.info is None:
        return None
    return node_name(last.info)
