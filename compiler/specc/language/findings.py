"""Say in words what a jsonschema error means: one finding per mistake, with a hint. Pure.

jsonschema reports by keyword; people think in keys and values. Inside oneOf and anyOf the branch
that was meant is chosen and only its errors are told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from specc.language.defaults import is_type
from specc.language.suggest import closest, did_you_mean
from specc.language.words import (
    TYPE_NAMES,
    description,
    example_hint,
    homes,
    kind_of,
    meant_branch,
    shown,
    types_of,
)
from specc.model import Json, JsonPath
from specc.resources import NOT_BEFORE_NEWLINE, Schema

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
_NO_PLACEHOLDER = '"${axis}" works under settings, task and job; elsewhere write the value'
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
    taken: str | None = None
    """The same where that key has a value already, written there or filled in."""


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
        return _repeated(each, path)
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
        meant, hint = _meant_key(key, free, known)
        if places := [".".join(home) for home in homes(root, key) if home != path]:
            meant, hint = None, f"'{key}' belongs under {' or '.join(places[:3])}"
        taken = closest(key, known) if meant is None and not places else None
        message = f"unknown key '{key}'"
        title = each.schema.get("title")
        if path and title:
            message += f" in {title}"
        near = {"meant": meant, "taken": taken}
        yield Finding(
            code="E101", path=(*path, key), message=message, hint=hint, at_key=True, **near
        )


def _meant_key(key: str, free: list[str], known: list[str]) -> tuple[str | None, str]:
    """Return the key that was probably meant, and a hint."""
    if (near := closest(key, free)) is None and (taken := closest(key, known)):
        return None, f"did you mean '{taken}'? That key is there already"
    if not free:
        return None, f"nothing is allowed here beside {', '.join(known)}"
    return near, did_you_mean(key, free)


def _missing_key(each: Violation, path: JsonPath) -> Finding:
    missing = next(
        name for name in each.validator_value if f"'{name}' is a required" in each.message
    )
    subschema = each.schema.get("properties", {}).get(missing, {})
    title = str(each.schema.get("title", "this mapping"))
    told = description(subschema)
    return Finding(
        code="E102",
        path=path,
        message=f"the key '{missing}' is missing in {title[0].lower()}{title[1:]}",
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
            return _NO_PLACEHOLDER
        if "boolean" in types and value.lower() in _BOOLEAN_WORDS:
            return f"write {_BOOLEAN_WORDS[value.lower()]}: in YAML 1.2 {value} is text"
        if {"number", "integer"} & set(types) and _is_number(value, types):
            return f"take the quotes off: {value}"
    if types == ["string"] and isinstance(value, int | float):
        if examples := subschema.get("examples"):
            fits = re.search(subschema.get("pattern", ""), shown(value))
            return f"{'put it in quotes' if fits else 'give it a unit'}, e.g. {shown(examples[0])}"
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
        pattern = str(each.validator_value).removesuffix(NOT_BEFORE_NEWLINE)
        hint = f"{hint or ''} It must match {pattern}".strip()
    if "${" in str(each.instance):
        hint = _NO_PLACEHOLDER
    elif isinstance(each.instance, str) and re.fullmatch(r"[0-9.]+ ?[A-Za-z]+", each.instance):
        units = re.findall(r"[A-Za-z]{1,3}(?=[|)])", str(each.validator_value))
        number, unit = re.findall(r"[0-9.]+|[A-Za-z]+", each.instance)[:2]
        folded = {name.lower(): name for name in units}
        if near := folded.get(unit.lower()) or folded.get(unit.lower()[:1] + "ib"):
            hint = f"did you mean {number}{near}?"
    return Finding(
        code="E105", path=path, message=f"{shown(each.instance)} is not {title}", hint=hint
    )


def _repeated(each: Violation, path: JsonPath) -> Finding:
    """Point at the second of two equal values; true and 1 differ, 1 and 1.0 do not."""
    seen: list[tuple[bool, Json]] = []
    for index, item in enumerate(each.instance):
        known = (isinstance(item, bool), item)
        if known in seen:
            first = seen.index(known)
            message = f"{shown(item)} stands in the list twice"
            if (other := shown(each.instance[first])) != shown(item):
                message = f"{shown(item)} and {other} are the same value"
            place = (*path, index)
            return Finding(code="E107", path=place, message=message, hint="keep one of the two")
        seen.append(known)
    return Finding(code="E107", path=path, message="the list holds equal values", hint=None)


def _branches(each: Violation, path: JsonPath, root: Schema) -> Iterator[Finding]:
    options: list[Any] = each.validator_value
    if all(set(option) <= {"required"} for option in options):
        if not isinstance(each.instance, dict):
            return  # its type is wrong, which is told already
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
    meant = meant_branch(each.instance, groups, options)
    if meant is not None:
        for below in groups[meant]:
            yield from findings(below, root)
        return
    titles = [str(option.get("title") or types_of(option)) for option in options]
    message = f"expected {' or '.join(titles)}, got {kind_of(each.instance)}"
    if not groups:
        message = f"{kind_of(each.instance)} could be {' or '.join(titles)}: it fits more than one"
    yield Finding(code="E108", path=path, message=message, hint=example_hint(each.schema))
