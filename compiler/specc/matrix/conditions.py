"""Conditions on a point: equality, or the operators eq ne lt le gt ge in. Pure."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence

from specc.model import Json, JsonPath

_OPERATORS = frozenset({"eq", "ne", "lt", "le", "gt", "ge", "in"})
Test = Callable[[Sequence[Json]], bool]
"""Says of a point (its values in axis order) whether it meets a condition."""

_ORDERINGS: dict[str, tuple[str, Callable[[Json, Json], bool]]] = {
    "lt": ("<", operator.lt),
    "le": ("<=", operator.le),
    "gt": (">", operator.gt),
    "ge": (">=", operator.ge),
}


def same(left: Json, right: Json) -> bool:
    """Equal as JSON: true is not 1, but 1 is 1.0."""
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def compile_condition(condition: Mapping[str, Json], names: Sequence[str]) -> Test:
    """Return the test of a condition whose axes are all in `names`."""
    parts = [
        (names.index(axis), _holds(operator_name, wanted))
        for axis, wanted_all in condition.items()
        for operator_name, wanted in _operators(wanted_all)
    ]
    if len(parts) == 1:
        place, holds = parts[0]
        return lambda point: holds(point[place])
    return lambda point: all(holds(point[place]) for place, holds in parts)


def describe_condition(condition: Mapping[str, Json]) -> str:
    """Return the condition as a person would write it: "device = cpu and batch_size >= 64"."""
    return " and ".join(
        f"{axis} {_sign(name)} {_shown(wanted)}"
        for axis, wanted_all in condition.items()
        for name, wanted in _operators(wanted_all)
    )


def exclude_rule(entry: Mapping[str, Json]) -> tuple[Mapping[str, Json], str | None, JsonPath]:
    """Return the condition of an exclude entry, its author's reason, and where the condition is.

    {where: {axis: …}, reason: text} may have both; any other entry is a condition. Axes may be
    called where and reason: what stands under such an axis is a value or operators.
    """
    where = entry.get("where")
    if (
        isinstance(where, dict)
        and set(entry) <= {"where", "reason"}
        and not set(where) <= _OPERATORS
    ):
        return where, entry.get("reason"), ("where",)
    return entry, None, ()


def wanted_values(wanted: Json) -> tuple[Json, ...]:
    """Return the values that one entry of a condition names."""
    found: list[Json] = []
    for name, value in _operators(wanted):
        found += value if name == "in" else [value]
    return tuple(found)


def meets(wanted: Json, values: Iterable[Json]) -> bool:
    """Say whether any of `values` meets one entry of a condition."""
    tests = [_holds(name, value) for name, value in _operators(wanted)]
    return any(all(test(value) for test in tests) for value in values)


def _operators(wanted: Json) -> tuple[tuple[str, Json], ...]:
    return tuple(wanted.items()) if isinstance(wanted, dict) else (("eq", wanted),)


def _holds(name: str, wanted: Json) -> Callable[[Json], bool]:
    if name == "eq":
        return lambda value: same(value, wanted)
    if name == "ne":
        return lambda value: not same(value, wanted)
    if name == "in":
        return lambda value: any(same(value, one) for one in wanted)
    compare = _ORDERINGS[name][1]
    return lambda value: _comparable(value, wanted) and compare(value, wanted)


def _comparable(left: Json, right: Json) -> bool:
    """Only text with text and numbers with numbers have an order."""
    if isinstance(left, str) and isinstance(right, str):
        return True
    return all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in (left, right))


def _sign(name: str) -> str:
    return {"eq": "=", "ne": "!=", "in": "in"}.get(name) or _ORDERINGS[name][0]


def _shown(value: Json) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_shown(one) for one in value) + "]"
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)
