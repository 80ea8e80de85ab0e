"""Check a document against the JSON Schemas: types, keys, ranges, patterns.

Pure but for reading the shipped schemas. Names that only later stages know (axes, inputs,
partitions) are theirs to check.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from specc.language.findings import Finding, findings
from specc.language.suggest import closest, did_you_mean
from specc.model import Document, Json, JsonPath, Mark
from specc.problems import Problem, error
from specc.resources import Schema, kinds, schema

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

PLACEHOLDER = "${"
MAX_FINDINGS = 1000
"""Nobody reads more at once, and looking for the nearest name takes time."""


def validate(document: Document) -> tuple[Problem, ...]:
    """Return every schema problem of the spec, its settings and its profile, by position."""
    data = document.data
    found = list(_problems("spec", data, document, ()))
    found += _kind_problems(document)
    kind, settings = data.get("kind"), data.get("settings", {})
    if kind in kinds() and isinstance(settings, dict) and not _misspelt("settings", data):
        found += settings_problems(kind, settings, document)
    for path, overrides in _overrides(data):
        found += _override_problems(path, overrides, document)
    if isinstance(data.get("cluster"), str) and document.profile is not None:
        found += _problems("cluster", document.profile, document, ("$profile",))
    order = {file: place for place, file in enumerate(document.sources)}
    return tuple(sorted(set(found), key=lambda problem: _position(problem, order)))


def schema_problems(name: str, document: Document) -> tuple[Problem, ...]:
    """Return what a shipped schema holds against a whole document that is no spec."""
    found = _as_problems(_validator(name).iter_errors(document.data), schema(name), document, ())
    order = {file: place for place, file in enumerate(document.sources)}
    return tuple(sorted(set(found), key=lambda problem: _position(problem, order)))


def validate_settings(kind: str, settings: Mapping[str, Json]) -> list[ValidationError]:
    """Return the jsonschema errors of one point's settings, every placeholder filled in.

    Raises FileNotFoundError when the kind has no schema.
    """
    return list(_validator(f"kinds/{kind}").iter_errors(settings))


def settings_problems(
    kind: str,
    settings: Mapping[str, Json],
    document: Document,
    *,
    path: JsonPath = ("settings",),
    blame: Mark | None = None,
) -> Iterator[Problem]:
    """Yield the problems of settings in which "${axis}" may stand for any value.

    path: where the settings stand in the document. blame: a place to point at instead, for
    values that the matrix put there.
    """
    name = f"kinds/{kind}"
    errors = (e for e in validate_settings(kind, settings) if not _excused(e, settings))
    for problem in _as_problems(errors, schema(name), document, path):
        yield problem if blame is None else _moved(problem, blame)


@cache
def _validator(name: str) -> Validator:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(schema(name))


def _problems(name: str, data: Json, document: Document, prefix: JsonPath) -> Iterator[Problem]:
    errors = (e for e in _validator(name).iter_errors(data) if not _awaits_an_axis(e))
    return _as_problems(errors, schema(name), document, prefix)


def _awaits_an_axis(each: ValidationError) -> bool:
    """Tell whether one resource is written as "${axis}": it is checked once filled in."""
    path = each.absolute_path
    return (
        len(path) > 1
        and path[0] in ("task", "job")
        and isinstance(each.instance, str)
        and PLACEHOLDER in each.instance
    )


def _as_problems(
    errors: Iterable[ValidationError], root: Schema, document: Document, prefix: JsonPath
) -> Iterator[Problem]:
    every = (finding for each in errors for finding in findings(each, root))
    found = list(islice(every, MAX_FINDINGS))
    misspelt = {(finding.path[:-1], finding.meant) for finding in found if finding.meant}
    for finding in found:
        if prefix == () and finding.path == ("kind",):
            continue  # _kind_problems says it better
        if finding.missing and (finding.path, finding.missing) in misspelt:
            continue  # one slip of the pen, one problem
        yield _problem(finding, document, prefix)


def _problem(finding: Finding, document: Document, prefix: JsonPath) -> Problem:
    path = (*prefix, *finding.path)
    mark = document.key_mark(*path) if finding.at_key else document.mark(*path)
    return error(finding.code, finding.message, mark=mark, path=dotted(path), hint=finding.hint)


def _moved(problem: Problem, mark: Mark) -> Problem:
    return error(problem.code, problem.message, mark=mark, path=problem.path, hint=problem.hint)


def _kind_problems(document: Document) -> Iterator[Problem]:
    kind, mark = document.data.get("kind"), document.mark("kind")
    planned = schema("spec")["properties"]["kind"]["enum"]
    if "kind" not in document.data or kind in kinds():
        return
    available = ", ".join(kinds())
    if kind in planned:
        message = f"kind '{kind}' is not built yet"
        yield error("E110", message, mark=mark, path="kind", hint=f"available: {available}")
        return
    hint = did_you_mean(str(kind), kinds(), noun="available")
    yield error("E109", f"there is no kind '{kind}'", mark=mark, path="kind", hint=hint)


def _misspelt(key: str, data: Mapping[str, Json]) -> bool:
    """Tell whether a key is absent because it stands there under a name that is no key."""
    known = schema("spec")["properties"]
    return key not in data and any(closest(other, known) == key for other in set(data) - set(known))


def _overrides(data: Mapping[str, Json]) -> Iterator[tuple[JsonPath, dict[str, Json]]]:
    """Yield the mappings of dotted paths: named points and the `set` of `when` rules."""
    matrix = data.get("matrix")
    axes = matrix.get("points") if isinstance(matrix, dict) else None
    for axis, points in axes.items() if isinstance(axes, dict) else ():
        for point, overrides in points.items() if isinstance(points, dict) else ():
            if isinstance(overrides, dict):
                yield ("matrix", "points", axis, point), overrides
    rules = data.get("when")
    for index, rule in enumerate(rules if isinstance(rules, list) else ()):
        if isinstance(rule, dict) and isinstance(rule.get("set"), dict):
            yield ("when", index, "set"), rule["set"]


def _override_problems(
    path: JsonPath, overrides: Mapping[str, Json], document: Document
) -> Iterator[Problem]:
    """Check the value of each dotted path against the schema of the place it goes to."""
    from jsonschema import Draft202012Validator

    for name, value in overrides.items():
        block, _, rest = name.partition(".")
        if block in ("task", "job") and rest:
            target: Any = schema("spec")["properties"][block]
            for part in rest.split("."):
                known = target.get("properties", {})
                if part not in known:
                    mark = document.key_mark(*path, name)
                    hint = did_you_mean(part, known)
                    message = f"'{name}' leads nowhere: {target['title']} has no '{part}'"
                    yield error("E112", message, mark=mark, path=dotted((*path, name)), hint=hint)
                    break
                target = known[part]
            else:
                wrong = Draft202012Validator(target).iter_errors(value)
                errors = (each for each in wrong if not _excused(each, value))
                yield from _as_problems(errors, target, document, (*path, name))
        elif name == "sharing" and not isinstance(value, bool):
            mark = document.mark(*path, name)
            hint = "write true or false"
            yield error(
                "E103", "sharing is yes or no", mark=mark, path=dotted((*path, name)), hint=hint
            )


def _excused(each: ValidationError, settings: Json) -> bool:
    """Tell whether an error may vanish when "${axis}" gets its value."""
    if _holds_placeholder(each.instance) and each.validator not in (
        "additionalProperties", "unevaluatedProperties", "required", "propertyNames",
    ):  # fmt: skip
        if isinstance(each.instance, str) or each.context:
            return True
        return isinstance(each.instance, list) and each.validator != "type"
    conditional = {"if", "then", "else", "dependentSchemas"}
    if conditional.isdisjoint(each.absolute_schema_path):
        return False
    parent: Json = settings
    for part in list(each.absolute_path)[:-1]:
        parent = parent[part]
    return _holds_placeholder(parent) or _holds_placeholder(settings)


def _holds_placeholder(value: Json) -> bool:
    if isinstance(value, str):
        return PLACEHOLDER in value
    if isinstance(value, dict):
        return any(_holds_placeholder(item) for item in value.values())
    return isinstance(value, list) and any(_holds_placeholder(item) for item in value)


def _position(problem: Problem, order: Mapping[str, int]) -> tuple[int, int, int, str, str, str]:
    mark = problem.mark
    if mark is None:
        return (-1, 0, 0, problem.code, problem.path, problem.message)
    place = (order.get(mark.file, len(order)), mark.line, mark.column)
    return (*place, problem.code, problem.path, problem.message)


def dotted(path: JsonPath) -> str:
    """Return a path as people write it: matrix.axes.lr[0]; "$profile" is left out."""
    text = ""
    for part in path:
        if part == "$profile":
            continue
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")
