"""How the numbers of a spec are written in its source: `1e-4` is not `0.0001` to a program. Pure.

A number is text again where the schema says `x-as-written`: there a program reads it, and may
take 010 or 0.10 for something else than 10 and 0.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from specc.language.scalars import plain_value
from specc.matrix.points import Axis
from specc.matrix.substitute import spell
from specc.model import Document, Json, JsonPath

Known: TypeAlias = Mapping[tuple[str, type, Json], str]
"""(axis, type, value) -> text. The type, because True == 1 == 1.0."""


class Spellings:
    """Answers for the axes of one spec."""

    def __init__(self, document: Document, axes: Sequence[Axis]) -> None:
        self._known = _of_axes(document, axes)
        self._unusual = {key: text for key, text in self._known.items() if text != str(key[2])}

    def text(self, axis: str, value: Json) -> str:
        """Return a value as it stands inside a longer text."""
        return self._known.get((axis, type(value), value)) or spell(value)

    def value(self, axis: str, value: Json) -> Json:
        """Return a value for a program: text where the source spells the number in its own way.

        Numbers written the usual way stay numbers, so that they have one task id everywhere.
        """
        return self._unusual.get((axis, type(value), value), value)

    def point(self, axes: Mapping[str, Json]) -> Mapping[str, Json]:
        """Return all values of a point for a program."""
        if not self._unusual:
            return axes
        return {name: self.value(name, value) for name, value in axes.items()}


def as_written(document: Document, path: JsonPath, value: Json) -> Json:
    """Return the number at `path` as its source spells it, when that is not the usual way."""
    text = _source_text(document, path, value)
    return value if text is None or text == str(value) else text


def _of_axes(document: Document, axes: Sequence[Axis]) -> Known:
    found: dict[tuple[str, type, Json], str] = {}
    for axis in axes:
        for place, value in enumerate(axis.values):
            if _is_number(value) and (not axis.from_range or isinstance(value, float)):
                path = None if axis.from_range else axis.value_path(place)
                text = None if path is None else _source_text(document, path, value)
                found[axis.name, type(value), value] = text or spell(value)
    matrix = document.data.get("matrix") or {}
    for place, extra in enumerate(matrix.get("include") or ()):
        for name, value in extra.items():
            if _is_number(value):
                text = _source_text(document, ("matrix", "include", place, name), value)
                found.setdefault((name, type(value), value), text or spell(value))
    return found


def _source_text(document: Document, path: JsonPath, value: Json) -> str | None:
    """Return the text under a number's mark, if it is this very number and nothing else."""
    mark = document.value_marks.get(path)
    source = document.sources.get(mark.file) if mark else None
    if mark is None or source is None:
        return None
    lines = source.text.split("\n")
    if mark.line > len(lines):
        return None
    text = lines[mark.line - 1][mark.column - 1 : mark.end_column - 1]
    return text if text and text == text.strip() and _same(plain_value(text), value) else None


def _same(read: object, value: Json) -> bool:
    """1.0 may have become 1 where the schema wants an integer."""
    return _is_number(read) and read == value


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
