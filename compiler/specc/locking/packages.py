"""Fetch an input that stands in a registry package."""

from __future__ import annotations

import tarfile
import tempfile
import zipfile
from pathlib import Path

from specc.bundling.hashing import sha256_file
from specc.locking.archives import NoSuchMember, take
from specc.locking.lockfile import LockedInput, LockedPath
from specc.locking.store import Store
from specc.locking.tools import ToolFailed, pip
from specc.model import Json


def fetch_package(source: dict[str, Json], store: Store) -> LockedInput:
    """Download the package without its dependencies and take the path out of it.

    Raises ToolFailed when there is no such package, path, or readable archive.
    """
    with tempfile.TemporaryDirectory(prefix="specc-input-") as name:
        folder = Path(name)
        archive = _download(source, folder / "archive")
        origin = {"file": archive.name, "sha256": sha256_file(archive)}
        files = folder / "files"
        files.mkdir()
        try:
            taken = take(archive, source["path"], files)
        except (NoSuchMember, tarfile.TarError, zipfile.BadZipFile) as reason:
            raise ToolFailed(f"{archive.name}: {reason}") from None
        return LockedInput(
            source=source,
            origin=origin,
            folder=taken.folder,
            files=tuple(
                LockedPath(path=path, bytes=file.stat().st_size, sha256=store.add(file))
                for path, file in taken.files
            ),
        )


def _download(source: dict[str, Json], folder: Path) -> Path:
    form = "--no-binary" if source.get("kind") == "sdist" else "--only-binary"
    pip("download", "--quiet", "--no-deps", form, ":all:", "--dest", str(folder), source["package"])
    (archive,) = folder.iterdir()
    return archive
