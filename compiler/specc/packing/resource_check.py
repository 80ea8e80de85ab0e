"""Check task, job and environment of the points once overrides and axes are filled in. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from specc import resources
from specc.language.findings import findings
from specc.language.semantics import dotted
from specc.language.suggest import did_you_mean
from specc.matrix.point_checks import point_name
from specc.matrix.points import Matrix, Point, mark_of_value
from specc.matrix.recipes import Recipe, Recipes
from specc.model import Json, JsonPath, Spec
from specc.problems import Problem, error

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
        yield from _PointCheck(spec, matrix, recipe, point).problems()


@dataclass(frozen=True, slots=True)
class _PointCheck:
    """Checks the resources of one point, which stands for all that share them."""

    spec: Spec
    matrix: Matrix
    recipe: Recipe
    point: Point

    def problems(self) -> Iterator[Problem]:
        axes = dict(zip(self.matrix.names, self.point, strict=True))
        blocks = self.recipe.shape.render(axes)
        for block in ("task", "job"):
            schema = resources.schema("spec")["properties"][block]
            for wrong in _validator(block).iter_errors(blocks[block]):
                for finding in findings(wrong, schema):
                    path: JsonPath = (block, *finding.path)
                    text = f"{dotted(path)}: {finding.message}"
                    yield self._blamed("E218", path, text, finding.hint)
        known, name = self.spec.data["environment"], blocks["environment"]
        if name is None:
            yield error(
                "E216",
                f"several environments are declared, but none is chosen for {point_name(axes)}",
                mark=self.spec.document.key_mark("environment"),
                path="environment",
                hint=f"add `when: [{{if: {{…}}, set: {{environment: {next(iter(known))}}}}}]`",
            )
        elif not isinstance(name, str) or name not in known:
            hint = did_you_mean(str(name), known, noun="environments")
            message = f"there is no environment '{name}'"
            yield self._blamed("E215", ("environment",), message, hint)

    def _blamed(self, code: str, path: JsonPath, message: str, hint: str | None) -> Problem:
        document, hole = self.spec.document, self.recipe.hole_at(path)
        if hole is not None and hole.whole:
            axis = self.matrix.axes[self.matrix.names.index(hole.axis)]
            value = self.point[self.matrix.names.index(hole.axis)]
            mark = mark_of_value(document, axis, value)
            return error(code, message, mark=mark, path=dotted(axis.path), hint=hint)
        origin = self.recipe.origin(path)
        return error(code, message, mark=document.mark(*origin), path=dotted(origin), hint=hint)


@cache
def _validator(block: str) -> Validator:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(resources.schema("spec")["properties"][block])
