"""What can be wrong with the points of a matrix, once there are points. Pure; yields Problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from specc.language.semantics import dotted
from specc.language.suggest import closest
from specc.matrix.conditions import describe_condition, exclude_rule, meets, wanted_values
from specc.matrix.points import Axis, Matrix
from specc.model import Json, JsonPath, Spec, Task
from specc.problems import Problem, error, warning

MOST_DUPLICATES = 10


def check_condition_use(spec: Spec, matrix: Matrix, used_when: set[int]) -> Iterator[Problem]:
    """Yield exclude entries and when rules that meet no point."""
    for place, entry in enumerate(spec.data["matrix"]["exclude"]):
        if place not in matrix.used_rules:
            rule, _, inside = exclude_rule(entry)
            path = ("matrix", "exclude", place, *inside)
            yield _meets_nothing(spec, matrix, rule, path, "removes")
    for place, rule in enumerate(spec.data["when"]):
        if place not in used_when:
            yield _meets_nothing(spec, matrix, rule["if"], ("when", place, "if"), "meets")


def check_count(spec: Spec, matrix: Matrix) -> Iterator[Problem]:
    """Yield zero points, and a count that is not the expected one."""
    points, expected = len(matrix.kept), spec.data["matrix"].get("expect_points")
    if not points:
        counts = Counter(reason for _, reason in matrix.removed)
        reasons = "; ".join(f"{reason} removes {count}" for reason, count in counts.items())
        yield error(
            "E209",
            f"no point is left of {len(matrix.removed)}: {reasons}",
            mark=spec.document.key_mark("matrix", "exclude"),
            path="matrix.exclude",
            hint="take out or narrow one of the exclude entries",
        )
    elif expected is not None and expected != points:
        yield error(
            "E210",
            f"there are {points} points, expected {expected}: {arithmetic(spec, matrix)}",
            mark=spec.document.mark("matrix", "expect_points"),
            path="matrix.expect_points",
            hint=f"correct the axes, or write expect_points: {points}",
        )


def arithmetic(spec: Spec, matrix: Matrix) -> str:
    """Return how the number of points comes about: "2 device x 7 batch_size - 1 excluded"."""
    groups = spec.data["matrix"]["zip"]
    second = {name for group in groups for name in group[1:]}
    first = {group[0]: "/".join(group) for group in groups}
    factors = [
        f"{len(axis.values)} {first.get(axis.name, axis.name)}"
        for axis in matrix.axes
        if axis.name not in second
    ]
    text = " x ".join(factors) or "1 point"
    if matrix.removed:
        text += f" - {len(matrix.removed)} excluded"
    if included := len(spec.data["matrix"]["include"]):
        text += f" + {included} included"
    return text


def check_duplicates(spec: Spec, matrix: Matrix, tasks: Sequence[Task]) -> Iterator[Problem]:
    """Yield pairs of points that are the same work."""
    repetitions = spec.data["repetitions"]["n"]
    seen: dict[str, Task] = {}
    reported = 0
    for task in tasks[::repetitions]:
        other = seen.setdefault(task.task_id, task)
        if other is task:
            continue
        same_axes = other.axes == task.axes
        place = task.index // repetitions - (len(matrix.kept) - len(spec.data["matrix"]["include"]))
        mark, path = spec.document.key_mark("matrix"), "matrix"
        if place >= 0:
            mark = spec.document.mark("matrix", "include", place)
            path = f"matrix.include[{place}]"
        pair = f"{point_name(other.axes)} and {point_name(task.axes)}"
        yield error(
            "E211",
            f"duplicate points: {pair} are the same work",
            mark=mark,
            path=path,
            hint="take one of them out; `repetitions: {n: …}` measures a point several times"
            if same_axes
            else f"no setting depends on {_difference(other.axes, task.axes)}:"
            " use it in settings, or take it out",
        )
        reported += 1
        if reported == MOST_DUPLICATES:
            return


def point_name(axes: Mapping[str, Json]) -> str:
    """Return a point as a person would name it: "device=cpu, batch_size=8"."""
    return ", ".join(f"{name}={value}" for name, value in axes.items()) or "the single point"


def _difference(left: Mapping[str, Json], right: Mapping[str, Json]) -> str:
    return ", ".join(name for name in left if left[name] != right[name])


def _meets_nothing(
    spec: Spec, matrix: Matrix, rule: Mapping[str, Json], path: JsonPath, verb: str
) -> Problem:
    axes = {axis.name: axis for axis in matrix.axes}
    for name, wanted in rule.items():
        values = _values(spec, axes[name])
        if not meets(wanted, values):
            near = _nearest(wanted, values)
            hint = f"{name} has {_few(values)}" + (f"; did you mean {near}?" if near else "")
            return warning(
                "W202",
                f"{describe_condition(rule)} {verb} no point",
                mark=spec.document.mark(*path, name),
                path=f"{dotted(path)}.{name}",
                hint=hint,
            )
    return warning(
        "W202",
        f"{describe_condition(rule)} {verb} no point: no point has all of these values",
        mark=spec.document.mark(*path),
        path=dotted(path),
        hint="take the entry out, or see with `specc plan` which points there are",
    )


def _values(spec: Spec, axis: Axis) -> tuple[Json, ...]:
    included = (extra[axis.name] for extra in spec.data["matrix"]["include"])
    return (*axis.values, *included)


def _nearest(wanted: Json, values: tuple[Json, ...]) -> str | None:
    """Return the axis value that is nearest to the first one the condition names."""
    asked = wanted_values(wanted)[0]
    if isinstance(asked, str):
        return closest(asked, [value for value in values if isinstance(value, str)])
    numbers = [v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]
    if isinstance(asked, bool) or asked is None or not numbers:
        return None
    return str(min(numbers, key=lambda value: abs(value - asked)))


def _few(values: tuple[Json, ...]) -> str:
    shown = ", ".join(str(value) for value in values[:8])
    return f"{shown}, … ({len(values)} values)" if len(values) > 8 else shown
