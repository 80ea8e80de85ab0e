"""What can be wrong with a matrix before any point exists. Pure; yields Problems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from specc.language.semantics import dotted
from specc.language.suggest import did_you_mean
from specc.matrix.conditions import exclude_rule, same
from specc.matrix.points import (
    MOST_TASKS,
    Axis,
    axes_of,
    count_before_exclude,
    range_length,
    reaches_its_end,
)
from specc.model import Document, Json, JsonPath
from specc.problems import Problem, error, warning


def check_matrix(data: Mapping[str, Json], document: Document) -> Iterator[Problem]:
    """Yield what is wrong with axes, zip, include, and the axes that conditions name."""
    matrix = data.get("matrix") or {}
    twice = sorted(set(matrix.get("axes") or {}) & set(matrix.get("points") or {}))
    for name in twice:
        yield error(
            "E208",
            f"axis '{name}' stands under axes and under points",
            mark=document.key_mark("matrix", "points", name),
            path=f"matrix.points.{name}",
            hint="rename one of them",
        )
    axes = axes_of(data)
    for axis in axes:
        yield from _check_axis(axis, matrix, document)
    names = [axis.name for axis in axes]
    yield from _check_zip(matrix, {axis.name: axis for axis in axes}, document)
    yield from _check_include(matrix, names, document)
    for place, entry in enumerate(matrix.get("exclude") or ()):
        rule, _, inside = exclude_rule(entry)
        yield from _check_condition(rule, names, ("matrix", "exclude", place, *inside), document)
    for place, rule in enumerate(data.get("when") or ()):
        yield from _check_condition(rule["if"], names, ("when", place, "if"), document)
    for place, fixture in enumerate(data.get("fixtures") or ()):
        condition = fixture.get("if") or {}
        yield from _check_condition(condition, names, ("fixtures", place, "if"), document)
    count = count_before_exclude(axes, matrix.get("zip") or [])
    repetitions = data["repetitions"]["n"]
    if count * repetitions > MOST_TASKS:
        sizes = " x ".join(f"{_many(axis.count)} {axis.name}" for axis in axes)
        yield error(
            "E219",
            f"{sizes} x {repetitions:,} repetitions are {_many(count * repetitions)} tasks;"
            f" the most is {MOST_TASKS:,}",
            mark=document.key_mark("matrix", "axes"),
            path="matrix.axes",
            hint="zip axes that belong together, or split the study into several specs",
        )


def check_only(only: Mapping[str, tuple[Json, ...]], axes: tuple[Axis, ...]) -> Iterator[Problem]:
    """Yield what is wrong with `--only AXIS=VALUE`."""
    by_name = {axis.name: axis for axis in axes}
    for name, values in only.items():
        if name not in by_name:
            message = f"--only names '{name}', but there is no such axis"
            hint = did_you_mean(name, by_name, noun="axes")
            yield error("E202", message, mark=None, path="", hint=hint)
            continue
        known = by_name[name].values
        for value in values:
            if not any(same(value, one) for one in known):
                message = f"--only {name}={value}: the axis has no such value"
                hint = did_you_mean(str(value), map(str, known), noun="values")
                yield error("E202", message, mark=None, path="", hint=hint)


def _many(count: int) -> str:
    return f"{count:,}" if count < 10**15 else "over 10^15"


def _check_axis(axis: Axis, matrix: Mapping[str, Json], document: Document) -> Iterator[Problem]:
    mark, path = document.mark(*axis.path), ".".join(map(str, axis.path))
    if not axis.values:
        hint = "give it at least one value, or take the axis out"
        if axis.from_range:
            hint = "the step must lead from the first bound to the last, and must not be 0"
        yield error("E204", f"axis '{axis.name}' has no values", mark=mark, path=path, hint=hint)
        return
    if axis.from_range:
        bounds = matrix["axes"][axis.name]["range"]
        if range_length(bounds) <= MOST_TASKS and not reaches_its_end(bounds):
            yield warning(
                "W204",
                f"the range ends at {axis.values[-1]}: its steps do not meet {bounds[1]}",
                mark=mark,
                path=path,
                hint=f"write {axis.values[-1]} as its end, or choose another step",
            )
        return
    seen: dict[tuple[bool, Json], int] = {}
    for place, value in enumerate(axis.values):
        first = seen.setdefault((isinstance(value, bool), value), place)
        if first != place:
            at = axis.value_path(place)
            yield error(
                "E205",
                f"axis '{axis.name}' has the value {value} twice",
                mark=document.mark(*at),
                path=f"{path}[{place}]",
                hint="take one out; `repetitions: {n: …}` measures a point several times",
            )


def _check_zip(
    matrix: Mapping[str, Json], axes: Mapping[str, Axis], document: Document
) -> Iterator[Problem]:
    group_of: dict[str, int] = {}
    for place, group in enumerate(matrix.get("zip") or ()):
        path: JsonPath = ("matrix", "zip", place)
        for member, name in enumerate(group):
            mark, shown = document.mark(*path, member), f"matrix.zip[{place}][{member}]"
            if name not in axes:
                message = f"zip names '{name}', but there is no such axis"
                hint = did_you_mean(name, axes, noun="axes")
                yield error("E203", message, mark=mark, path=shown, hint=hint)
            elif group_of.setdefault(name, place) != place:
                message = f"axis '{name}' is in two zip groups"
                hint = "an axis can advance with one group only"
                yield error("E203", message, mark=mark, path=shown, hint=hint)
        lengths = {name: axes[name].count for name in group if name in axes}
        if len(set(lengths.values())) > 1:
            counts = ", ".join(f"{name} has {_many(count)}" for name, count in lengths.items())
            yield error(
                "E203",
                f"zipped axes need equally many values: {counts}",
                mark=document.mark(*path),
                path=f"matrix.zip[{place}]",
                hint="give them the same number of values, or take one out of the group",
            )


def _check_include(
    matrix: Mapping[str, Json], names: list[str], document: Document
) -> Iterator[Problem]:
    named_points = matrix.get("points") or {}
    for place, extra in enumerate(matrix.get("include") or ()):
        path = f"matrix.include[{place}]"
        missing = [name for name in names if name not in extra]
        if missing:
            yield error(
                "E206",
                f"an included point gives every axis a value; {', '.join(missing)} missing",
                mark=document.mark("matrix", "include", place),
                path=path,
                hint=f"add {missing[0]}: …",
            )
        for name, value in extra.items():
            if name not in names:
                yield error(
                    "E202",
                    f"include names '{name}', but there is no such axis",
                    mark=document.key_mark("matrix", "include", place, name),
                    path=f"{path}.{name}",
                    hint=did_you_mean(name, names, noun="axes"),
                )
            elif name in named_points and value not in named_points[name]:
                yield error(
                    "E206",
                    f"'{value}' is none of the named points of {name}",
                    mark=document.mark("matrix", "include", place, name),
                    path=f"{path}.{name}",
                    hint=did_you_mean(str(value), named_points[name], noun="points"),
                )


def _check_condition(
    condition: Mapping[str, Json], names: list[str], path: JsonPath, document: Document
) -> Iterator[Problem]:
    for name in condition:
        if name not in names:
            yield error(
                "E202",
                f"the condition names '{name}', but there is no such axis",
                mark=document.key_mark(*path, name),
                path=f"{dotted(path)}.{name}",
                hint=did_you_mean(name, names, noun="axes"),
            )
