"""Take single files out of archives: wheels, source archives, and archives inside them.

Only regular files are taken, one stream at a time; links, devices and names that climb are never
followed, so nothing is ever written outside the folder given.
"""

from __future__ import annotations

import io
import posixpath
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfileobj
from typing import IO

NESTED = "!/"


class NoSuchMember(Exception):
    """The archive holds nothing under the path asked for; the message says what it does hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Files taken out of an archive."""

    folder: bool
    files: tuple[tuple[str, Path], ...]
    """(path within the folder, or the file's name; where it was written), sorted."""


def take(archive: Path, path: str, into: Path) -> Taken:
    """Write the file or folder at `path` to numbered files under `into`.

    path: "a/b.txt", a folder "a", or "a/b.tar.gz!/c/d.txt" for a file inside an inner archive.
    Raises NoSuchMember; tarfile.TarError or zipfile.BadZipFile when the archive is damaged.
    """
    with archive.open("rb") as stream:
        return _take(stream, path, into)


def _take(stream: IO[bytes], path: str, into: Path) -> Taken:
    outer, nested, inner = path.partition(NESTED)
    wanted = posixpath.normpath(outer)
    with _opened(stream) as members:
        chosen = {n: m for n, m in members.items() if n == wanted or n.startswith(f"{wanted}/")}
        if not chosen:
            raise NoSuchMember(_told(wanted, members))
        if nested:
            if wanted not in chosen:
                raise NoSuchMember(f"{wanted} is a folder, not an archive")
            with chosen[wanted]() as member:
                return _take(io.BytesIO(member.read()), inner, into)
        files = []
        for number, (name, read) in enumerate(sorted(chosen.items())):
            target = into / f"{number}"
            with read() as member, target.open("wb") as copy:
                copyfileobj(member, copy)
            inside = name.removeprefix(f"{wanted}/") if name != wanted else posixpath.basename(name)
            files.append((inside, target))
        return Taken(folder=wanted not in chosen, files=tuple(files))


class _Reader:
    """Opens one member of an archive."""

    def __init__(
        self, archive: zipfile.ZipFile | tarfile.TarFile, member: zipfile.ZipInfo | tarfile.TarInfo
    ) -> None:
        self._archive = archive
        self._member = member

    def __call__(self) -> IO[bytes]:
        if isinstance(self._archive, zipfile.ZipFile):
            assert isinstance(self._member, zipfile.ZipInfo)
            return self._archive.open(self._member)
        assert isinstance(self._member, tarfile.TarInfo)
        found = self._archive.extractfile(self._member)
        assert found is not None  # only regular files are listed
        return found


@contextmanager
def _opened(stream: IO[bytes]) -> Iterator[dict[str, _Reader]]:
    """Yield the regular files of an archive whose names are plain relative paths."""
    if zipfile.is_zipfile(stream):
        stream.seek(0)
        with zipfile.ZipFile(stream) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            yield {i.filename: _Reader(archive, i) for i in infos if _is_plain(i.filename)}
        return
    stream.seek(0)
    with tarfile.open(fileobj=stream) as archive_:
        files = [member for member in archive_.getmembers() if member.isreg()]
        named = ((posixpath.normpath(member.name), member) for member in files)
        yield {name: _Reader(archive_, member) for name, member in named if _is_plain(name)}


def _is_plain(name: str) -> bool:
    return not name.startswith("/") and ".." not in name.split("/") and "\\" not in name


def _told(wanted: str, members: dict[str, _Reader]) -> str:
    tail = posixpath.basename(wanted)
    near = [name for name in sorted(members) if posixpath.basename(name) == tail][:3]
    if near:
        return f"there is no {wanted} in it; {', '.join(near)} has that name"
    top = sorted({name.split("/")[0] for name in members})[:8]
    return f"there is no {wanted} in it; at the top are {', '.join(top)}"
