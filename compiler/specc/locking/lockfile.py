"""The lock file beside a spec: what was resolved and fetched, by hash.

No address, no path of this machine and no time stands in it.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from specc.model import Json
from specc.problems import BundleInvalid

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedFile:
    """A wheel."""

    file: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedEnvironment:
    """One environment as resolved for its target."""

    target: dict[str, Json]
    """python, platform, accelerator."""
    request_sha256: str
    """Of what the spec asked for; another one means: lock again."""
    requirements: tuple[str, ...]
    """Lines of requirements.lock: one hash for each package, that of the wheel below."""
    wheels: tuple[LockedFile, ...]
    installer: LockedFile


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedPath:
    """A file of an input."""

    path: str
    """Within the input's folder; the file's own name when the input is one file."""
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedInput:
    """An input that was fetched from a package or a hub."""

    source: dict[str, Json]
    """As the spec declares it."""
    origin: dict[str, Json]
    """What it was taken from: the archive's name and hash, or the hub's commit."""
    folder: bool
    files: tuple[LockedPath, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """The whole lock file."""

    environments: Mapping[str, LockedEnvironment] = field(default_factory=dict)
    inputs: Mapping[str, LockedInput] = field(default_factory=dict)


def lock_path(spec_path: Path) -> Path:
    """Return where the lock of a spec stands."""
    return spec_path.with_name(f"{spec_path.name}.lock")


def read_lock(path: Path) -> Lock | None:
    """Read a lock file; None when there is none. Raises BundleInvalid when it is damaged."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return None
    try:
        data = json.loads(text)
        if data["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"schema_version {data['schema_version']} is unknown")
        return Lock(
            environments={k: _environment(v) for k, v in data["environments"].items()},
            inputs={k: _input(v) for k, v in data["inputs"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as reason:
        raise BundleInvalid(
            f"{path.name} is not a lock file: {reason!r}",
            hint="delete it and run `specc lock` again",
        ) from None


def write_lock(lock: Lock, path: Path) -> None:
    """Write a lock file whole or not at all; the same lock always gives the same bytes."""
    data = {
        "schema_version": SCHEMA_VERSION,
        "environments": {k: dataclasses.asdict(v) for k, v in sorted(lock.environments.items())},
        "inputs": {k: dataclasses.asdict(v) for k, v in sorted(lock.inputs.items())},
    }
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        draft.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", "utf-8")
        draft.chmod(0o644)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _environment(data: dict[str, Json]) -> LockedEnvironment:
    return LockedEnvironment(
        target=data["target"],
        request_sha256=data["request_sha256"],
        requirements=tuple(data["requirements"]),
        wheels=tuple(LockedFile(**wheel) for wheel in data["wheels"]),
        installer=LockedFile(**data["installer"]),
    )


def _input(data: dict[str, Json]) -> LockedInput:
    return LockedInput(
        source=data["source"],
        origin=data["origin"],
        folder=data["folder"],
        files=tuple(LockedPath(**file) for file in data["files"]),
    )
