"""List a folder's files as they would stand in a bundle: sorted, hashed, links followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from specc.bundling.hashing import HashMemory
from specc.locking.lockfile import Lock
from specc.locking.store import Store
from specc.model import FileFact
from specc_runtime.contract.manifest import tree_hash


@dataclass(frozen=True, slots=True)
class Shelf:
    """What a survey looks things up in."""

    lock: Lock | None
    store: Store
    memory: HashMemory


class Unusable(Exception):
    """A file that cannot go into a bundle; the message says which and why."""


def fact(source: Path, path: str, memory: HashMemory) -> FileFact:
    """Hash one file. Raises Unusable when it is not a regular, readable file."""
    if any(ord(char) < 32 or ord(char) == 127 for char in path):
        raise Unusable(f"{path!r} has a control character in its name")
    try:
        path.encode()
        status = source.stat()
        if not stat.S_ISREG(status.st_mode):
            raise Unusable(f"{source} is neither a file nor a folder")
        return FileFact(
            path=path,
            source=source,
            bytes=status.st_size,
            sha256=memory.sha256(source),
            executable=bool(status.st_mode & stat.S_IXUSR),
        )
    except UnicodeEncodeError:
        raise Unusable(f"{path!r} is not a UTF-8 file name") from None
    except OSError as reason:
        raise Unusable(f"{source}: {reason.strerror or reason}") from None


def folder_facts(root: Path, path: str, memory: HashMemory) -> tuple[FileFact, ...]:
    """Hash every file of a folder; links are followed, for content is what counts."""
    found = (fact(file, f"{path}/{inside}", memory) for file, inside in walk(root))
    return tuple(sorted(found, key=lambda f: f.path))


def walk(root: Path) -> Iterator[tuple[Path, str]]:
    """Yield (file, path relative to root) of all files. Raises Unusable on a loop of links."""
    yield from _walk(root, "", (os.path.realpath(root),))


def _walk(folder: Path, prefix: str, trail: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as reason:
        raise Unusable(f"{folder}: {reason.strerror}") from None
    for entry in entries:
        inside = f"{prefix}{entry.name}"
        if not entry.is_dir():
            yield Path(entry.path), inside
            continue
        real = os.path.realpath(entry.path)
        if real in trail:
            raise Unusable(f"{entry.path} is a link to a folder that holds it")
        yield from _walk(Path(entry.path), f"{inside}/", (*trail, real))


def tree_of(files: Iterable[FileFact], prefix: str) -> str:
    """Return the tree hash of files below `prefix` ("code/")."""
    return tree_hash(
        (f.path.removeprefix(prefix), 0o755 if f.executable else 0o644, f.sha256) for f in files
    )
