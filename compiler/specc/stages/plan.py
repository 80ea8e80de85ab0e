"""Decide what runs where: shapes, slots, shards, and whether they fit their limits. Pure.

Tasks with equal resources and environment share a shape, and a shape has one job script. CPU
shapes come first, so that their jobs are submitted before the ones that wait for GPUs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TypeAlias

from specc.kinds import plan_room
from specc.kinds.base import PlanRoom
from specc.language.blame import Blame
from specc.matrix.identity import condition_id
from specc.model import Expansion, Facts, Fixture, JobShape, Json, Plan, Shape, Shard, Spec, Task
from specc.packing.array_checks import Repack, check_arrays, check_submit, submit_rooms
from specc.packing.checks import (
    check_budget,
    check_fit,
    check_slots,
    check_split,
    core_hours,
    gpu_hours,
    unknown_partition,
)
from specc.packing.cluster import Complaint, choose_partition, longest_s
from specc.packing.fixtures import fixtures_of, measured_beside
from specc.packing.shapes import slots
from specc.packing.shards import SUFFIX, Packing, arrays, order_tasks, pack, waves_in
from specc.packing.width import check_width
from specc.problems import Problem, by_position, error, warning
from specc_runtime.contract.categories import FIXTURES

HARDWARE_OPTIONS = frozenset(
    {"constraint", "nodelist", "threads-per-core", "hint", "cpu-freq", "gpu-freq", "gres-flags"}
    | {"contiguous", "switches", "power", "core-spec"}
)
"""Options of sbatch under which the same task measures something else; the others only queue it."""
_Group: TypeAlias = tuple[tuple[Fixture, ...], list[Task]]
"""What shares a shape: its fixtures and its tasks."""
NO_FACTS = Facts(inputs={}, code=None, environments={}, runtime=())
"""What is known before a survey."""


def make_plan(
    spec: Spec, facts: Facts | None, expansion: Expansion
) -> tuple[Plan, tuple[Problem, ...]]:
    """Return the plan, and what in it does not fit.

    facts: None before a survey; condition ids then rest on the environments as declared.
    """
    room, blame = plan_room(spec.kind), Blame(spec)
    planner = _Planner(spec, facts or NO_FACTS, room, blame)
    groups = _groups(spec, expansion, room)
    shapes, problems = planner.shapes(groups, {})
    if rooms := submit_rooms(spec.profile, shapes):
        shapes, problems = planner.shapes(groups, rooms)
    plan = Plan(
        spec=spec,
        facts=facts or NO_FACTS,
        expansion=expansion,
        shapes=tuple(shapes),
        gpu_hours=gpu_hours(shapes),
        core_hours=core_hours(shapes, spec.profile),
    )
    problems += [*check_submit(spec, plan, planner.repack), *check_budget(spec, plan)]
    return plan, by_position(problems)


def effective_block(spec: Spec, *, measures: bool) -> bool:
    """Say whether a shard holds a whole repetition.

    With a single repetition that nobody asked to keep together, a kind that does not measure has
    nothing to compare within one job, and its tasks are spread.
    """
    repetitions = spec.data["repetitions"]
    written = "block" in (spec.document.data.get("repetitions") or {})
    if repetitions["n"] == 1 and not measures and not written:
        return False
    return bool(repetitions["block"] == "job")


class _Planner:
    """Plans the shapes of one spec, one after the other."""

    def __init__(self, spec: Spec, facts: Facts, room: PlanRoom, blame: Blame) -> None:
        self._spec, self._facts, self._room, self._blame = spec, facts, room, blame
        self._blocked = effective_block(spec, measures=room.MEASURES)
        self._rooms: Mapping[str, int] = {}
        self.repack: dict[str, Repack] = {}
        """By the name of a shape; of the last call of `shapes`."""

    def shapes(
        self, groups: list[_Group], rooms: Mapping[str, int]
    ) -> tuple[list[Shape], list[Problem]]:
        """Return all shapes, and what does not fit.

        rooms: partition to the most shards that a shape there is spread over.
        """
        self._rooms = rooms
        shapes, problems = [], []
        for number, (fixtures, tasks) in enumerate(groups, 1):
            shape, found = self._shape(number, len(groups), fixtures, tasks)
            shapes.append(shape)
            problems += found
        return shapes, problems

    def _shape(
        self, number: int, of: int, fixtures: tuple[Fixture, ...], tasks: list[Task]
    ) -> tuple[Shape, list[Problem]]:
        """Return one shape with its shards, and what does not fit."""
        first, name = tasks[0], f"{number}-{'gpu' if tasks[0].job.gpus_per_node else 'cpu'}"
        partition, job, problems = self._partition(first)
        one_at_a_time = self._room.MEASURES and not first.sharing
        fitting = slots(first.task, job, partition=partition, one_at_a_time=one_at_a_time)
        problems += check_slots(first, job, fitting, self._blame)
        problems += check_width(first, self._spec.kind, self._blame, wide=self._room.WIDE)
        fit, longest = waves_in(job, first.task), longest_s(partition)
        problems += check_fit(first, job, fit, longest, self._blame)
        most = None if partition is None else partition["max_array_size"]
        room = most if most is None else min(most, self._rooms.get(job.partition or "", most))
        repack = self._packer(tasks, max(fitting, 1), room)
        packing = repack(job)
        self.repack[name] = lambda limit_s: len(repack(replace(job, time_limit_s=limit_s)).shards)
        if self._blocked and fit:
            problems += check_split(first, job, packing, longest, self._blame)
        if partition is not None:
            problems += check_arrays(
                first, job, partition, packing, self._blame, repack=self.repack[name]
            )
        script = f"job{SUFFIX}" if of == 1 else f"job-{name}{SUFFIX}"
        in_arrays = arrays(script, len(packing.shards), most=most, max_running=job.max_running)
        shape = Shape(
            name=name,
            script=script,
            arrays=in_arrays,
            environment=first.environment,
            condition_id=self._condition(first, job, max(fitting, 1), fixtures),
            task=first.task,
            job=job,
            slots=max(fitting, 1),
            waves=packing.waves,
            fixtures=fixtures,
            shards=_shards(name, packing),
        )
        return shape, problems

    def _packer(
        self, tasks: list[Task], slot_count: int, most: int | None
    ) -> Callable[[JobShape], Packing]:
        """Return what packs these tasks into jobs with any time limit."""
        repetitions = self._spec.data["repetitions"]
        ordered = order_tasks(tasks, order=repetitions["order"], seed=repetitions["seed"])

        def packed(job: JobShape) -> Packing:
            fit = waves_in(job, tasks[0].task)
            return pack(
                ordered,
                slots=slot_count,
                waves_fit=None if fit is None else max(fit, 1),
                max_running=job.max_running,
                blocked=self._blocked,
                most=most,
            )

        return packed

    def _partition(self, task: Task) -> tuple[Mapping[str, Json] | None, JobShape, list[Problem]]:
        profile = self._spec.profile
        if profile is None:
            return None, task.job, []
        environment = self._spec.data["environment"].get(task.environment) or {}
        partition, found = choose_partition(profile, task.task, task.job, environment)
        if partition is None:
            return None, task.job, [unknown_partition(task, profile, self._blame)]
        job = replace(task.job, partition=partition["name"])
        return partition, job, [self._problem(each, task) for each in found]

    def _problem(self, complaint: Complaint, task: Task) -> Problem:
        mark, path = self._blame.at(complaint.asked_by, task)
        make = error if complaint.is_error else warning
        return make(complaint.code, complaint.message, mark=mark, path=path, hint=complaint.hint)

    def _condition(
        self, task: Task, job: JobShape, slot_count: int, fixtures: tuple[Fixture, ...]
    ) -> str:
        return condition_id(
            environment=self._environment(task.environment),
            task=task.task,
            job={
                "nodes": job.nodes,
                "gpus_per_node": job.gpus_per_node,
                "cpus_per_node": job.cpus_per_node,
                "memory_bytes": job.memory_bytes,
                "exclusive": job.exclusive,
                "partition": job.partition,
                **_measured_otherwise(job),
            },
            slots=slot_count,
            fixtures=[measured_beside(each) for each in fixtures],
            cluster=self._spec.profile["name"] if self._spec.profile else None,
        )

    def _environment(self, name: str | None) -> Json:
        fact = self._facts.environments.get(name or "")
        if fact is None:
            return self._spec.data["environment"].get(name)
        return {
            "mode": fact.mode,
            "python": fact.python,
            "platform": fact.platform,
            "accelerator": fact.accelerator,
            "requirements": fact.requirements,
            "image": fact.description.get("digest") or fact.description.get("sha256"),
            **{k: fact.description[k] for k in ("modules", "variables") if fact.description.get(k)},
        }


def _measured_otherwise(job: JobShape) -> dict[str, Json]:
    """Return the options of sbatch that choose hardware, clocks or binding; empty without any."""
    chosen: dict[str, Json] = {k: v for k, v in job.sbatch if k in HARDWARE_OPTIONS}
    return {"sbatch": chosen} if chosen else {}


def _check_fixtures(fixtures: tuple[Fixture, ...]) -> None:
    """Raise ValueError for a fixture that no runtime starts: a kind's mistake, not a user's."""
    for fixture in fixtures:
        if fixture.type not in FIXTURES:
            known = ", ".join(FIXTURES)
            raise ValueError(f"no runtime knows the fixture {fixture.type!r}; it knows {known}")


def _groups(spec: Spec, expansion: Expansion, room: PlanRoom) -> list[_Group]:
    """Return the tasks that run, by what they share; CPU first, then in matrix order."""
    groups: dict[Json, _Group] = {}
    for settings_tasks in _by_settings(expansion):
        first = settings_tasks[0]
        fixtures = fixtures_of(spec.data["fixtures"], first, room.fixtures(first.settings))
        _check_fixtures(fixtures)
        text = json.dumps([[f.type, f.options] for f in fixtures], sort_keys=True)
        sharing = room.MEASURES and first.sharing
        key = (first.task, first.job, first.environment, sharing, text)
        groups.setdefault(key, (fixtures, []))[1].extend(settings_tasks)
    return sorted(groups.values(), key=lambda group: group[1][0].job.gpus_per_node > 0)


def _by_settings(expansion: Expansion) -> Iterator[list[Task]]:
    """Yield runs of tasks that differ in their repetition only."""
    run: list[Task] = []
    for task in expansion.tasks:
        if task.not_run is not None:
            continue
        if run and (run[-1].settings is not task.settings or run[-1].axes is not task.axes):
            yield run
            run = []
        run.append(task)
    if run:
        yield run


def _shards(name: str, packing: Packing) -> tuple[Shard, ...]:
    return tuple(
        Shard(
            shard_id=f"{name}-{index:04d}",
            index=index,
            task_ids=tuple(task.task_id for task in tasks),
        )
        for index, tasks in enumerate(packing.shards)
    )
