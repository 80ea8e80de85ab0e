"""Explain the code of a problem. The catalogue is schema/problems.yaml; nothing is stored here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from textwrap import fill

from specc.language.suggest import closest
from specc.problems import ExitCode, SpeccError
from specc.resources import folder
from specc.stages.load import load
from specc.stages.parse import parse

_RANGES = {
    "0": "Reading the files",
    "1": "Schema",
    "2": "Meaning",
    "3": "Cluster profile",
    "4": "Inputs, code and environments",
    "5": "Collate and reports",
    "6": "A kind's own checks",
    "7": "Gates",
}


class UnknownCode(SpeccError):
    """A code that no problem has."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What there is to say about one code."""

    code: str
    title: str
    text: str
    cure: str


@cache
def catalogue() -> dict[str, Entry]:
    """Return every problem by its code, in the order of the file."""
    data = parse(load(folder("schema") / "problems.yaml")).data
    return {code: Entry(code=code, **entry) for code, entry in data.items()}


def explain(code: str) -> str:
    """Return title, meaning and cure of a code. Raises UnknownCode."""
    wanted = code.strip().upper()
    entry = catalogue().get(wanted)
    if entry is None:
        near = closest(wanted, catalogue())
        hint = f"did you mean {near}?" if near else "docs/errors.md lists them all"
        raise UnknownCode(f"no problem has the code '{code}'", hint=hint)
    body = fill(entry.text, width=80, initial_indent="  ", subsequent_indent="  ")
    cure = fill(entry.cure, width=80, initial_indent="  cure: ", subsequent_indent="        ")
    return f"{entry.code}  {entry.title}\n\n{body}\n\n{cure}"


def errors_page() -> str:
    """Return docs/errors.md."""
    lines = [
        "# Errors and warnings",
        "",
        "Generated from `schema/problems.yaml` by `make docs`; do not edit.",
        "Codes are stable. `specc explain CODE` shows an entry.",
    ]
    heading = ""
    for entry in sorted(catalogue().values(), key=lambda e: (e.code[1:], e.code)):
        if (title := _RANGES[entry.code[1]]) != heading:
            heading = title
            lines += ["", f"## {heading}"]
        lines += ["", f"### {entry.code}: {entry.title}", "", entry.text, "", f"Cure: {entry.cure}"]
    return "\n".join(lines) + "\n"
