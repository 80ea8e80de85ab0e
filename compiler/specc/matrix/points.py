"""Turn the matrix block into axes and points. Pure; knows nothing of settings or resources.

Points are tuples of values in the order of the axes: product in the order written, the last axis
fastest; zipped axes advance together where the first of them stands; included points come last.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from specc.matrix.conditions import Test, compile_condition, describe_condition, exclude_rule
from specc.model import Document, Json, JsonPath, Mark

MOST_TASKS = 100_000
"""More tasks than this are taken for a slip of the pen: they would take seconds and 200 MB here."""

Point = tuple[Json, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One varied quantity."""

    name: str
    values: tuple[Json, ...]
    """Not all of them when there are more than MOST_TASKS."""
    count: int
    """How many values there are."""
    path: JsonPath
    """Where it is declared."""
    named_points: bool
    """True for an axis of named overrides: its values are their names."""
    from_range: bool

    def value_path(self, place: int) -> JsonPath:
        """Return where the `place`-th value stands."""
        if self.named_points:
            return (*self.path, self.values[place])
        return self.path if self.from_range else (*self.path, place)


@dataclass(frozen=True, slots=True)
class Matrix:
    """All points of a spec, and those taken out."""

    axes: tuple[Axis, ...]
    kept: tuple[Point, ...]
    removed: tuple[tuple[Point, str], ...]
    """Points that `exclude` took out, with the reason."""
    used_rules: frozenset[int]
    """Places of the exclude entries that met at least one point."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(axis.name for axis in self.axes)


def axes_of(data: Mapping[str, Json]) -> tuple[Axis, ...]:
    """Return the axes in the order written: plain ones, then those of named points."""
    matrix = data.get("matrix") or {}
    plain = (_plain_axis(name, values) for name, values in (matrix.get("axes") or {}).items())
    named = (
        Axis(
            name=name,
            values=tuple(points),
            count=len(points),
            path=("matrix", "points", name),
            named_points=True,
            from_range=False,
        )
        for name, points in (matrix.get("points") or {}).items()
    )
    return (*plain, *named)


def _plain_axis(name: str, values: Json) -> Axis:
    from_range = isinstance(values, dict)
    path: JsonPath = ("matrix", "axes", name)
    return Axis(
        name=name,
        values=range_values(values["range"]) if from_range else tuple(values),
        count=range_length(values["range"]) if from_range else len(values),
        path=(*path, "range") if from_range else path,
        named_points=False,
        from_range=from_range,
    )


def range_length(bounds: list[float]) -> int:
    """Return how many values [first, last, step] has; 0 when the step leads away from last."""
    first, last, step = _exact(bounds)
    if step == 0 or (last - first) / step < 0:
        return 0
    return math.floor((last - first) / step) + 1


def range_values(bounds: list[float]) -> tuple[Json, ...]:
    """Return first, first + step, … up to last, computed in decimals: 0.1 + 0.2 is 0.3.

    Only the first one when there are more than MOST_TASKS: such a range is refused.
    """
    first, _, step = _exact(bounds)
    whole = all(isinstance(bound, int) for bound in bounds)
    count = range_length(bounds)
    exact = (first + step * place for place in range(count if count <= MOST_TASKS else 1))
    return tuple(int(value) if whole else float(value) for value in exact)


def reaches_its_end(bounds: list[float]) -> bool:
    """Say whether the last value of a range is its second bound."""
    first, last, step = _exact(bounds)
    return step != 0 and (last - first) % step == 0


def count_before_exclude(axes: tuple[Axis, ...], groups: list[list[str]]) -> int:
    """Return the number of points of the product, zipped groups counted once."""
    sizes = {axis.name: axis.count for axis in axes}
    zipped = {name for group in groups for name in group[1:]}
    return math.prod(size for name, size in sizes.items() if name not in zipped)


def build(data: Mapping[str, Json], axes: tuple[Axis, ...]) -> Matrix:
    """Return all points. The matrix must have passed the checks of `resolve`."""
    matrix = data.get("matrix") or {}
    names = [axis.name for axis in axes]
    rules = [
        (compile_condition(rule, names), reason or f"exclude: {describe_condition(rule)}")
        for rule, reason, _ in map(exclude_rule, matrix.get("exclude") or ())
    ]
    kept: list[Point] = []
    removed: list[tuple[Point, str]] = []
    used: set[int] = set()
    for point in _product(axes, matrix.get("zip") or []):
        met = [place for place, (test, _) in enumerate(rules) if test(point)] if rules else ()
        used.update(met)
        if met:
            removed.append((point, rules[met[0]][1]))
        else:
            kept.append(point)
    kept += [tuple(extra[name] for name in names) for extra in matrix.get("include") or ()]
    return Matrix(axes, tuple(kept), tuple(removed), frozenset(used))


def only_test(only: Mapping[str, tuple[Json, ...]], names: tuple[str, ...]) -> Test:
    """Return the test of `--only`: every named axis must have one of its values."""
    return compile_condition({axis: {"in": list(values)} for axis, values in only.items()}, names)


def mark_of_value(document: Document, axis: Axis, value: Json) -> Mark | None:
    """Return where an axis value stands; the axis itself for values that come from a range."""
    for place, one in enumerate(axis.values):
        if one is value or (type(one) is type(value) and one == value):
            path = axis.value_path(place)
            return document.key_mark(*path) if axis.named_points else document.mark(*path)
    return document.mark(*axis.path)


def _product(axes: tuple[Axis, ...], groups: list[list[str]]) -> Iterator[Point]:
    if not groups:
        return itertools.product(*(axis.values for axis in axes))
    return _zipped_product(axes, groups)


def _zipped_product(axes: tuple[Axis, ...], groups: list[list[str]]) -> Iterator[Point]:
    by_name = {axis.name: axis.values for axis in axes}
    group_of = {name: tuple(group) for group in groups for name in group}
    order: list[tuple[str, ...]] = []
    for axis in axes:
        group = group_of.get(axis.name, (axis.name,))
        if group not in order:
            order.append(group)
    columns = [list(zip(*(by_name[name] for name in group), strict=True)) for group in order]
    flat = list(itertools.chain.from_iterable(order))
    places = [flat.index(axis.name) for axis in axes]
    for parts in itertools.product(*columns):
        values = tuple(itertools.chain.from_iterable(parts))
        yield tuple(values[place] for place in places)


def _exact(bounds: list[float]) -> tuple[Fraction, Fraction, Fraction]:
    first, last, *rest = (Fraction(repr(bound)) for bound in bounds)
    return first, last, rest[0] if rest else Fraction(1)
