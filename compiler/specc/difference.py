"""Tell which tasks two specs or bundles share, by task id: equal ids are equal work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from specc.matrix.point_checks import point_name
from specc.model import Expansion, Json
from specc_runtime.contract.tasks import read_tasks

MOST_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """The tasks of a spec or a bundle."""

    name: str
    tasks: Mapping[str, str]
    """Task id to the task as a person would name it, in matrix order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What B adds, removes and keeps, compared with A."""

    old: Study
    new: Study
    added: tuple[str, ...]
    """Task ids only in B, in B's order."""
    removed: tuple[str, ...]
    """Task ids only in A, in A's order."""
    kept: tuple[str, ...]


def study_of_expansion(name: str, expansion: Expansion) -> Study:
    """Return the tasks of an expanded spec."""
    tasks = {t.task_id: _label(t.axes, t.repetition) for t in expansion.tasks}
    return Study(name=name, tasks=tasks)


def study_of_bundle(bundle: Path) -> Study:
    """Return the tasks of a bundle's folder. Raises OSError and the contract's Damage."""
    tasks = {row.task_id: _label(row.axes, row.repetition) for row in read_tasks(bundle)}
    return Study(name=str(bundle), tasks=tasks)


def diff(old: Study, new: Study) -> Difference:
    """Return which tasks `new` adds, removes and keeps."""
    return Difference(
        old=old,
        new=new,
        added=tuple(task_id for task_id in new.tasks if task_id not in old.tasks),
        removed=tuple(task_id for task_id in old.tasks if task_id not in new.tasks),
        kept=tuple(task_id for task_id in new.tasks if task_id in old.tasks),
    )


def diff_json(found: Difference) -> dict[str, Json]:
    """Return a difference as one JSON object."""
    return {
        "old": found.old.name,
        "new": found.new.name,
        "added": [{"task_id": each, "task": found.new.tasks[each]} for each in found.added],
        "removed": [{"task_id": each, "task": found.old.tasks[each]} for each in found.removed],
        "kept": list(found.kept),
    }


def diff_text(found: Difference) -> str:
    """Return a difference as text: a line for each task that only one side has."""
    counts = f"{len(found.added)} added, {len(found.removed)} removed, {len(found.kept)} kept"
    lines = [f"{found.old.name} -> {found.new.name}: {counts}"]
    for sign, ids, study in (("+", found.added, found.new), ("-", found.removed, found.old)):
        lines += [f"  {sign} {each}  {study.tasks[each]}" for each in ids[:MOST_SHOWN]]
        if len(ids) > MOST_SHOWN:
            lines.append(f"  {sign} … and {len(ids) - MOST_SHOWN} more (all of them with --json)")
    return "\n".join(lines)


def _label(axes: Mapping[str, Json], repetition: int) -> str:
    return f"{point_name(axes)}, repetition {repetition}"
