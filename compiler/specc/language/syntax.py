"""Say in plain words where a text stops being YAML. Pure."""

from __future__ import annotations

import re
import sys

from ruamel.yaml.error import MarkedYAMLError

from specc.model import Mark, SourceFile
from specc.problems import Problem, error

_EXPLANATIONS = (
    (
        "mapping values are not allowed",
        "unexpected ':'",
        "quote text that holds ': ', and check the indentation",
    ),
    ("could not find expected ':'", "a key without ':'", "write key: value"),
    (
        "expected <block end>",
        "the indentation fits no open block",
        "line it up with its neighbours",
    ),
    (
        "expected ',' or",
        "a bracket is not closed, or a comma is missing",
        "check the brackets and commas of the list",
    ),
    ("expected the node content", "a value is missing here", "check the brackets and commas"),
    ("found unexpected end of stream", "a quote or bracket is never closed", "close it"),
    ("unexpected end of stream", "a quote or bracket is never closed", "close it"),
)


def syntax_problem(source: SourceFile, reason: MarkedYAMLError) -> Problem:
    place = reason.problem_mark or reason.context_mark
    if reason.context_mark and "unexpected end of stream" in str(reason.problem):
        place = reason.context_mark  # where the quote opens, not the end of the file
    line, column = (place.line + 1, place.column + 1) if place else (1, 1)
    lines = source.text.split("\n")
    said = str(reason.problem or reason.context or reason)
    mark = Mark(file=source.shown, line=line, column=column, end_column=column + 1)
    before = lines[line - 1][:column] if line <= len(lines) else ""
    if "\t" in before[-1:] or (before.strip() == "" and "\t" in before):
        hint = "indent with spaces"
        return error("E009", "a tab where YAML allows only spaces", mark=mark, hint=hint)
    for words, message, hint in _EXPLANATIONS:
        if words in said:
            return error("E010", message, mark=mark, hint=hint)
    return error(
        "E010", f"not valid YAML: {said}", mark=mark, hint="check this line and the one above"
    )


def impossible_escape(source: SourceFile) -> Problem:
    """Explain what the parser leaves to chr(): an escape beyond the last character."""
    lines = source.text.split("\n")
    places = [
        (number, found.start() + 1, found.end() + 1)
        for number, text in enumerate(lines, 1)
        for found in re.finditer(r"\\U([0-9a-fA-F]{8})", text)
        if int(found[1], 16) > sys.maxunicode
    ]
    line, column, end = places[0] if places else (1, 1, 2)
    mark = Mark(file=source.shown, line=line, column=column, end_column=end)
    hint = "check the escapes in double-quoted text"
    return error("E010", "an escape that stands for no character", mark=mark, hint=hint)
