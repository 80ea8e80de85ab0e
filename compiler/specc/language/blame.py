"""Find the line of a spec that asked for a resource: a base block, an override, an axis. Pure."""

from __future__ import annotations

from specc.language.semantics import dotted
from specc.matrix.points import axes_of, mark_of_value
from specc.matrix.recipes import Recipes
from specc.model import JsonPath, Mark, Spec, Task


class Blame:
    """Answers for one spec."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._axes = axes_of(spec.data)
        self._recipes = Recipes(spec, self._axes)

    def at(self, fields: tuple[str, ...], task: Task) -> tuple[Mark | None, str]:
        """Return place and path of the first of `fields` that the user wrote for this task.

        The first field, marked at its nearest parent, when none of them is written.
        """
        recipe = self._recipes.of(tuple(task.axes[axis.name] for axis in self._axes))
        document = self._spec.document
        for field in fields:
            path = self._path(field, task)
            hole = recipe.hole_at(path)
            if hole is not None and hole.whole:
                axis = next(axis for axis in self._axes if axis.name == hole.axis)
                return mark_of_value(document, axis, task.axes[axis.name]), dotted(axis.path)
            origin = recipe.origin(path)
            if origin in document.value_marks:
                return document.mark(*origin), dotted(origin)
        path = self._path(fields[0], task)
        parent = document.key_marks.get(path[:1]) or document.mark(*path)
        return parent, dotted(path)

    def _path(self, field: str, task: Task) -> JsonPath:
        path = tuple(field.split("."))
        if path[0] != "environment" or task.environment is None:
            return path
        named = ("environment", task.environment, *path[1:])
        return named if named[:2] in self._spec.document.value_marks else path
