"""Check task, job and environment of the points once overrides and axes are filled in. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from specc import resources
from specc.expand_checks import point_name
from specc.matrix import Matrix, Point, mark_of_value
from specc.model import Json, JsonPath, Spec
from specc.problems import Problem, error
from specc.recipes import Recipe, Recipes
from specc.schema_findings import findings
from specc.semantics import dotted
from specc.suggest import did_you_mean

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

MOST_CLASSES = 100
"""Each class of resources makes a job script of its own; more are taken for a slip."""


def check_resources(spec: Spec, recipes: Recipes, matrix: Matrix) -> Iterator[Problem]:
    """Yield resources that do not fit their schema, and points without a valid environment."""
    seen: set[tuple[int, tuple[Json, ...]]] = set()
    for point in matrix.kept:
        recipe = recipes.of(point)
        key = (id(recipe), tuple(point[i] for i in recipe.shape_places))
        if key in seen:
            continue
        seen.add(key)
        if len(seen) > MOST_CLASSES:
            yield error(
                "E220",
                f"the points ask for more than {MOST_CLASSES} different resources,"
                " and each needs a job script of its own",
                mark=spec.document.key_mark("task"),
                path="task",
                hint="let fewer axes change task and job",
            )
            return
        blocks = recipe.shape.render(dict(zip(matrix.names, point, strict=True)))
        for block in ("task", "job"):
            yield from _check_block(block, blocks[block], recipe, point, matrix, spec)
        yield from _check_environment(blocks["environment"], recipe, point, matrix, spec)


def _check_block(
    block: str, value: Json, recipe: Recipe, point: Point, matrix: Matrix, spec: Spec
) -> Iterator[Problem]:
    schema = resources.schema("spec")["properties"][block]
    for wrong in _validator(block).iter_errors(value):
        for finding in findings(wrong, schema):
            path: JsonPath = (block, *finding.path)
            yield _blamed(
                "E218",
                path,
                f"{dotted(path)}: {finding.message}",
                finding.hint,
                recipe,
                point,
                matrix,
                spec,
            )


def _check_environment(
    name: Json, recipe: Recipe, point: Point, matrix: Matrix, spec: Spec
) -> Iterator[Problem]:
    known = spec.data["environment"]
    path: JsonPath = ("environment",)
    axes = dict(zip(matrix.names, point, strict=True))
    if name is None:
        message = f"several environments are declared, but none is chosen for {point_name(axes)}"
        hint = f"add `when: [{{if: {{…}}, set: {{environment: {next(iter(known))}}}}}]`"
        mark = spec.document.key_mark("environment")
        yield error("E216", message, mark=mark, path="environment", hint=hint)
    elif name not in known:
        message = f"there is no environment '{name}'"
        hint = did_you_mean(str(name), known, noun="environments")
        yield _blamed("E215", path, message, hint, recipe, point, matrix, spec)


def _blamed(
    code: str,
    path: JsonPath,
    message: str,
    hint: str | None,
    recipe: Recipe,
    point: Point,
    matrix: Matrix,
    spec: Spec,
) -> Problem:
    hole = recipe.hole_at(path)
    if hole is not None and hole.whole:
        place = matrix.names.index(hole.axis)
        mark = mark_of_value(spec.document, matrix.axes[place], point[place])
        return error(code, message, mark=mark, path=dotted(matrix.axes[place].path), hint=hint)
    origin = recipe.origin(path)
    return error(code, message, mark=spec.document.mark(*origin), path=dotted(origin), hint=hint)


@cache
def _validator(block: str) -> Validator:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(resources.schema("spec")["properties"][block])
