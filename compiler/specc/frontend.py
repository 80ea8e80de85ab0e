"""Read a spec with everything it names: its includes and its cluster profile.

Composes `load` and `parse`; what the values mean is for later stages.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from specc.language.suggest import did_you_mean
from specc.model import Document, Json, JsonPath, Mark, SourceFile
from specc.problems import Problem, SpecInvalid, error
from specc.resources import cluster_names, cluster_profile
from specc.stages.load import load
from specc.stages.parse import Parsed, parse
from specc.stages.validate import validate

MAX_FILES = 100
LONGEST_NAME = 200
PROFILE = "$profile"
"""Prefix of the marks of a cluster profile that is a file."""


def parse_spec(path: Path) -> Document:
    """Read a spec, merge its includes, find its cluster profile.

    Raises SpecInvalid with all problems of the texts.
    """
    reading = _Reading()
    merged = reading.read(path, trail=(), named_at=None, named_path="")
    if merged is None:
        raise SpecInvalid(reading.in_order())
    profile, profile_file = reading.profile(merged, path.parent)
    if reading.problems:
        raise SpecInvalid(reading.in_order())
    key_marks, value_marks = dict(merged.key_marks), dict(merged.value_marks)
    if profile_file is not None:
        key_marks |= {(PROFILE, *at): mark for at, mark in profile_file.key_marks.items()}
        value_marks |= {(PROFILE, *at): mark for at, mark in profile_file.value_marks.items()}
    return Document(
        source=merged.source,
        sources=dict(reading.sources),
        data=merged.data,
        key_marks=key_marks,
        value_marks=value_marks,
        profile=profile,
    )


def check_front(path: Path) -> tuple[Document, tuple[Problem, ...]]:
    """Read a spec and check it against its schemas: the document, and its problems.

    Raises SpecInvalid when the texts themselves cannot be read.
    """
    document = parse_spec(path)
    return document, validate(document)


@dataclass
class _Reading:
    """The files of one spec as they are read."""

    sources: dict[str, SourceFile] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    files: int = 0

    def read(
        self, path: Path, *, trail: tuple[Path, ...], named_at: Mark | None, named_path: str
    ) -> Parsed | None:
        """Return a file with its includes merged under it; None when it cannot be read."""
        real = path.resolve()
        if real in trail:
            names = " -> ".join(each.name for each in (*trail[trail.index(real) :], real))
            self._refuse("E024", f"includes go round: {names}", named_at, "take one of them out")
            return None
        self.files += 1
        if self.files > MAX_FILES:
            if self.files == MAX_FILES + 1:
                message = f"more than {MAX_FILES} files are included"
                self._refuse("E025", message, named_at, "merge some of them")
            return None
        try:
            source = load(path, named_at=named_at, named_path=named_path)
            self.sources[source.shown] = source
            own = parse(source)
        except SpecInvalid as stopped:
            self.problems.extend(stopped.problems)
            return None
        names = own.data.get("include", [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            return own
        merged: Parsed | None = None
        for index, name in enumerate(names):
            below = self.read(
                path.parent / name,
                trail=(*trail, real),
                named_at=own.value_marks[("include", index)],
                named_path=f"include[{index}]",
            )
            if below is not None:
                merged = below if merged is None else _merge(merged, below)
        own.data.pop("include", None)
        return own if merged is None else _merge(merged, own)

    def profile(self, spec: Parsed, folder: Path) -> tuple[dict[str, Json] | None, Parsed | None]:
        """Return the profile's data, and the file it comes from unless it stands in the spec."""
        named = spec.data.get("cluster")
        if isinstance(named, dict):
            return named, None
        if not isinstance(named, str) or not named:
            return None, None
        mark = spec.value_marks[("cluster",)]
        path = _find_profile(named, folder)
        if path is None:
            known = {*cluster_names(), *(each.stem for each in folder.glob("clusters/*.yaml"))}
            hint = did_you_mean(named, known, noun="known clusters")
            message = f"there is no cluster profile '{named}'"
            self.problems.append(error("E026", message, mark=mark, path="cluster", hint=hint))
            return None, None
        try:
            source = load(path, named_at=mark, named_path="cluster")
            self.sources[source.shown] = source
            parsed = parse(source)
        except SpecInvalid as stopped:
            self.problems.extend(stopped.problems)
            return None, None
        return parsed.data, parsed

    def in_order(self) -> list[Problem]:
        """Return the problems by position; files in the order in which they were read."""
        files = {name: number for number, name in enumerate(self.sources)}

        def place(problem: Problem) -> tuple[int, int, int]:
            mark = problem.mark
            return (files.get(mark.file, len(files)), mark.line, mark.column) if mark else (0, 0, 0)

        return sorted(self.problems, key=place)

    def _refuse(self, code: str, message: str, mark: Mark | None, hint: str) -> None:
        self.problems.append(error(code, message, mark=mark, path="include", hint=hint))


def _find_profile(named: str, folder: Path) -> Path | None:
    """Look beside the spec, then among the shipped ones, then take the name as a path."""
    if len(named) > LONGEST_NAME:
        return None  # the file system would refuse to look
    if "/" in named or named.endswith((".yaml", ".yml")):
        path = folder / named
        return path if path.exists() else None
    beside = folder / "clusters" / f"{named}.yaml"
    return beside if beside.is_file() else cluster_profile(named)


def _merge(under: Parsed, over: Parsed) -> Parsed:
    """Merge two files: mappings key by key, everything else as `over` has it."""
    replaced: set[JsonPath] = set()
    data = _merge_mappings(under.data, over.data, (), replaced)

    def kept(path: JsonPath) -> bool:
        return not any(path[:end] in replaced for end in range(1, len(path) + 1))

    keys = {path: mark for path, mark in under.key_marks.items() if kept(path)}
    values = {path: mark for path, mark in under.value_marks.items() if kept(path)}
    return Parsed(
        source=over.source,
        data=data,
        key_marks=keys | over.key_marks,
        value_marks=values | over.value_marks,
    )


def _merge_mappings(
    under: dict[str, Json], over: dict[str, Json], path: JsonPath, replaced: set[JsonPath]
) -> dict[str, Json]:
    merged = dict(under)
    for key, value in over.items():
        place = (*path, key)
        below = under.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            merged[key] = _merge_mappings(below, value, place, replaced)
            continue
        replaced.add(place)
        merged[key] = value
    return merged
