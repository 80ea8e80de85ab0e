"""Turn the text of one file into JSON values that know their place, guarding against the rest.

Pure. Only what JSON can hold passes: no aliases, merge keys, tags, directives, dates, NaN.
Built from the parser's events, so that nothing hostile is ever constructed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from specc.language.scalars import Refused, plain_value
from specc.language.syntax import impossible_escape, syntax_problem
from specc.model import Json, JsonPath, Mark, SourceFile
from specc.problems import Problem, SpecInvalid, error

MAX_DEPTH = 50
MAX_VALUES = 20_000
"""Scanning that many takes half a second; a spec has some hundred."""
MAX_PROBLEMS = 25

# YAML's printable characters, less NEL, LS and PS: YAML 1.1 readers break lines there
_CONTROL = re.compile(
    "[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_DIRECTIVE = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\n)*(%[^\n]*)")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """One text as JSON values with their marks; includes not followed yet."""

    source: SourceFile
    data: dict[str, Json]
    key_marks: dict[JsonPath, Mark]
    value_marks: dict[JsonPath, Mark]


def parse(source: SourceFile) -> Parsed:
    """Parse one YAML text whose root is a mapping. Raises SpecInvalid with all its problems."""
    _guard_text(source)
    tree = _Tree(source)
    try:
        data = tree.document()
    except MarkedYAMLError as reason:
        tree.problems.append(syntax_problem(source, reason))
        raise SpecInvalid(tree.problems) from None
    except (ValueError, OverflowError):
        tree.problems.append(impossible_escape(source))
        raise SpecInvalid(tree.problems) from None
    if tree.problems:
        raise SpecInvalid(tree.problems)
    return Parsed(source=source, data=data, key_marks=tree.key_marks, value_marks=tree.value_marks)


def _guard_text(source: SourceFile) -> None:
    """Refuse what needs no parser: control characters and directives."""
    if found := _CONTROL.search(source.text):
        character = f"U+{ord(found[0]):04X}"
        hint = "delete it, or write it as an escape in double quotes"
        mark = _mark_at(source, found.start())
        raise SpecInvalid([error("E008", f"control character {character}", mark=mark, hint=hint)])
    if found := _DIRECTIVE.match(source.text):
        start = found.start(1)
        mark = _mark_at(source, start, length=len(found[1].rstrip()))
        hint = "delete the line; specs are YAML 1.2"
        message = f"directive {found[1].rstrip()} is not allowed"
        raise SpecInvalid([error("E016", message, mark=mark, hint=hint)])


def _mark_at(source: SourceFile, offset: int, *, length: int = 1) -> Mark:
    line = source.text.count("\n", 0, offset) + 1
    column = offset - (source.text.rfind("\n", 0, offset) + 1) + 1
    return Mark(file=source.shown, line=line, column=column, end_column=column + length)


class _TooMuch(YAMLError):
    """Ends the walk at once; the problem is already noted."""


class _Tree:
    """One walk over the events of a text."""

    def __init__(self, source: SourceFile) -> None:
        self.source = source
        self.lines = source.text.split("\n")
        self.events: Iterator[Any] = iter(YAML(typ="safe").parse(source.text))
        self.problems: list[Problem] = []
        self.key_marks: dict[JsonPath, Mark] = {}
        self.value_marks: dict[JsonPath, Mark] = {}
        self.values = 0

    def document(self) -> dict[str, Json]:
        try:
            return self._document()
        except _TooMuch:
            raise SpecInvalid(self.problems) from None

    def _document(self) -> dict[str, Json]:
        next(self.events)  # start of the stream
        first = next(self.events)
        if not isinstance(first, DocumentStartEvent):
            self._refuse_empty()
        event = next(self.events)
        data = self._value(event, (), 0)
        if isinstance(event, ScalarEvent) and data is None and not self.problems:
            self._refuse_empty()
        next(self.events)  # end of the document
        following = next(self.events)
        if isinstance(following, DocumentStartEvent):
            hint = "keep one experiment per file"
            self._refuse("E017", "a second document starts here", following, hint)
        if not isinstance(data, dict):
            hint = "a spec starts with keys: schema_version, name, kind, …"
            self._refuse("E023", "the document is not a mapping", event, hint)
            return {}
        return data

    def _value(self, event: Any, path: JsonPath, depth: int) -> Json:
        self.values += 1
        if self.values > MAX_VALUES:
            hint = "write the matrix, not the expanded points"
            self._refuse("E019", f"more than {MAX_VALUES} values", event, hint)
            raise _TooMuch
        if isinstance(event, AliasEvent):
            hint = "write the value out, or share it with include:"
            self._refuse("E012", f"alias *{event.anchor} is not allowed", event, hint)
            return None
        if event.tag is not None:
            hint = 'delete the tag; quote the value if it is text, as in "text"'
            self._refuse("E014", f"tag {_tag(event.tag)} is not allowed", event, hint)
        if isinstance(event, ScalarEvent):
            return self._scalar(event, path)
        if depth >= MAX_DEPTH:
            hint = "flatten it; a spec needs about six levels"
            self._refuse("E018", f"nested more than {MAX_DEPTH} levels deep", event, hint)
            raise _TooMuch
        if isinstance(event, MappingStartEvent):
            return self._mapping(event, path, depth)
        return self._sequence(event, path, depth)

    def _scalar(self, event: Any, path: JsonPath) -> Json:
        mark = self._mark(event.start_mark, event.end_mark)
        if event.value == "" and event.style is None:
            mark = self.key_marks.get(path, mark)
        self.value_marks[path] = mark
        if event.style is not None:
            return self._characters(event)
        value = plain_value(event.value)
        if isinstance(value, Refused):
            self._refuse(value.code, value.message, event, value.hint)
            return None
        return value

    def _sequence(self, start: SequenceStartEvent, path: JsonPath, depth: int) -> list[Json]:
        items: list[Json] = []
        self.value_marks[path] = self._mark(start.start_mark, None)
        while not isinstance(event := next(self.events), SequenceEndEvent):
            items.append(self._value(event, (*path, len(items)), depth + 1))
        if start.flow_style:
            self.value_marks[path] = self._mark(start.start_mark, event.end_mark)
        return items

    def _mapping(self, start: MappingStartEvent, path: JsonPath, depth: int) -> dict[str, Json]:
        mapping: dict[str, Json] = {}
        self.value_marks[path] = self._mark(start.start_mark, None)
        while not isinstance(event := next(self.events), MappingEndEvent):
            key = self._key(event, path, depth)
            if key is None:
                self._value(next(self.events), (*path, "?"), depth + 1)
                continue
            place = (*path, key)
            mark = self._mark(event.start_mark, event.end_mark)
            if key in mapping:
                message = f"key '{key}' stands twice, first on line {self.key_marks[place].line}"
                self._refuse("E011", message, event, "keep one of the two")
                self._value(next(self.events), (*path, "?"), depth + 1)
                continue
            self.key_marks[place] = mark
            mapping[key] = self._value(next(self.events), place, depth + 1)
        if start.flow_style:
            self.value_marks[path] = self._mark(start.start_mark, event.end_mark)
        return mapping

    def _key(self, event: Any, path: JsonPath, depth: int) -> str | None:
        """Return a mapping's key; None when it is none, with the problem noted."""
        if not isinstance(event, ScalarEvent):
            if isinstance(event, AliasEvent):
                self._value(event, path, depth)
                return None
            self._refuse("E015", "a key must be text", event, "use a plain name as key")
            self._value(event, (*path, "?"), depth + 1)
            return None
        if event.tag is not None:
            self._refuse("E014", f"tag {_tag(event.tag)} is not allowed", event, "delete the tag")
            return None
        if event.style is not None:
            return self._characters(event)
        if event.value == "<<":
            hint = "write the keys out, or share them with include:"
            self._refuse("E013", "merge keys (<<) are not allowed", event, hint)
            return None
        value = plain_value(event.value)
        if isinstance(value, str):
            return value
        shown = event.value or "an empty key"
        hint = f'quote it: "{event.value}"'
        message = f"key {shown} is not text but {_meaning(value)}"
        self._refuse("E015", message, event, hint)
        return None

    def _characters(self, event: Any) -> str:
        """Return quoted text; two escaped halves, as JSON spells U+1F98A, are one character."""
        text = str(event.value)
        if not _SURROGATE.search(text):
            return text
        joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        if joined.encode("utf-16-le") != text.encode("utf-16-le", "surrogatepass"):
            hint = 'write both halves, as in "\\ud83e\\udd8a", or the character itself'
            self._refuse("E008", "half of a surrogate pair", event, hint)
        return joined

    def _refuse(self, code: str, message: str, event: Any, hint: str) -> None:
        mark = self._mark(event.start_mark, event.end_mark)
        self.problems.append(error(code, message, mark=mark, hint=hint))
        if len(self.problems) >= MAX_PROBLEMS:
            raise _TooMuch

    def _refuse_empty(self) -> None:
        mark = Mark(file=self.source.shown, line=1, column=1, end_column=2)
        hint = "start from an example: specc init command"
        raise SpecInvalid([error("E007", "the spec is empty", mark=mark, hint=hint)])

    def _mark(self, start: Any, end: Any | None) -> Mark:
        """Return the stretch from start to end, cut at the end of the first line."""
        text = self.lines[start.line] if start.line < len(self.lines) else ""
        if end is not None and end.line == start.line:
            last = max(end.column, start.column + 1)
        else:
            last = start.column + max(1, len(_without_comment(text[start.column :])))
        return Mark(
            file=self.source.shown,
            line=start.line + 1,
            column=start.column + 1,
            end_column=last + 1,
        )


def _without_comment(text: str) -> str:
    quoted = "'" in text or '"' in text
    return (text if quoted else text.split(" #", maxsplit=1)[0]).rstrip()


def _tag(tag: Any) -> str:
    return str(tag).replace("tag:yaml.org,2002:", "!!")


def _meaning(value: Json | Refused) -> str:
    if isinstance(value, Refused):
        return "a date or number"
    if value is None:
        return "null"
    return "true or false" if isinstance(value, bool) else "a number"
