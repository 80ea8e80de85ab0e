"""Say in words what a jsonschema error means: one finding per mistake, with a hint. Pure.

jsonschema reports by keyword; people think in keys and values. Inside oneOf and anyOf the branch
that was meant is chosen and only its errors are told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from specc.defaults import is_type
from specc.model import Json, JsonPath
from specc.resources import Schema
from specc.schema_words import (
    TYPE_NAMES,
    description,
    example_hint,
    kind_of,
    shown,
    types_of,
)
from specc.suggest import closest, did_you_mean

Violation: TypeAlias = Any
"""A jsonschema ValidationError; its own types say of every attribute that it may be unset."""

_COMPARISONS = {
    "minimum": "is below the least allowed value",
    "maximum": "is above the greatest allowed value",
    "exclusiveMinimum": "must be greater than",
    "exclusiveMaximum": "must be less than",
    "multipleOf": "is no multiple of",
}
_COUNTS = {
    "minItems": "needs at least {} entries",
    "maxItems": "takes at most {} entries",
    "minLength": "needs at least {} characters",
    "maxLength": "takes at most {} characters",
    "minProperties": "needs at least {} keys",
    "maxProperties": "takes at most {} keys",
}
_BOOLEAN_WORDS = {
    "yes": "true",
    "on": "true",
    "y": "true",
    "no": "false",
    "off": "false",
    "n": "false",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One mistake, not yet tied to a line."""

    code: str
    path: JsonPath
    message: str
    hint: str | None
    at_key: bool = False
    """True: the key that leads to `path` is to blame, not the value."""
    missing: str | None = None
    """The key that is missing from `path`; None when none is."""
    meant: str | None = None
    """The key that an unknown key was probably meant to be; None when that is not known."""


def findings(each: Violation, root: Schema) -> Iterator[Finding]:
    """Yield what one jsonschema error says. root: the schema of the whole, for "belongs under"."""
    path: JsonPath = tuple(each.absolute_path)
    word = str(each.validator)
    if word in ("additionalProperties", "unevaluatedProperties"):
        yield from _unknown_keys(each, path, root)
    elif word == "required":
        yield _missing_key(each, path)
    elif word in ("oneOf", "anyOf"):
        yield from _branches(each, path, root)
    elif word in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"):
        message = f"{shown(each.instance)} {_COMPARISONS[word]} {shown(each.validator_value)}"
        yield Finding(code="E106", path=path, message=message, hint=description(each.schema))
    elif word in _COUNTS:
        what = _COUNTS[word].format(each.validator_value)
        if each.validator_value == 1:
            what = {"minLength": "must not be empty", "minItems": "must not be empty",
                    "minProperties": "must not be empty"}.get(word, what)  # fmt: skip
        yield Finding(code="E107", path=path, message=what, hint=description(each.schema))
    else:
        yield _simple(each, path, word)


def _simple(each: Violation, path: JsonPath, word: str) -> Finding:
    if (path and "propertyNames" in each.absolute_schema_path) or word == "propertyNames":
        return _bad_key(each, path)
    if word == "type":
        return _wrong_type(each, path)
    if word == "enum":
        return _not_listed(each, path)
    if word == "const":
        return _not_constant(each, path)
    if word in ("pattern", "format"):
        return _wrong_form(each, path)
    if word == "uniqueItems":
        message, cure = _repeated(each.instance)
        return Finding(code="E107", path=path, message=message, hint=cure)
    if word == "dependentRequired":
        return Finding(code="E102", path=path, message=each.message, hint=None)
    hint = description(each.schema)
    return Finding(code="E108", path=path, message=each.message[:300], hint=hint)


def _not_constant(each: Violation, path: JsonPath) -> Finding:
    wanted, given = shown(each.validator_value), shown(each.instance)
    if path and path[-1] == "schema_version":
        message = f"schema_version {given} is not known to this specc"
        return Finding(code="E113", path=path, message=message, hint=f"write {wanted}")
    return Finding(
        code="E104", path=path, message=f"{given} is not {wanted}", hint=f"write {wanted}"
    )


