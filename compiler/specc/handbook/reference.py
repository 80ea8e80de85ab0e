"""Write the generated pages of docs/: the spec language, the errors, the metrics.

`python -m specc.handbook.reference [FOLDER]` writes them; a test compares them with what is there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from specc.handbook.explain import errors_page
from specc.model import Json
from specc.resources import Schema, kinds, schema

_HEAD = """# The spec language

Generated from `schema/` by `make docs`; do not edit. Types, units, defaults and
descriptions are those of the schema that specc checks with.

- *size*: `8GiB`, `512MiB`, `1.5GB`: with a unit; KiB … TiB are powers of 1024, kB … TB of 1000.
- *duration*: `90s`, `30min`, `12h`, `2d`, `HH:MM:SS` or `D-HH:MM:SS`: always with a unit or colons.
- `*` stands for a name of your choice, `[]` for each entry of a list. **Bold** keys are required.
"""


def pages() -> dict[str, str]:
    """Return the text of each generated page by its file name."""
    # loads polars, which `specc explain` does without
    from specc.handbook.dictionary import metrics_page

    return {
        "reference.md": reference_page(),
        "errors.md": errors_page(),
        "metrics.md": metrics_page(),
    }


def reference_page() -> str:
    """Return docs/reference.md."""
    blocks = [_HEAD, *_section("A spec", schema("spec"), level=2)]
    for kind in kinds():
        title = f"settings of kind `{kind}`"
        blocks += _section(title, schema(f"kinds/{kind}"), level=2)
    blocks += _section("A cluster profile", schema("cluster"), level=2)
    blocks += _section("A gate", schema("gate"), level=2)
    return "\n".join(blocks).rstrip() + "\n"


def _section(title: str, root: Schema, *, level: int) -> Iterator[str]:
    yield f"{'#' * level} {title}\n"
    if text := root.get("description"):
        yield f"{text}\n"
    plain = {key: each for key, each in root.get("properties", {}).items() if not _nested(each)}
    if plain:
        yield from _table(_rows(plain, root.get("required", []), ""))
    for key, each in root.get("properties", {}).items():
        if key in plain:
            continue
        bold = " (required)" if key in root.get("required", []) else ""
        yield f"{'#' * (level + 1)} `{key}`{bold}\n"
        default = f" Default: {_code(each['default'])}." if "default" in each else ""
        yield f"{each.get('description', '')}{default}\n"
        rows = list(_below(each, ""))
        if rows:
            yield from _table(rows)


def _nested(each: Schema) -> bool:
    return any(_below(each, ""))


def _rows(properties: Schema, required: list[str], prefix: str) -> Iterator[str]:
    told: list[tuple[Json, str]] = []
    for key, each in properties.items():
        name = f"**`{prefix}{key}`**" if key in required else f"`{prefix}{key}`"
        default = _code(each["default"]) if "default" in each else ""
        text = _cell(each.get("description", each.get("title", "")))
        if each.get("x-descriptive"):
            text += " Changes no task id."
        inside = each.get("properties")
        same = next((first for other, first in told if inside and other == inside), None)
        if same is not None:
            text += f" Keys as under `{prefix}{same}`."
        yield f"| {name} | {_type(each)} | {default} | {text} |"
        if same is None:
            yield from _below(each, f"{prefix}{key}")
            told.append((inside, key))


def _below(each: Schema, prefix: str) -> Iterator[str]:
    """Yield the rows of what stands inside a property."""
    dot = f"{prefix}." if prefix else ""
    if "properties" in each:
        yield from _rows(each["properties"], each.get("required", []), dot)
    others = each.get("additionalProperties")
    if isinstance(others, dict):
        yield from _below(others, f"{dot}*")
    if isinstance(each.get("items"), dict):
        yield from _below(each["items"], f"{prefix}[]")
    for branch in (*each.get("oneOf", ()), *each.get("anyOf", ())):
        if "type" in branch:
            yield from _below(branch, prefix)


def _table(rows: Any) -> Iterator[str]:
    yield "| key | type | default | meaning |"
    yield "|---|---|---|---|"
    yield from rows
    yield ""


def _type(each: Schema) -> str:
    if "enum" in each:
        return " / ".join(_code(value) for value in each["enum"])
    if "const" in each:
        return _code(each["const"])
    branches = [b for b in (*each.get("oneOf", ()), *each.get("anyOf", ())) if "type" in b]
    if branches:
        return " or ".join(dict.fromkeys(_type(branch) for branch in branches))
    title = str(each.get("title", ""))
    if title and (each.get("type") == "string" or "items" in each):
        return title.removeprefix("a ").removeprefix("an ")
    types = each.get("type", "any")
    named = " or ".join(types) if isinstance(types, list) else str(types)
    if named == "array" and isinstance(each.get("items"), dict):
        return f"list of {_type(each['items'])}"
    return named + _bounds(each)


def _bounds(each: Schema) -> str:
    low, high = each.get("minimum"), each.get("maximum")
    if low is not None and high is not None:
        return f" {low} … {high}"
    return f" >= {low}" if low is not None else f" <= {high}" if high is not None else ""


def _code(value: Json) -> str:
    return f"`{_cell(json.dumps(value, ensure_ascii=False))}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def write_pages(docs: Path) -> None:
    """Write the generated pages into a folder."""
    for name, text in pages().items():
        (docs / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_pages(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
