"""Remember which segments were checked and what their rows are, so that they are read once.

Stands under `<out>/cache` and may be deleted at any time: everything in it is made again. A file
counts as unchanged while its size, time of change and inode stay; `rehash` believes none of that.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, cast

from specc.collate.records.ahead import worked_ahead
from specc.model import Json
from specc_runtime.contract.segments import Segment, SegmentFiles

VERSION = 2
"""Raised when what stands in the cache comes to mean something else."""
_WORTH = 1 << 20
"""Smaller segments are hashed again sooner than they are looked up."""
_BLOCK = 1 << 18
_CHECKED = "checked"
_INDEX = "index.json"
_ROWS = "rows"
FOLDER = "cache"
"""Of the folder that a collate writes to."""


class Cache:
    """What is remembered of one collate for the next one into the same folder."""

    def __init__(
        self,
        folder: Path | None = None,
        *,
        rehash: bool = False,
        others: Sequence[Path] = (),
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        """folder: None remembers nothing beyond the life of this object.

        others: caches of other collates; what they remember is taken, and they stay as they are.
        """
        self._folder = folder
        self._others = () if rehash else tuple(others)
        self._temporary = folder is None
        self._rehash = rehash
        self.progress = progress
        self._stamps: dict[str, list[int]] = {}
        self._checked: dict[str, Json] = {}
        self._seen: dict[str, Json] = {}
        self._used: set[str] = set()
        self._files = SegmentFiles()
        self._hashing: ThreadPoolExecutor | None = None
        self._asked: dict[_Claim, tuple[str, Segment, Future[str]]] = {}
        self._wrong: dict[_Claim, str] = {}
        self._stale = False
        if not rehash:
            for place in reversed(self.places):
                self._checked.update(_read(place / f"{_CHECKED}.json").get("files") or {})

    @property
    def rehash(self) -> bool:
        """Whether nothing is believed that can be looked up."""
        return self._rehash

    @property
    def folder(self) -> Path:
        """Where to write; of a cache without a folder a temporary one."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="specc-collate-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        return self._folder

    def check(self, run: str, segment: Segment) -> str | None:
        """Say what is wrong with a segment; a large one of an unchanged file is not read again.

        Of a large one nothing is known to be wrong until `hashes_fit` has waited for its hash.
        """
        if segment.bytes < _WORTH:
            return self._files.complaint(run, segment)
        path = os.path.realpath(segment.path(run))
        try:
            stamp = self._stamps.setdefault(path, stamp_of(Path(path)))
        except OSError as error:
            return f"{segment.launch}/{segment.file}: {error.strerror}"
        claim = _Claim(path, f"{segment.offset}+{segment.bytes}", segment.sha256)
        known = self._checked.get(path) or {}
        good = known.get("good") or {} if known.get("stamp") == stamp else {}
        if claim in self._wrong:
            return self._wrong[claim]
        if good.get(claim.place) == claim.sha256:
            self._note(claim)
        elif claim not in self._asked:
            # beside the parsing of the same bytes, so that a slow disk gives them once
            self._hashing = self._hashing or ThreadPoolExecutor(1)
            self._asked[claim] = (run, segment, self._hashing.submit(_hash, path, segment))
        return None

    def hashes_fit(self) -> bool:
        """Wait for all hashes; False when `check` has to be asked again, for some do not fit."""
        self._wait()
        fit, self._stale = not self._stale, False
        return fit

    def _wait(self) -> None:
        for claim, (run, segment, asked) in self._asked.items():
            if claim in self._wrong or claim.place in self._good(claim.path):
                continue
            if asked.result() == segment.sha256:
                self._note(claim)
            else:
                at = f"{segment.launch}/{segment.file}"
                # in between it may have come whole
                wrong = self._files.complaint(run, segment) or f"{at} changed while it was read"
                self._wrong[claim] = wrong
                self._stale = True
        if self._hashing is not None:
            self._hashing.shutdown()
            self._hashing = None

    def _good(self, path: str) -> dict[str, str]:
        found: dict[str, str] = self._seen.get(path, {}).get("good", {})
        return found

    def _note(self, claim: _Claim) -> None:
        stamp = self._stamps[claim.path]
        seen = self._seen.setdefault(claim.path, {"stamp": stamp, "good": {}})
        seen["good"][claim.place] = claim.sha256

    @property
    def places(self) -> tuple[Path, ...]:
        """Return where to look for what is remembered, the own folder first."""
        return self._others if self._folder is None else (self._folder, *self._others)

    def find(self, key: str) -> tuple[Path, dict[str, Json]] | None:
        """Return a folder of tables and its index, when all of it is as it was written."""
        for cache in self.places:
            folder = cache / _ROWS / key[:32]
            index = _read(folder / _INDEX)
            if index.get("key") == key and all(
                self.as_written(folder / name, said) for name, said in index["files"].items()
            ):
                self._used.add(folder.name)
                return folder, index
        return None

    def begin(self, key: str) -> Path:
        """Return an empty folder to write tables to; `finish` gives it its name."""
        part = self.folder / _ROWS / f".{key[:32]}.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        return part

    def finish(self, key: str, part: Path, index: Mapping[str, Json]) -> Path:
        """Write the index of a folder that `begin` made, and move it to its place.

        It stays where it is, and nobody will find it there, when hashes of what was read don't fit.
        """
        self._wait()
        if self._stale:
            return part
        paths = sorted(part.iterdir())
        files = {
            path.name: said for path, said in zip(paths, worked_ahead(said_of, paths), strict=True)
        }
        document = {**index, "key": key, "files": files}
        _write(part / _INDEX, document)
        folder = part.with_name(key[:32])
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
        self._used.add(folder.name)
        return folder

    def remembered(self, name: str) -> dict[str, Json]:
        """Return a small document of an earlier collate; empty when there is none."""
        said = (_read(place / f"{name}.json") for place in self.places)
        return next(filter(None, said), {})

    def remember(self, name: str, document: Mapping[str, Json]) -> None:
        """Keep a small document for the next collate."""
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / f".{name}.json.part"
        _write(part, document)
        part.replace(self.folder / f"{name}.json")

    def save(self) -> None:
        """Keep what was checked, and drop the tables that nobody asked for."""
        self._files.__exit__()
        if self._folder is None or self._temporary:
            return
        rows = self._folder / _ROWS
        if rows.is_dir():
            for path in rows.iterdir():
                if path.name not in self._used:
                    shutil.rmtree(path, ignore_errors=True)
        if self._seen:
            self.remember(_CHECKED, {"files": self._seen})

    def as_written(self, path: Path, said: Json) -> bool:
        """Return whether a file is still what `said_of` said of it; False where nothing is."""
        try:
            stamp = stamp_of(path)
            if not said or said["stamp"][0] != stamp[0]:
                return False
            return (said["stamp"] == stamp and not self._rehash) or sha256_of(path) == said[
                "sha256"
            ]
        except OSError:
            return False


