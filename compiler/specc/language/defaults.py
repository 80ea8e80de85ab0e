"""Write the constant defaults of a schema into a document. Pure but for the document itself.

Expects schemas as `resources.schema` gives them, without `$ref`. Defaults that depend on other
values are not constants and live in a kind's `derive`.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from specc.model import Json
from specc.resources import Schema


def fill_defaults(schema: Schema, data: Json) -> Json:
    """Write defaults into `data` where a property is absent, and return it.

    Whole floats become integers where the schema says integer: 1.0 and 1 are one value and must
    have one hash. `data` should be valid; what is not is left as it is.
    """
    if isinstance(data, float):
        return _as_integer(schema, data)
    if isinstance(data, dict):
        _fill_mapping(schema, data)
    elif isinstance(data, list) and "items" in schema:
        for index, item in enumerate(data):
            if isinstance(item, dict | list | float):
                data[index] = fill_defaults(schema["items"], item)
    for word in ("oneOf", "anyOf"):
        if word in schema and (branch := choose_branch(schema[word], data)) is not None:
            return fill_defaults(branch, data)
    for part in schema.get("allOf", ()):
        data = fill_defaults(part, data)
    return data


def _fill_mapping(schema: Schema, data: dict[str, Json]) -> None:
    properties: dict[str, Any] = schema.get("properties", {})
    for key, subschema in properties.items():
        if key not in data:
            if "default" not in subschema:
                continue
            data[key] = deepcopy(subschema["default"])
        value = data[key]
        if isinstance(value, dict | list | float):
            data[key] = fill_defaults(subschema, value)
    others = schema.get("additionalProperties")
    if isinstance(others, dict):
        for key, value in data.items():
            if key not in properties and isinstance(value, dict | list | float):
                data[key] = fill_defaults(others, value)


def _as_integer(schema: Schema, value: float) -> Json:
    types = schema.get("type")
    wanted = types if isinstance(types, list) else [types]
    if "integer" in wanted and "number" not in wanted and value.is_integer():
        return int(value)
    for word in ("oneOf", "anyOf"):
        if word in schema and (branch := choose_branch(schema[word], value)) is not None:
            return _as_integer(branch, value)
    return value


def choose_branch(branches: list[Schema], data: Json) -> Schema | None:
    """Return the first branch that `data` looks like: by type, required keys and constants."""
    return next((branch for branch in branches if _looks_like(branch, data)), None)


def _looks_like(branch: Schema, data: Json) -> bool:
    if "const" in branch:
        return bool(branch["const"] == data)
    if "enum" in branch:
        return data in branch["enum"]
    types = branch.get("type")
    if types is not None:
        wanted = types if isinstance(types, list) else [types]
        if not any(is_type(data, name) for name in wanted):
            return False
    if not isinstance(data, dict):
        return True
    properties = branch.get("properties", {})
    if any(key not in data for key in branch.get("required", ())):
        return False
    if branch.get("additionalProperties") is False and any(key not in properties for key in data):
        return False
    return all(
        _may_hold(subschema, data[key]) for key, subschema in properties.items() if key in data
    )


def _may_hold(subschema: Schema, value: Json) -> bool:
    """Tell whether a constant is met, and no mapping stands where the schema wants a scalar."""
    if "const" in subschema:
        return bool(subschema["const"] == value)
    types = subschema.get("type", "object")
    return not isinstance(value, dict) or "object" in (
        types if isinstance(types, list) else [types]
    )


_PYTHON: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
}


def is_type(value: Json, name: str) -> bool:
    """Tell whether a value has a JSON Schema type; True is no number, 1.0 is an integer."""
    if isinstance(value, bool):
        return name == "boolean"
    if name == "integer":
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if name == "null":
        return value is None
    return isinstance(value, _PYTHON.get(name, ()))
