"""How a point becomes settings and resources: the base blocks, named overrides and `when` rules.

Points that get the same changes share one recipe, so that the work of a spec with ten thousand
points is that of its few recipes and of filling in values. Pure.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from specc.language.defaults import fill_defaults
from specc.matrix.conditions import compile_condition
from specc.matrix.points import Axis, Point
from specc.matrix.spelling import Spellings, as_written
from specc.matrix.substitute import Placeholder, Template, Whole, placeholders, template
from specc.model import Json, JsonPath, Spec

SHAPE_BLOCKS = ("task", "job", "environment", "sharing")


@dataclass(frozen=True, slots=True)
class Change:
    """One value that an override sets."""

    target: JsonPath
    """("job", "gpus_per_node")"""
    value: Json
    origin: JsonPath
    """Where in the spec it is written."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the points of one group have in common."""

    settings: Template
    shape: Template
    """Renders {task, job, environment, sharing}."""
    shape_places: tuple[int, ...]
    """Axes that the shape's placeholders name, as places in a point."""
    holes: tuple[Placeholder, ...]
    """Placeholders of settings and shape; paths start with the block's name."""
    changes: tuple[Change, ...]

    def origin(self, path: JsonPath) -> JsonPath:
        """Return where the value at `path` (from the root) is written in the spec."""
        return origin_of(path, self.changes)

    def hole_at(self, path: JsonPath) -> Placeholder | None:
        """Return the placeholder that gave the value at `path`, if one did."""
        return next((h for h in self.holes if path[: len(h.path)] == h.path), None)


class Recipes:
    """All recipes of a spec, made when first asked for."""

    def __init__(self, spec: Spec, axes: tuple[Axis, ...]) -> None:
        self.spec = spec
        self.names = tuple(axis.name for axis in axes)
        self._named = tuple(place for place, axis in enumerate(axes) if axis.named_points)
        self._rules = tuple(
            compile_condition(rule["if"], self.names) for rule in spec.data.get("when") or ()
        )
        self._made: dict[tuple[Json, ...], Recipe] = {}
        self._spellings = Spellings(spec.document, axes)
        self._refill = has_conditional_defaults(spec.settings_schema)
        self.used_rules: set[int] = set()

    def of(self, point: Point) -> Recipe:
        """Return the recipe of a point."""
        named = tuple(point[place] for place in self._named)
        rules = tuple(place for place, test in enumerate(self._rules) if test(point))
        key = (named, rules)
        if (found := self._made.get(key)) is None:
            self.used_rules.update(rules)
            found = self._made[key] = self._make(tuple(self._changes(named, rules)))
        return found

    def settings(self, recipe: Recipe, axes: Mapping[str, Json]) -> dict[str, Json]:
        """Return a point's settings with constant defaults. Points share parts: don't change."""
        filled: dict[str, Json] = recipe.settings.render(axes)
        if self._refill:
            filled = fill_defaults(self.spec.settings_schema, copy.deepcopy(filled))
        return filled

    def made(self) -> tuple[Recipe, ...]:
        """Return the recipes asked for so far."""
        return tuple(self._made.values())

    def _changes(self, named: tuple[Json, ...], rules: tuple[int, ...]) -> Iterator[Change]:
        points = (self.spec.data.get("matrix") or {}).get("points") or {}
        for place, choice in zip(self._named, named, strict=True):
            axis = self.names[place]
            for dotted, value in points[axis].get(choice, {}).items():
                origin = ("matrix", "points", axis, choice, dotted)
                yield Change(tuple(dotted.split(".")), value, origin)
        for rule in rules:
            for dotted, value in self.spec.data["when"][rule]["set"].items():
                yield Change(tuple(dotted.split(".")), value, ("when", rule, "set", dotted))

    def _make(self, changes: tuple[Change, ...]) -> Recipe:
        data = self.spec.data
        environments = tuple(data["environment"])
        blocks: dict[str, Json] = {
            "settings": copy.deepcopy(data["settings"]),
            "task": dict(data["task"]),
            "job": copy.deepcopy(data["job"]),
            "environment": environments[0] if len(environments) == 1 else None,
            "sharing": data["sharing"],
        }
        for change in changes:
            _put(blocks, change.target, copy.deepcopy(change.value))
        self._write_constants(blocks["settings"], ("settings",), changes)
        fill_defaults(self.spec.settings_schema, blocks["settings"])
        shape = {name: blocks[name] for name in SHAPE_BLOCKS}
        spelled = self._spellings.text
        settings = template(blocks["settings"], self.is_literal, spelled, self._whole())
        rendered = template(shape, _never, spelled, lambda _path, _axis, value: value)
        return Recipe(
            settings=settings,
            shape=rendered,
            shape_places=tuple(i for i, n in enumerate(self.names) if n in rendered.axes),
            holes=(
                *placeholders(
                    {"settings": blocks["settings"]}, lambda path: self.is_literal(path[1:])
                ),
                *placeholders(shape, _never),
            ),
            changes=changes,
        )

    def is_literal(self, path: JsonPath) -> bool:
        """Say whether the schema wants the settings string at `path` taken as it is."""
        return self._says(path, "x-literal")

    def as_written(self, axes: Mapping[str, Json]) -> Mapping[str, Json]:
        """Return a point's values for a program: numbers spelled as in the source."""
        return self._spellings.point(axes)

    def _says(self, path: JsonPath, word: str) -> bool:
        return any(node.get(word) for node in schemas_at(self.spec.settings_schema, path))

    def _whole(self) -> Whole:
        """Return what "${axis}" becomes in settings: the value, or its spelling for a program."""
        spelled: dict[JsonPath, bool] = {}

        def value_at(path: JsonPath, axis: str, value: Json) -> Json:
            if path not in spelled:
                spelled[path] = self._says(path, "x-as-written")
            return self._spellings.value(axis, value) if spelled[path] else value

        return value_at

    def _write_constants(self, block: Json, path: JsonPath, changes: tuple[Change, ...]) -> None:
        """Spell the numbers that a program will read as the source does, in place."""
        for key, value in block.items() if isinstance(block, dict) else enumerate(block):
            here = (*path, key)
            if isinstance(value, (dict, list)):
                self._write_constants(value, here, changes)
            elif isinstance(value, (int, float)) and self._says(here[1:], "x-as-written"):
                block[key] = as_written(self.spec.document, origin_of(here, changes), value)