def caches_in(reports: Iterable[Path]) -> tuple[Path, ...]:
    """Return the caches of those folders that a collate of something long has written to."""
    found = dict.fromkeys(report.resolve() / FOLDER for report in reports)
    return tuple(cache for cache in found if (cache / _ROWS).is_dir())


def stamp_of(path: Path) -> list[int]:
    """Return size, time of change [ns] and inode of a file. Raises OSError."""
    found = path.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ino]


def said_of(path: Path) -> dict[str, Json]:
    """Return what tells later whether a file is as it is now. Raises OSError."""
    return {"stamp": stamp_of(path), "sha256": sha256_of(path)}


def sha256_of(path: Path) -> str:
    """Return the hash of a file, read a block at a time. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Claim(NamedTuple):
    """What a journal says of a stretch of a file."""

    path: str
    place: str
    sha256: str


def _hash(path: str, segment: Segment) -> str:
    """Return the hash of a segment's bytes; rows are counted when they are parsed."""
    digest, left = hashlib.sha256(), segment.bytes
    # the same few bytes each time, which stay in the processor's cache
    block = memoryview(bytearray(_BLOCK))
    with Path(path).open("rb", buffering=0) as file:
        file.seek(segment.offset)
        while left > 0 and (count := file.readinto(block[: min(left, _BLOCK)])):
            digest.update(block[:count])
            left -= count
    return digest.hexdigest()


def key_of(*parts: Any) -> str:
    """Return a name for what is made of these plain values, and by this version."""
    text = json.dumps([VERSION, *parts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _write(path: Path, document: Mapping[str, Json]) -> None:
    """Write a note under its own hash, by which a damaged one or one of another version is told."""
    text = json.dumps(document)
    path.write_text(f"{key_of(text)}\n{text}\n")


def _read(path: Path) -> dict[str, Json]:
    """Return a note as it was written; empty when it is not: then everything is made again."""
    with suppress(OSError, ValueError):
        said, _, text = path.read_text("utf-8").removesuffix("\n").partition("\n")
        if said == key_of(text):
            return cast("dict[str, Json]", json.loads(text))
    return {}
