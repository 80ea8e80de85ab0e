"""When a failed task is given up: no launch takes it up again unless it is told to.

Attempts are counted over all launches of a run and the bundles before it. Pure.
"""

from __future__ import annotations

from typing import Any, Mapping

from .categories import SPARED
from .runs import AttemptState, TaskState
from .tasks import TaskRow

Rules = Mapping[str, Mapping[str, Any]]
"""`on_failure` of a bundle."""


def uses_up(attempt: AttemptState) -> bool:
    """Tell whether an attempt uses up one of those that a task may have."""
    failure = attempt.failure
    return attempt.outcome == "failed" and failure is not None and failure["category"] not in SPARED


def used_up(row: TaskRow, state: TaskState) -> int:
    """Return how many of a task's attempts are used up, those of earlier bundles included."""
    return row.attempts + sum(uses_up(attempt) for attempt in state.attempts)


def may_retry(rules: Rules, used: int, failure: Mapping[str, Any]) -> bool:
    """Tell whether `on_failure` allows another attempt in this bundle once so many were used up.

    What may pass by itself is tried again, and so is what the author asks to try again as it is. A
    rule that changes what a task gets needs another bundle.
    """
    rule = rules.get(failure["category"])
    if not failure["transient"]:
        return rule is not None and set(rule) == {"attempts"} and used < int(rule["attempts"])
    return used < int((rule or rules.get("transient") or {}).get("attempts", 1))


def is_given_up(row: TaskRow, state: TaskState, rules: Rules) -> bool:
    """Tell whether a task failed and no launch takes it up by itself."""
    last = state.attempts[-1] if state.attempts else None
    if state.done is not None or last is None or last.failure is None or not uses_up(last):
        return False
    return not may_retry(rules, used_up(row, state), last.failure)
