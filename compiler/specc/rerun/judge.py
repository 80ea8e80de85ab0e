"""Decide for each task of a line of bundles: done, again (with which cure), or given up. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from specc.model import Json, TaskShape
from specc.rerun.cures import Cap, Change, NotStated, changes, has_cure
from specc.rerun.history import TaskHistory
from specc_runtime.contract.categories import SPARED

Fate = Literal["done", "again", "given_up", "running"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What happens with one task."""

    task: TaskHistory
    fate: Fate
    cause: str
    """Category of its failure, or of what cut it off; else "missing" or "invalid"."""
    reason: str
    """Why it is given up; empty for others."""
    made: tuple[Change, ...] = ()
    """What its cure changes; empty without one."""
    cap: Cap | None = None
    """Set when the cure asks for more than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What decides over a failed task."""

    on_failure: Mapping[str, Mapping[str, Json]]
    again: bool
    """Whoever was given up gets one more attempt."""
    live_shards: Collection[tuple[str, str]]
    """(bundle id, shard) that a launch is still at work on."""


def choose(task: TaskHistory, shape: TaskShape, rules: Rules) -> Choice:
    """Decide over one task. shape: what it had in the bundle that ran it last."""
    if task.state == "completed":
        return Choice(task=task, fate="done", cause="completed", reason="")
    if (task.source.bundle_id, task.row.shard) in rules.live_shards:
        return Choice(
            task=task, fate="running", cause="running", reason="its job runs, or waits in the queue"
        )
    if task.failure is None:
        cause = "invalid" if task.state == "invalid" else task.cut_by or "missing"
        return Choice(task=task, fate="again", cause=cause, reason="")
    return _failed(task, task.failure, shape, rules)


def _failed(
    task: TaskHistory, failure: Mapping[str, Json], shape: TaskShape, rules: Rules
) -> Choice:
    category = str(failure["category"])
    rule = rules.on_failure.get(category)
    if rule is None and failure["transient"]:
        rule = rules.on_failure.get("transient")
    made: tuple[Change, ...] = ()
    reason = ""
    try:
        made = changes(rule or {}, shape)
    except NotStated as error:
        reason = str(error)
    reason = reason or _why_no_more(category, failure, rule, task.used)
    if reason and not rules.again:
        return Choice(task=task, fate="given_up", cause=category, reason=reason)
    return Choice(task=task, fate="again", cause=category, reason="", made=made)


def _why_no_more(
    category: str, failure: Mapping[str, Json], rule: Mapping[str, Json] | None, used: int
) -> str:
    """Return why a task gets no further attempt; empty when it does.

    What was stopped, or failed through no fault of its own, is taken up without a rule.
    """
    if category in SPARED:
        return ""
    if rule is None:
        return "" if failure["transient"] else f"no cure for {category} in on_failure"
    # a cure that allows no attempt would never be applied
    allowed = int(rule.get("attempts", 2 if has_cure(rule) else 1))
    return "" if used < allowed else f"{used} of {allowed} attempts used"
