"""Name the cause of an attempt that was cut off or stopped, from what Slurm said of its start.

A job that ran out of memory, or out of time with one task from its start, counts against the
task: the next attempt needs a change. Whatever else ended the job says nothing about the task.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Tuple

from .categories import SUGGESTIONS, TRANSIENT
from .slurm_words import JobWords

_COMMON = ("seq", "t_ns", "epoch_ns", "task_id", "attempt", "slot")
CUT = "cut"
FAILED = "failed"


def judge_cut(
    start: Mapping[str, Any], words: Optional[JobWords], *, had_it_all: bool
) -> Tuple[str, Optional[Dict[str, Any]]]:
    """Return the outcome of an attempt without an end, and its failure; None: nobody said why.

    start: its `task_started` line.   had_it_all: it had its slot from the launch's start, and saved
    no checkpoint: another job of the same length would end it in the same way.
    """
    if words is None:
        return CUT, None
    category = words.category
    if category is None and words.state not in ("REQUEUED", "FAILED"):
        return CUT, None
    named = category or "unknown"
    counts = named == "oom_host" or (named == "timeout" and had_it_all)
    failure = {
        **{name: start[name] for name in _COMMON},
        "event": "task_failed",
        "category": named,
        "transient": not counts and (named in TRANSIENT or named != "unknown" or words.requeued),
        "type": None,
        "message": f"cut off before its end: {words.sentence()}",
        "exit_code": None,
        "signal": None,
        "stderr_tail": [],
        "evidence": {"slurm": words.facts()},
        "suggestion": _suggestion(named, counts=counts),
        "will_retry": False,
        "duration_s": None,
        "derived": True,
    }
    return FAILED if counts else CUT, failure


def judge_stop(failure: Mapping[str, Any], words: Optional[JobWords]) -> Mapping[str, Any]:
    """Return a `task_failed` line as it is, or with the cause that only Slurm could tell.

    From inside, a cancelled job and one that makes room look alike; so it said "preempted".
    """
    stopped_by = failure["evidence"].get("stopped_by") or ""
    if failure["category"] != "preempted" or not stopped_by.startswith("SIG"):
        return failure
    if words is None or words.category != "cancelled":
        return failure
    return {
        **failure,
        "category": "cancelled",
        "transient": False,
        "message": f"{failure['message']}: {words.sentence()}",
        "evidence": {**failure["evidence"], "slurm": words.facts()},
        "suggestion": SUGGESTIONS["cancelled"],
        "derived": True,
    }


def _suggestion(category: str, *, counts: bool) -> str:
    if category == "timeout" and not counts:
        return "start the job again: completed tasks are skipped"
    return SUGGESTIONS[category]
