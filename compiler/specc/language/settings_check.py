"""Check the settings of points once their axes are filled in. Pure but for shipped schemas.

Validating ten thousand points one by one would cost more than the rest of a compile. So every
axis value is checked once where it goes in, and whole settings for a covering choice of points:
every axis value in at least one, and every combination of texts and flags (which is what schemas
branch on), up to a limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING

from specc import resources
from specc.language.findings import Finding, findings
from specc.language.semantics import dotted
from specc.matrix.points import Axis, Matrix, Point, mark_of_value
from specc.matrix.recipes import Recipe, Recipes, schemas_at
from specc.model import Json, JsonPath, Mark, Spec
from specc.problems import Problem, error

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

MOST_POINTS_CHECKED = 120
"""About 0.1 s of jsonschema."""
MOST_PROBLEMS = 20

_HARMLESS = frozenset(
    {"type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
    | {"title", "description", "default", "examples", "deprecated"}
)
"""Keywords under which all numbers between two valid ones of their type are valid."""


def check_points(spec: Spec, recipes: Recipes, matrix: Matrix) -> Iterator[Problem]:
    """Yield what is wrong with settings once filled in, at the axis value or override to blame."""
    found: dict[tuple[JsonPath, str], Problem] = {}
    for problem in (*_each_value(spec, recipes, matrix), *_whole_points(spec, recipes, matrix)):
        if len(found) < MOST_PROBLEMS:
            found.setdefault(((problem.path,), repr(problem.mark)), problem)
    yield from found.values()


def _each_value(spec: Spec, recipes: Recipes, matrix: Matrix) -> Iterator[Problem]:
    axes = {axis.name: axis for axis in matrix.axes}
    seen: set[tuple[JsonPath, str]] = set()
    for recipe in recipes.made():
        for hole in recipe.holes:
            target = hole.path[1:]
            if hole.path[0] != "settings" or not hole.whole or (target, hole.axis) in seen:
                continue
            seen.add((target, hole.axis))
            candidates = list(schemas_at(spec.settings_schema, target))
            if len(candidates) == 1:
                yield from _axis_values(spec, axes[hole.axis], target, dict(candidates[0]))


def _axis_values(
    spec: Spec, axis: Axis, target: JsonPath, schema: dict[str, Json]
) -> Iterator[Problem]:
    validator = _new_validator(schema)
    for value in _telling(axis.values, schema):
        for wrong in validator.iter_errors(value):
            for finding in findings(wrong, schema):
                mark = mark_of_value(spec.document, axis, value)
                yield _problem(finding, ("settings", *target, *finding.path), mark, axis, value)


def _telling(values: tuple[Json, ...], schema: Mapping[str, Json]) -> tuple[Json, ...]:
    """Return the values worth checking: of long rows of plain numbers the ends will do."""
    kinds = {type(value) for value in values}
    if len(values) < 50 or len(kinds) != 1 or not set(schema) <= _HARMLESS:
        return values
    if kinds <= {int} or (kinds == {float} and schema.get("type") == "number"):
        return (min(values), max(values))
    return values


def _whole_points(spec: Spec, recipes: Recipes, matrix: Matrix) -> Iterator[Problem]:
    validator = _settings_validator(spec.kind)
    schema = resources.schema(f"kinds/{spec.kind}")
    for point in _covering(matrix):
        recipe = recipes.of(point)
        axes = dict(zip(matrix.names, point, strict=True))
        for wrong in validator.iter_errors(recipes.settings(recipe, axes)):
            for finding in findings(wrong, schema):
                yield _blamed(finding, recipe, point, matrix, recipes)


def _covering(matrix: Matrix) -> Iterator[Point]:
    """Yield points that show every axis value and every combination of texts and flags."""
    seen_values: set[tuple[int, str, Json]] = set()
    seen_classes: set[tuple[Json, ...]] = set()
    given = 0
    for point in matrix.kept:
        marks = [(i, type(value).__name__, value) for i, value in enumerate(point)]
        group = tuple(v if isinstance(v, (str, bool)) or v is None else 0 for v in point)
        if group in seen_classes and seen_values.issuperset(marks):
            continue
        seen_classes.add(group)
        seen_values.update(marks)
        yield point
        given += 1
        if given == MOST_POINTS_CHECKED:
            return


def _blamed(
    finding: Finding, recipe: Recipe, point: Point, matrix: Matrix, recipes: Recipes
) -> Problem:
    path: JsonPath = ("settings", *finding.path)
    hole = recipe.hole_at(path)
    if hole is not None and hole.whole:
        axis = matrix.axes[matrix.names.index(hole.axis)]
        value = point[matrix.names.index(hole.axis)]
        return _problem(
            finding, path, mark_of_value(recipes.spec.document, axis, value), axis, value
        )
    origin = recipe.origin(path)
    document = recipes.spec.document
    mark = document.key_mark(*origin) if finding.at_key else document.mark(*origin)
    where = ", ".join(f"{n}={v}" for n, v in zip(matrix.names, point, strict=True))
    place = f" (at {where})" if where else ""
    hint = finding.hint
    if finding.taken is not None and origin[0] != "settings":
        # the settings have a value for it, which is what an override is there to replace
        hint = f"did you mean '{finding.taken}'?"
    return error(
        finding.code,
        f"{dotted(path)}: {finding.message}{place}",
        mark=mark,
        path=dotted(origin),
        hint=hint,
    )


def _problem(
    finding: Finding, path: JsonPath, mark: Mark | None, axis: Axis, value: Json
) -> Problem:
    return error(
        "E217",
        f"{axis.name}={value} does not fit {dotted(path)}: {finding.message}",
        mark=mark,
        path=dotted(axis.path),
        hint=finding.hint,
    )


def _new_validator(schema: dict[str, Json]) -> Validator:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(schema)


@cache
def _settings_validator(kind: str) -> Validator:
    return _new_validator(resources.schema(f"kinds/{kind}"))
