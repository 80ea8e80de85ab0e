"""Spell values, types and hints the way a spec would. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from specc.model import Json
from specc.resources import Schema

TYPE_NAMES = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}


def types_of(option: Schema) -> str:
    types = option.get("type", [])
    names = types if isinstance(types, list) else [types]
    return " or ".join(TYPE_NAMES[name] for name in names) or shown(
        option.get("const", option.get("enum"))
    )


def kind_of(value: Json) -> str:
    if value is None:
        return "nothing (null)"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return f"the text {shown(value)}"
    return shown(value)


def description(subschema: Schema) -> str | None:
    text = subschema.get("description")
    return str(text) if text else None


def example_hint(subschema: Schema) -> str | None:
    if examples := subschema.get("examples"):
        return f"e.g. {', '.join(shown(example) for example in examples[:3])}"
    return description(subschema)


def shown(value: Json) -> str:
    """Return a value as a spec would spell it, at most 60 characters."""
    if isinstance(value, str):
        text = f"'{value}'" if value.isprintable() else json.dumps(value, ensure_ascii=False)
    elif isinstance(value, dict | list):
        text = json.dumps(value, ensure_ascii=False).replace('"', "")
    else:
        text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def homes(node: Schema, key: str, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield where else in a schema a key is known."""
    for name, below in node.get("properties", {}).items():
        if name == key and path:
            yield path
        if len(path) < 2:
            yield from homes(below, key, (*path, name))


def meant_branch(value: Json, groups: dict[int, list[Any]], options: list[Schema]) -> int | None:
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
