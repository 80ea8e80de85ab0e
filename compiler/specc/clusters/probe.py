"""Read what the probe.sh of a bundle printed: sections, each the answer of one command.

Pure. A text may hold several probes, of a login node and of nodes, one after the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from specc.problems import ExitCode, SpeccError

_HEADING = re.compile(r"== ([^:]+): (.*)")
_FIRST = "specc probe 1"
_LAST = "== end of probe"
_FAILED = re.compile(r"\(exit [0-9]+\)|\(no \S+ here\)")


class NoProbe(SpeccError):
    """A text that no probe.sh has printed, or only a part of one."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What one command said."""

    command: str
    lines: tuple[str, ...]
    """Without those of a command that failed."""
    failure: str | None
    """Why there is no answer: "no scontrol here", "exit 1: …"; None when there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """All that one start of probe.sh found out."""

    place: Mapping[str, str]
    """`host`, `date`, and inside a job `node` and `partition`; empty texts outside."""
    sections: Mapping[str, Section]

    @property
    def host(self) -> str:
        return self.place.get("host", "") or "an unknown host"

    def lines(self, name: str) -> tuple[str, ...]:
        """Return what a command said; nothing where it failed or was not asked."""
        section = self.sections.get(name)
        return () if section is None or section.failure else section.lines

    def failure(self, name: str) -> str:
        """Return why a section has no answer, for a reader."""
        section = self.sections.get(name)
        return "not asked" if section is None else section.failure or "an empty answer"


def read_probes(text: str) -> tuple[Probe, ...]:
    """Split a text into its probes. Raises NoProbe when it holds none, or one that was cut off."""
    lines = [_plain(line).rstrip() for line in text.lstrip("\ufeff").splitlines()]
    starts = [n for n, line in enumerate(lines) if line.startswith(f"== {_FIRST}:")]
    if not starts:
        raise NoProbe(
            "this is not what probe.sh prints",
            hint="on the cluster, in a bundle: ./probe.sh > probe.txt;"
            " then here: specc cluster profile < probe.txt",
        )
    ends = [*starts[1:], len(lines)]
    return tuple(_probe(lines[start:end]) for start, end in zip(starts, ends, strict=True))


def _plain(line: str) -> str:
    """Return a line without what YAML allows in no comment, such as colours of a login script."""
    return "".join(letter if letter.isprintable() or letter == "\t" else "?" for letter in line)


def _probe(lines: list[str]) -> Probe:
    if _LAST not in lines:
        raise NoProbe("the output of probe.sh was cut off: its last line is missing")
    sections = dict(_sections(lines[: lines.index(_LAST)]))
    place = dict(line.partition("=")[::2] for line in sections.pop(_FIRST).lines)
    return Probe(place=place, sections=sections)


def _sections(lines: list[str]) -> Iterator[tuple[str, Section]]:
    headings = [n for n, line in enumerate(lines) if _HEADING.fullmatch(line)]
    for start, end in zip(headings, [*headings[1:], len(lines)], strict=True):
        heading = _HEADING.fullmatch(lines[start])
        assert heading is not None
        said = [line for line in lines[start + 1 : end] if line]
        failure = None
        if said and _FAILED.fullmatch(said[-1]):
            failure = ": ".join((said[-1].strip("()"), *said[-2:-1]))
        yield heading[1], Section(command=heading[2], lines=tuple(said), failure=failure)
