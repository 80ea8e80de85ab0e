"""Spell values, types and hints the way a spec would. Pure."""

from __future__ import annotations

import json

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
        text = f"'{value}'"
    elif isinstance(value, dict | list):
        text = json.dumps(value, ensure_ascii=False).replace('"', "")
    else:
        text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
