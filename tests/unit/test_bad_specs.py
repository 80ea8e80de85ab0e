"""Every file in tests/specs/bad is a test: it states the problems it must give.

A file states them in comments, `# expect: CODE LINE:COLUMN` (`# expect: CODE FILE:LINE:COLUMN` for
an included file, relative to the folder), or in a sidecar `<case>.expect` with the same words.
All problems of the stage that stops are stated, in order.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from specc.diagnostics import render_text
from specc.handbook.explain import catalogue
from specc.pipeline import check_spec
from specc.problems import Problem, SpecInvalid

BAD = Path(__file__).parents[1] / "specs" / "bad"
CASES = sorted(BAD.glob("*.yaml"))

# made in test_load.py and test_parse.py: no file in git can be these
ELSEWHERE = {"E001", "E003", "E004", "E005", "E018", "E019", "E025"}


def expected(case: Path) -> list[str]:
    sidecar = case.with_suffix(".expect")
    if sidecar.exists():
        return sidecar.read_text(encoding="utf-8").splitlines()
    return re.findall(r"^# expect: (.+)$", case.read_text(encoding="utf-8"), re.MULTILINE)


def problems_of(case: Path) -> tuple[Problem, ...]:
    try:
        return check_spec(case).problems
    except SpecInvalid as stopped:
        return stopped.problems


def stated(problem: Problem) -> str:
    mark = problem.mark
    if mark is None:
        return problem.code
    file = Path(mark.file).relative_to(BAD).as_posix()
    place = "" if file.count("/") == 0 else f"{file}:"
    return f"{problem.code} {place}{mark.line}:{mark.column}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_bad_spec_gives_the_problems_it_states(case: Path) -> None:
    assert expected(case), "state the problems in comments: # expect: E101 4:1"
    started = time.monotonic()
    found = problems_of(case)
    assert [stated(problem) for problem in found] == expected(case), render_text(found, {})
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_bad_spec_gives_known_codes_with_a_message(case: Path) -> None:
    for problem in problems_of(case):
        assert problem.code in catalogue()
        assert problem.message
        assert problem.severity == ("error" if problem.code.startswith("E") else "warning")


def test_every_code_of_reading_and_schema_has_a_bad_spec() -> None:
    shown = {line.split()[0] for case in CASES for line in expected(case)}
    wanted = {code for code in catalogue() if code.startswith(("E0", "E1"))}
    assert wanted - shown - ELSEWHERE == set()
