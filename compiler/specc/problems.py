"""What can be wrong, and how the process ends when it is.

A user's mistake is a Problem; a stage collects all of its problems, then stops by raising
SpecInvalid. Exit codes are listed here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from specc.model import Mark


class ExitCode(IntEnum):
    """How a specc command ends; the same numbers in job.sbatch."""

    OK = 0
    """Done, or PASS."""
    FINDINGS = 1
    """Findings, or FAIL."""
    USAGE = 2
    BAD_SPEC = 3
    BAD_BUNDLE = 4
    """A bundle, hash or result that is not what it says."""
    INCONCLUSIVE = 5
    NOT_COMPARABLE = 6
    INTERNAL = 70
    TRY_AGAIN = 75
    """A lease is held elsewhere, or the run stopped before its end."""
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake: where, what, and what to do."""

    code: str
    """Stable, E for errors and W for warnings: "E207". `specc explain E207` tells more."""
    severity: Literal["error", "warning"]
    mark: Mark | None
    """None only when no text is to blame (a missing file given on the command line)."""
    path: str
    """Place in the document, "job.time_limit"; empty when the whole document is meant."""
    message: str
    hint: str | None


class SpeccError(Exception):
    """An expected failure: one line for the user, an exit code, no traceback."""

    exit_code = ExitCode.FINDINGS

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class SpecInvalid(SpeccError):
    """A spec with errors in it. Carries all problems of the stage that stopped."""

    exit_code = ExitCode.BAD_SPEC

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        errors = sum(p.severity == "error" for p in self.problems)
        super().__init__(f"{errors} error{'s' * (errors != 1)}")


class BundleInvalid(SpeccError):
    """A bundle, lock or result that does not match its hash or contract."""

    exit_code = ExitCode.BAD_BUNDLE


def error(
    code: str, message: str, *, mark: Mark | None, path: str = "", hint: str | None = None
) -> Problem:
    """Build an error."""
    return Problem(code=code, severity="error", mark=mark, path=path, message=message, hint=hint)


def warning(
    code: str, message: str, *, mark: Mark | None, path: str = "", hint: str | None = None
) -> Problem:
    """Build a warning: told, never fatal."""
    return Problem(code=code, severity="warning", mark=mark, path=path, message=message, hint=hint)


def stop_on_errors(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return the problems when all are warnings; raise SpecInvalid otherwise."""
    found = tuple(problems)
    if any(p.severity == "error" for p in found):
        raise SpecInvalid(found)
    return found


def by_position(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return the problems in the order in which a reader meets them, placeless ones last.

    What several job shapes have in common is told once.
    """

    def place(problem: Problem) -> tuple[bool, str, int, int]:
        mark = problem.mark
        return (True, "", 0, 0) if mark is None else (False, mark.file, mark.line, mark.column)

    return tuple(sorted(dict.fromkeys(problems), key=place))