def origin_of(path: JsonPath, changes: tuple[Change, ...]) -> JsonPath:
    """Return where the value at `path` (from the root) is written in the spec."""
    for change in reversed(changes):
        if path[: len(change.target)] == change.target:
            return change.origin + path[len(change.target) :]
    # the base blocks were valid: what is wrong above an override's target is its doing
    for change in reversed(changes):
        if change.target[: len(path)] == path:
            return change.origin
    return path


def schemas_at(schema: Mapping[str, Json], path: JsonPath) -> Iterator[Mapping[str, Json]]:
    """Yield every subschema that may describe the value at `path`, all branches followed."""
    if not path:
        yield schema
    else:
        key, rest = path[0], path[1:]
        others = schema.get("additionalProperties")
        if isinstance(key, int):
            if isinstance(schema.get("items"), dict):
                yield from schemas_at(schema["items"], rest)
        elif key in (schema.get("properties") or {}):
            yield from schemas_at(schema["properties"][key], rest)
        elif isinstance(others, dict):
            yield from schemas_at(others, rest)
    for word in ("oneOf", "anyOf", "allOf"):
        for branch in schema.get(word) or ():
            yield from schemas_at(branch, path)


def has_conditional_defaults(schema: Json, *, inside: bool = False) -> bool:
    """Say whether a branch of a oneOf or anyOf holds defaults: filling in a value may add some."""
    if isinstance(schema, list):
        return any(has_conditional_defaults(one, inside=inside) for one in schema)
    if not isinstance(schema, dict):
        return False
    if inside and "default" in schema:
        return True
    return any(
        has_conditional_defaults(value, inside=inside or key in ("oneOf", "anyOf"))
        for key, value in schema.items()
        if key not in ("default", "examples", "enum", "const")
    )


def _never(path: JsonPath) -> bool:
    del path
    return False


def _put(blocks: dict[str, Json], target: JsonPath, value: Json) -> None:
    place: Json = blocks
    for key in target[:-1]:
        inner = place.get(key)
        if not isinstance(inner, dict):
            inner = place[key] = {}
        place = inner
    place[target[-1]] = value
