"""How problems look, as text and as JSON."""

from __future__ import annotations

from pathlib import Path

from specc.diagnostics import render_json, render_text, summary
from specc.model import Mark, SourceFile
from specc.problems import Problem, error, warning


def a_problem(line: int = 2, column: int = 7, end: int = 9, message: str = "wrong") -> Problem:
    mark = Mark(file="a.yaml", line=line, column=column, end_column=end)
    return error("E101", message, mark=mark, path="task.gpus", hint="do this")


def shown(problem: Problem, text: str) -> list[str]:
    source = SourceFile(path=Path("a.yaml"), shown="a.yaml", text=text)
    return render_text([problem], {"a.yaml": source}).split("\n")


def test_a_problem_as_text() -> None:
    assert shown(a_problem(), "name: x\ntask: 12 # why\n") == [
        "a.yaml:2:7  error E101  task.gpus",
        "  wrong",
        "    2 | task: 12 # why",
        "      |       ^^",
        "  hint: do this",
        "",
        "1 error",
    ]


def test_carets_stand_under_wide_characters() -> None:
    lines = shown(a_problem(1, 4, 6), "日本: 語語\n")
    assert lines[2:4] == ["    1 | 日本: 語語", "      |      ^^^"]


def test_carets_ignore_combining_characters() -> None:
    assert shown(a_problem(1, 5, 6), "e\u0301: x\n")[3] == "      |    ^"


def test_tabs_count_as_one_column() -> None:
    assert shown(a_problem(1, 2, 3), "\tx: 1\n")[2:4] == ["    1 |  x: 1", "      |  ^"]


def test_a_long_line_is_cut_around_the_mark() -> None:
    text = "a" * 5000 + "HERE" + "b" * 5000
    lines = shown(a_problem(1, 5001, 5005), text)
    source, carets = lines[2].removeprefix("    1 | "), lines[3].removeprefix("      | ")
    assert len(source) == 100
    assert source[carets.index("^") : carets.rindex("^") + 1] == "HERE"
    assert (source[0], source[-1]) == ("…", "…")


def test_control_characters_never_reach_the_terminal() -> None:
    lines = shown(a_problem(1, 1, 2, message="bad \x1b[31m"), "a\x1b[2J\n")
    assert "\x1b" not in "\n".join(lines)


def test_a_mark_past_the_end_shows_no_excerpt() -> None:
    assert shown(a_problem(9), "a: 1\n")[1:3] == ["  wrong", "  hint: do this"]


def test_a_problem_without_place_shows_code_and_message() -> None:
    text = render_text([error("E001", "there is no file x", mark=None)], {})
    assert text == "error E001\n  there is no file x\n\n1 error"


def test_no_problem_is_no_text() -> None:
    assert render_text([], {}) == ""


def test_colour_marks_severity() -> None:
    text = render_text([warning("W201", "unused", mark=None)], {}, colour=True)
    assert text.startswith("\x1b[33;1mwarning W201\x1b[0m")


def test_summary_counts() -> None:
    found = [a_problem(), a_problem(), warning("W201", "unused", mark=None)]
    assert summary(found) == "2 errors, 1 warning"
    assert summary([]) == "no problems"


def test_problems_as_json() -> None:
    assert render_json([a_problem(), warning("W201", "unused", mark=None)]) == [
        {"code": "E101", "severity": "error", "file": "a.yaml", "line": 2, "column": 7,
         "end_column": 9, "path": "task.gpus", "message": "wrong", "hint": "do this"},
        {"code": "W201", "severity": "warning", "file": None, "line": None, "column": None,
         "end_column": None, "path": "", "message": "unused", "hint": None},
    ]  # fmt: skip
