"""Read what a pilot's runs brought back and say what it means for its spec. Start reading here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from specc.collate.evidence.hardware import read_samples
from specc.collate.finding.complete import complete
from specc.collate.finding.read import Found, read
from specc.collate.values import ResultsInvalid, TaskResult
from specc.kinds import plan_room
from specc.model import Json, Spec, TaskShape
from specc.pilot.measured import shapes_used
from specc.pilot.places import ByHand, Edit, Group, groups_of, place
from specc.pilot.proposals import Proposal, propose
from specc.pilot.verdict import Answer, Check, judge
from specc.pipeline import check_spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One shape of one bundle, held against the spec as it is now."""

    bundle_id: str
    shape: str
    attempts: int
    proposals: tuple[Proposal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a pilot says."""

    answer: Answer
    checks: tuple[Check, ...]
    measured: tuple[Measured, ...]
    edits: tuple[Edit, ...]
    by_hand: tuple[ByHand, ...]
    open_tasks: tuple[str, ...]
    """Tasks that have not ended."""


def read_pilot(spec_path: Path, paths: Sequence[Path]) -> Reading:
    """Hold runs against a spec. Raises SpecInvalid, ResultsInvalid.

    paths: bundles or results, of pilots or of whole studies; limits and margins are those that the
    spec states now.
    """
    checked = check_spec(spec_path)
    spec, found = checked.spec, read(paths)
    tasks = complete(found)
    samples, _ = read_samples(tasks)
    groups = groups_of(checked.expansion)
    rows = list(_rows(found, shapes_used(found, samples), groups))
    measured = tuple(_measured(row, group, spec) for row, group in rows)
    _want(measured, [group for _, group in rows])
    edits, by_hand = place(spec, groups)
    unfinished = tuple(_unfinished(tasks))
    pilot = spec.data["pilot"]
    answer, checks = judge(
        [row for row, _ in rows], pilot["accept"], complete=not unfinished and bool(rows)
    )
    return Reading(
        answer=answer,
        checks=checks,
        measured=measured,
        edits=edits,
        by_hand=by_hand,
        open_tasks=unfinished,
    )


def _rows(
    found: Found, rows: Sequence[dict[str, Json]], groups: Sequence[Group]
) -> Iterator[tuple[dict[str, Json], Group]]:
    """Yield each measured shape, asking for what the spec asks now, with its tasks in the spec."""
    by_point = {_key(task.axes): group for group in groups for task in group.tasks}
    sources = {source.bundle_id: source for source in found.sources}
    for row in rows:
        mine = (t for t in sources[row["bundle_id"]].tasks if t.shape == row["shape"])
        known = (by_point.get(_key(task.axes)) for task in mine)
        group = next((group for group in known if group is not None), None)
        if group is None:
            raise ResultsInvalid(
                f"no point of shape {row['shape']} of {row['bundle_id']} is in the spec",
                hint="give the results of a bundle that was compiled from this spec",
            )
        now = _asked(group.tasks[0].task)
        yield {**row, "asked": {**row["asked"], **now}}, group


def _key(axes: Mapping[str, Json]) -> str:
    return json.dumps(axes, sort_keys=True)


def _asked(task: TaskShape) -> dict[str, Json]:
    return {
        "gpus": task.gpus,
        "gpu_memory_bytes": task.gpu_memory_bytes,
        "cpus": task.cpus,
        "memory_bytes": task.memory_bytes,
        "estimate_s": task.estimate_s,
        "time_limit_s": task.time_limit_s,
    }


def _measured(row: Mapping[str, Json], group: Group, spec: Spec) -> Measured:
    group.shapes.append(row["shape"])
    alone = plan_room(spec.kind).MEASURES and not group.tasks[0].sharing
    proposals = propose(row, spec.data["pilot"]["margins"], alone=alone)
    return Measured(
        bundle_id=row["bundle_id"],
        shape=row["shape"],
        attempts=row["attempts"],
        proposals=proposals,
    )


def _want(measured: Sequence[Measured], groups: Sequence[Group]) -> None:
    """Tell each group the largest value that any bundle proposes for it."""
    largest: dict[tuple[int, str], Proposal] = {}
    for one, group in zip(measured, groups, strict=True):
        for proposal in one.proposals:
            key = (id(group), proposal.field)
            if proposal.value is not None and (
                key not in largest or proposal.value > largest[key].value
            ):
                largest[key] = proposal
    for group in groups:
        for (owner, name), proposal in largest.items():
            if owner == id(group) and proposal.differs:
                group.wanted[name] = proposal.text or ""


def _unfinished(tasks: Sequence[TaskResult]) -> Iterator[str]:
    for task in tasks:
        if task.state not in ("completed", "failed", "not_run"):
            yield task.task_id
