"""Turn a resolved spec into its tasks, in a stable order.

Pure: asks no clock, reads nothing but shipped schemas. Two calls with equal arguments give equal
tuples. Work that many points share is done once; each point costs some tens of microseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from specc.kinds import plan_room
from specc.kinds.base import PlanRoom
from specc.language.semantics import check_axes_used
from specc.language.settings_check import check_points
from specc.matrix.identity import Identity, declared_pins
from specc.matrix.point_checks import check_condition_use, check_count, check_duplicates
from specc.matrix.points import Matrix, axes_of, build, only_test
from specc.matrix.recipes import Recipe, Recipes
from specc.model import Expansion, Json, Removed, Spec, Task
from specc.packing.resource_check import check_resources
from specc.packing.shapes import Resources, job_shape, task_shape
from specc.problems import Problem, by_position


def expand(
    spec: Spec, pins: Mapping[str, str | None] | None = None, code_tree: str | None = None
) -> tuple[Expansion, tuple[Problem, ...]]:
    """Return all tasks of a spec, the points taken out of it, and what is wrong with them.

    pins: input name to what the survey found; without them, what the spec states.
    code_tree: hash of the user's code; counts only where `code.identity` is `include`.
    The expansion is empty when there are errors.
    """
    matrix = build(spec.data, axes_of(spec.data))
    recipes = Recipes(spec, matrix.axes)
    for point in matrix.kept:
        recipes.of(point)
    problems = [
        *check_condition_use(spec, matrix, recipes.used_rules),
        *check_count(spec, matrix),
        *check_points(spec, recipes, matrix),
        *check_resources(spec, recipes, matrix),
    ]
    if any(problem.severity == "error" for problem in problems):
        nothing = Expansion(tasks=(), removed=_removed(matrix), points=len(matrix.kept))
        return nothing, by_position(problems)
    room = plan_room(spec.kind)
    if not _takes_all_axes(room, recipes, matrix):
        problems += check_axes_used(spec.data, spec.settings_schema, spec.document)
    maker = _TaskMaker(spec, recipes, matrix, room, _identity(spec, room, pins, code_tree))
    tasks = tuple(maker.tasks())
    problems += check_duplicates(spec, matrix, tasks)
    expansion = Expansion(tasks=tasks, removed=_removed(matrix), points=len(matrix.kept))
    return expansion, by_position(problems)


@dataclass(slots=True)
class _TaskMaker:
    """Makes the tasks of one spec; shares what points have in common."""

    spec: Spec
    recipes: Recipes
    matrix: Matrix
    room: PlanRoom
    identity: Identity

    def tasks(self) -> Iterator[Task]:
        """Yield points in matrix order, and within a point its repetitions."""
        repetitions = range(self.spec.data["repetitions"]["n"])
        names = self.matrix.names
        chosen = only_test(self.spec.only, names) if self.spec.only else None
        reason = self.spec.only_reason or _only_text(self.spec.only)
        shapes: dict[tuple[int, tuple[Json, ...]], Resources] = {}
        index = 0
        for point in self.matrix.kept:
            axes = dict(zip(names, point, strict=True))
            recipe = self.recipes.of(point)
            written = self.recipes.as_written(axes)
            settings = self.room.derive(self.recipes.settings(recipe, axes), written)
            key = (id(recipe), tuple((type(point[i]), point[i]) for i in recipe.shape_places))
            if (resources := shapes.get(key)) is None:
                resources = shapes[key] = make_resources(recipe, axes, measures=self.room.MEASURES)
            stem = self.identity.stem(settings)
            not_run = None if chosen is None or chosen(point) else reason
            for repetition in repetitions:
                yield Task(
                    self.identity.task_id(stem, repetition),
                    index,
                    axes,
                    repetition,
                    settings,
                    resources.environment,
                    resources.task,
                    resources.job,
                    not_run,
                    resources.sharing,
                )
                index += 1


def make_resources(recipe: Recipe, axes: Mapping[str, Json], *, measures: bool) -> Resources:
    """Return the resources of a point. Its blocks must be valid."""
    blocks = recipe.shape.render(axes)
    task = task_shape(blocks["task"])
    one_at_a_time = measures and not blocks["sharing"]
    job = job_shape(blocks["job"], task, one_at_a_time=one_at_a_time)
    return Resources(
        task=task, job=job, environment=blocks["environment"], sharing=blocks["sharing"]
    )


def _identity(
    spec: Spec, room: PlanRoom, pins: Mapping[str, str | None] | None, code_tree: str | None
) -> Identity:
    counts = (spec.data.get("code") or {}).get("identity") == "include"
    return Identity(
        kind=spec.kind,
        version=room.IDENTITY_VERSION,
        schema=spec.settings_schema,
        pins=declared_pins(spec.data["inputs"]) if pins is None else pins,
        code_tree=code_tree if counts else None,
    )


def _takes_all_axes(room: PlanRoom, recipes: Recipes, matrix: Matrix) -> bool:
    """Say whether the kind hands every axis to its program, so that none is unused."""
    if not matrix.kept or not matrix.axes:
        return True
    axes = dict(zip(matrix.names, matrix.kept[0], strict=True))
    settings = recipes.settings(recipes.of(matrix.kept[0]), axes)
    return room.derive(settings, axes) != room.derive(settings, {})


def _removed(matrix: Matrix) -> tuple[Removed, ...]:
    return tuple(
        Removed(axes=dict(zip(matrix.names, point, strict=True)), reason=reason)
        for point, reason in matrix.removed
    )


def _only_text(only: Mapping[str, tuple[Json, ...]]) -> str:
    return "left out by --only " + " ".join(
        f"{axis}={value}" for axis, values in only.items() for value in values
    )
