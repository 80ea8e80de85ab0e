"""Find the data that specc ships: schemas, templates, example specs.

Installed, they lie inside the package; in a checkout, beside it. Reads shipped files only.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

Schema = dict[str, Any]

NOT_BEFORE_NEWLINE = r"(?!\n)"
"""Python's $ also matches before a final newline, JSON Schema's does not."""

_ANNOTATIONS = frozenset({"title", "description", "default", "examples", "deprecated"})
_NOT_SUBSCHEMAS = frozenset({"default", "examples", "enum", "const", "required"})


@cache
def folder(name: str) -> Path:
    """Return the shipped folder `schema`, `templates` or `specs`. Raises FileNotFoundError."""
    installed = Path(str(files("specc"))) / name
    if installed.is_dir():
        return installed
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "pyproject.toml").is_file() and (checkout / name).is_dir():
        return checkout / name
    raise FileNotFoundError(f"specc was installed without its folder {name}/")


def template_folder() -> Path:
    return folder("templates")


def example(name: str) -> Path:
    """Return the path of a shipped example, e.g. "command.yaml". Raises FileNotFoundError."""
    path = folder("specs") / name
    if not path.is_file():
        raise FileNotFoundError(f"specc ships no example {name}")
    return path


def cluster_profile(name: str) -> Path | None:
    """Return the path of a shipped cluster profile; None when there is none of that name."""
    path = folder("specs") / "clusters" / f"{name}.yaml"
    return path if path.is_file() else None


def cluster_names() -> tuple[str, ...]:
    """Return the names of the shipped cluster profiles, sorted."""
    return tuple(sorted(path.stem for path in (folder("specs") / "clusters").glob("*.yaml")))


def kinds() -> tuple[str, ...]:
    """Return the kinds that have a schema, sorted: the ones that can be compiled."""
    suffix = ".schema.json"
    found = (folder("schema") / "kinds").glob(f"*{suffix}")
    return tuple(sorted(path.name.removesuffix(suffix) for path in found))


def schema_text(name: str) -> str:
    """Return the text of a schema file: "spec", "cluster", "kinds/<kind>", "defs/units"."""
    return (folder("schema") / f"{name}.schema.json").read_text(encoding="utf-8")


@cache
def schema(name: str) -> Schema:
    """Return a schema with every `$ref` replaced by what it points to.

    Keywords beside a `$ref` that only annotate (description, default, …) win over the target's.
    The value is shared: do not change it. Raises ValueError on a circular reference.
    """
    loaded: Schema = _inline(_raw(name), name, ())
    return loaded


@cache
def _raw(name: str) -> Schema:
    loaded: Schema = json.loads(schema_text(name))
    return loaded


def _inline(node: Any, here: str, trail: tuple[tuple[str, str], ...]) -> Any:
    if isinstance(node, list):
        return [_inline(item, here, trail) for item in node]
    if not isinstance(node, dict):
        return node
    rest = {
        key: value if key in _NOT_SUBSCHEMAS else _inline(value, here, trail)
        for key, value in node.items()
        if key not in ("$ref", "$defs", "$id")
    }
    if isinstance(pattern := rest.get("pattern"), str) and pattern.endswith("$"):
        rest["pattern"] = pattern + NOT_BEFORE_NEWLINE
    if not isinstance(node.get("$ref"), str):
        return rest
    target = _target(node["$ref"], here)
    if target in trail:
        raise ValueError(f"circular $ref {node['$ref']} in schema {here}")
    base = _inline(_look_up(*target), target[0], (*trail, target))
    clash = set(base) & set(rest) - _ANNOTATIONS
    if clash:
        raise ValueError(f"schema {here}: {sorted(clash)} stand beside a $ref that sets them too")
    return {**base, **rest}


def _target(ref: str, here: str) -> tuple[str, str]:
    """Turn a relative reference into (schema name, pointer)."""
    file, _, pointer = ref.partition("#")
    if not file:
        return here, pointer
    parts = here.split("/")[:-1]
    for part in file.removesuffix(".schema.json").split("/"):
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts), pointer


def _look_up(name: str, pointer: str) -> Any:
    node: Any = _raw(name)
    for part in pointer.split("/")[1:]:
        node = node[part.replace("~1", "/").replace("~0", "~")]
    return node
