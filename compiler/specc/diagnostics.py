"""Show problems: as text with the source line and a caret, or as JSON values.

Returns strings; printing is `cli`'s business. Reads nothing: the texts come with the document.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from unicodedata import combining, east_asian_width

from specc.model import Json, Mark, SourceFile
from specc.problems import Problem

MAX_WIDTH = 100
"""Columns of source shown; longer lines are cut around the mark."""

_PLAIN = {"error": "", "warning": "", "dim": "", "bold": "", "end": ""}
_COLOURED = {
    "error": "\x1b[31;1m",
    "warning": "\x1b[33;1m",
    "dim": "\x1b[2m",
    "bold": "\x1b[1m",
    "end": "\x1b[0m",
}


def render_text(
    problems: Iterable[Problem], sources: Mapping[str, SourceFile], *, colour: bool = False
) -> str:
    """Return all problems as text, a blank line between them and a count at the end."""
    found = tuple(problems)
    style = _COLOURED if colour else _PLAIN
    blocks = ["\n".join(_block(problem, sources, style)) for problem in found]
    return "\n\n".join([*blocks, summary(found)]) if found else ""


def render_json(problems: Iterable[Problem]) -> list[dict[str, Json]]:
    """Return problems as JSON values; line and column count from 1 and are null without a mark."""
    return [
        {
            "code": problem.code,
            "severity": problem.severity,
            "file": problem.mark.file if problem.mark else None,
            "line": problem.mark.line if problem.mark else None,
            "column": problem.mark.column if problem.mark else None,
            "end_column": problem.mark.end_column if problem.mark else None,
            "path": problem.path,
            "message": problem.message,
            "hint": problem.hint,
        }
        for problem in problems
    ]


def summary(problems: Iterable[Problem]) -> str:
    """Return "2 errors, 1 warning"."""
    severities = [problem.severity for problem in problems]
    counts = []
    for name in ("error", "warning"):
        if number := severities.count(name):
            counts.append(f"{number} {name}{'s' * (number != 1)}")
    return ", ".join(counts) or "no problems"


def _block(
    problem: Problem, sources: Mapping[str, SourceFile], style: Mapping[str, str]
) -> list[str]:
    tint, end = style[problem.severity], style["end"]
    code = f"{tint}{problem.severity} {problem.code}{end}"
    mark = problem.mark
    place = f"{style['bold']}{mark.file}:{mark.line}:{mark.column}{end}  " if mark else ""
    lines = [f"{place}{code}  {problem.path}".rstrip(), f"  {_clean(problem.message)}"]
    if mark is not None:
        lines += _excerpt(mark, sources, style, tint)
    if problem.hint:
        lines.append(f"  {style['dim']}hint:{end} {_clean(problem.hint)}")
    return lines


def _excerpt(
    mark: Mark, sources: Mapping[str, SourceFile], style: Mapping[str, str], tint: str
) -> list[str]:
    source = sources.get(mark.file)
    lines = source.text.split("\n") if source else []
    if mark.line > len(lines):
        return []
    text = lines[mark.line - 1]
    start, stop = mark.column - 1, max(mark.end_column - 1, mark.column)
    text, start, stop = _window(text, start, stop)
    indent = " " * _width(text[:start])
    carets = "^" * max(1, _width(text[start:stop]))
    number = f"{mark.line:>5}"
    dim, end = style["dim"], style["end"]
    return [
        f"{dim}{number} |{end} {_clean(text)}".rstrip(),
        f"{dim}{' ' * len(number)} |{end} {indent}{tint}{carets}{end}",
    ]


def _window(text: str, start: int, stop: int) -> tuple[str, int, int]:
    """Cut a long line so that the marked stretch stays in sight."""
    if len(text) <= MAX_WIDTH:
        return text, start, stop
    first = max(0, min(start - 20, len(text) - MAX_WIDTH))
    cut = text[first : first + MAX_WIDTH]
    stop = min(stop, first + MAX_WIDTH)
    if first > 0:
        cut = f"…{cut[1:]}"
    if first + MAX_WIDTH < len(text):
        cut = f"{cut[:-1]}…"
    return cut, start - first, stop - first


def _width(text: str) -> int:
    """Columns that a terminal needs for a text."""
    return sum(
        0 if combining(letter) else 2 if east_asian_width(letter) in "WF" else 1 for letter in text
    )


def _clean(text: str) -> str:
    """Keep a terminal safe: control characters as pictures, tabs as one blank."""
    return "".join(
        " " if letter == "\t" else letter if letter.isprintable() or letter == "\n" else "\ufffd"
        for letter in text
    )