def _unknown_keys(each: Violation, path: JsonPath, root: Schema) -> Iterator[Finding]:
    known = [*each.schema.get("properties", {})]
    patterns = each.schema.get("patternProperties", {})
    for key in each.instance:
        if key in known or any(re.search(pattern, key) for pattern in patterns):
            continue
        free = [name for name in known if name not in each.instance]
        hint = did_you_mean(key, free)
        homes = [".".join(home) for home in _homes(root, key) if home != path]
        if closest(key, free) is None and homes:
            hint = f"'{key}' belongs under {' or '.join(homes[:3])}"
        elif closest(key, free) is None and (near := closest(key, known)):
            hint = f"did you mean '{near}'? That key is there already"
        message = f"unknown key '{key}'"
        title = each.schema.get("title")
        if path and title:
            message += f" in {title}"
        meant = closest(key, free)
        yield Finding(
            code="E101", path=(*path, key), message=message, hint=hint, at_key=True, meant=meant
        )


def _homes(node: Schema, key: str, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield where else in a schema a key is known."""
    for name, below in node.get("properties", {}).items():
        if name == key and path:
            yield path
        if len(path) < 2:
            yield from _homes(below, key, (*path, name))


def _missing_key(each: Violation, path: JsonPath) -> Finding:
    missing = next(
        name for name in each.validator_value if f"'{name}' is a required" in each.message
    )
    subschema = each.schema.get("properties", {}).get(missing, {})
    title = each.schema.get("title")
    where = f"{title} needs" if title and path else "needs"
    told = description(subschema)
    return Finding(
        code="E102",
        path=path,
        message=f"{where} the key '{missing}'",
        hint=f"{missing}: {told}" if told else None,
        at_key=True,
        missing=missing,
    )


def _bad_key(each: Violation, path: JsonPath) -> Finding:
    key = str(each.instance)
    title = each.schema.get("title", "a key that is allowed here")
    return Finding(
        code="E114",
        path=(*path, key),
        message=f"'{key}' is not {title}",
        hint=example_hint(each.schema),
        at_key=True,
    )


def _wrong_type(each: Violation, path: JsonPath) -> Finding:
    types = (
        each.validator_value if isinstance(each.validator_value, list) else [each.validator_value]
    )
    wanted = " or ".join(TYPE_NAMES[name] for name in types)
    value = each.instance
    title = each.schema.get("title")
    expected = title if title and types in (["string"], ["object"], ["array"]) else wanted
    return Finding(
        code="E103",
        path=path,
        message=f"expected {expected}, got {kind_of(value)}",
        hint=_type_hint(types, value, each.schema),
    )


def _type_hint(types: list[str], value: Json, subschema: Schema) -> str | None:
    if isinstance(value, str):
        if "${" in value:
            return '"${axis}" works under settings; elsewhere use matrix.points or when'
        if "boolean" in types and value.lower() in _BOOLEAN_WORDS:
            return f"write {_BOOLEAN_WORDS[value.lower()]}: in YAML 1.2 {value} is text"
        if {"number", "integer"} & set(types) and _is_number(value, types):
            return f"take the quotes off: {value}"
    if types == ["string"] and isinstance(value, int | float):
        if examples := subschema.get("examples"):
            return f"give it a unit or quotes, e.g. {shown(examples[0])}"
        return f'quote it: "{shown(value)}"'
    if types == ["array"] and not isinstance(value, dict):
        return f"put it in brackets: [{shown(value)}]"
    return example_hint(subschema)


def _is_number(text: str, types: list[str]) -> bool:
    try:
        value = float(text)
    except ValueError:
        return False
    return any(is_type(value, name) for name in types)


def _not_listed(each: Violation, path: JsonPath) -> Finding:
    allowed = [shown(value) for value in each.validator_value]
    hint = f"one of: {', '.join(allowed)}"
    if isinstance(each.instance, str):
        texts = [value for value in each.validator_value if isinstance(value, str)]
        if near := closest(each.instance, texts):
            hint = f"did you mean '{near}'? ({hint})"
    message = f"{shown(each.instance)} is not one of the values allowed here"
    return Finding(code="E104", path=path, message=message, hint=hint)


def _wrong_form(each: Violation, path: JsonPath) -> Finding:
    title = each.schema.get("title", "in the form wanted here")
    hint = example_hint(each.schema)
    if "title" not in each.schema and "examples" not in each.schema:
        hint = f"{hint or ''} It must match {each.validator_value}".strip()
    if "${" in str(each.instance):
        hint = '"${axis}" works under settings; elsewhere use matrix.points or when'
    elif isinstance(each.instance, str) and re.fullmatch(r"[0-9.]+ ?[A-Za-z]+", each.instance):
        units = re.findall(r"[A-Za-z]{1,3}(?=[|)])", str(each.validator_value))
        number, unit = re.findall(r"[0-9.]+|[A-Za-z]+", each.instance)[:2]
        folded = {name.lower(): name for name in units}
        if near := folded.get(unit.lower()) or folded.get(unit.lower()[:1] + "ib"):
            hint = f"did you mean {number}{near}?"
    return Finding(
        code="E105", path=path, message=f"{shown(each.instance)} is not {title}", hint=hint
    )


def _repeated(items: list[Json]) -> tuple[str, str]:
    seen: list[str] = []
    for item in items:
        text = json.dumps(item, sort_keys=True)
        if text in seen:
            return f"{shown(item)} stands in the list twice", "keep one of the two"
        seen.append(text)
    return "the list holds equal values", "1 and 1.0 are the same value"


def _branches(each: Violation, path: JsonPath, root: Schema) -> Iterator[Finding]:
    options: list[Any] = each.validator_value
    if all(set(option) <= {"required"} for option in options):
        names = [name for option in options for name in option["required"]]
        given = [name for name in names if name in each.instance]
        title = each.schema.get("title", "this")
        message = f"{title} needs one of: {', '.join(names)}"
        if given:
            message = f"{title} takes only one of: {', '.join(given)}"
        yield Finding(code="E108", path=path, message=message, hint=None, at_key=True)
        return
    groups: dict[int, list[Violation]] = {}
    for below in each.context or ():
        groups.setdefault(int(below.schema_path[0]), []).append(below)
    meant = _meant_branch(each.instance, groups, options)
    if meant is not None:
        for below in groups[meant]:
            yield from findings(below, root)
        return
    titles = [str(option.get("title") or types_of(option)) for option in options]
    message = f"expected {' or '.join(titles)}, got {kind_of(each.instance)}"
    if not groups:
        message = f"{kind_of(each.instance)} could be {' or '.join(titles)}: it fits more than one"
    yield Finding(code="E108", path=path, message=message, hint=example_hint(each.schema))


def _meant_branch(
    value: Json, groups: dict[int, list[Violation]], options: list[Schema]
) -> int | None:
    """Return the branch of the right type that fits best; None when no branch has the type."""

    def distance(index: int) -> tuple[bool, int]:
        known = options[index].get("properties", {})
        strange = sum(key not in known for key in value) if isinstance(value, dict) else 0
        if options[index].get("x-branch") == "values-are-mappings":
            strange = sum(not isinstance(item, dict) for item in value.values())
        missing = sum(error.validator == "required" for error in groups[index])
        return (strange + missing > 0, strange + missing)

    fitting = [
        index
        for index, errors in groups.items()
        if not any(e.validator == "type" and not e.relative_path for e in errors)
        and not any(e.validator in ("enum", "const") and not e.relative_path for e in errors)
    ]
    return min(fitting, key=distance) if fitting else None
