"""Bring resolved packages into the store: with pip, by hash, and only those not there yet."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from shutil import copyfile

from specc.locking.build import build_wheel
from specc.locking.lockfile import LockedFile
from specc.locking.resolve import Package
from specc.locking.store import Store
from specc.locking.target import Request
from specc.locking.tools import ToolFailed, pip
from specc.progress import Progress

_BATCH = 12
_LARGE_BYTES = 50 << 20


def fetch_wheels(
    packages: Sequence[Package], request: Request, store: Store, progress: Progress
) -> dict[str, LockedFile]:
    """Return package name -> wheel in the store. Raises ToolFailed.

    A package without a wheel is built once; its wheel's hash stands in the lock like any other.
    """
    missing = [p for p in packages if p.is_wheel and not store.has(p.archive.sha256)]
    progress.start("fetching wheels", sum(p.archive.bytes or 0 for p in missing) or None)
    try:
        for batch in _batches(missing):
            _fetch(batch, request, store)
            progress.advance(sum(p.archive.bytes or 0 for p in batch))
    finally:
        progress.finish()
    found: dict[str, LockedFile] = {}
    for package in packages:
        if package.is_wheel:
            size = store.path(package.archive.sha256).stat().st_size
            found[package.name] = LockedFile(
                file=package.archive.file, sha256=package.archive.sha256, bytes=size
            )
        else:
            progress.start(f"building {package.pinned}", None)
            found[package.name] = build_wheel(package, request, store)
            progress.finish()
    return found


def _batches(packages: Sequence[Package]) -> list[list[Package]]:
    """Small packages together, for pip takes a second to start; large ones alone."""
    large = [p for p in packages if (p.archive.bytes or 0) >= _LARGE_BYTES]
    small = [p for p in packages if p not in large]
    return [[p] for p in large] + [small[i : i + _BATCH] for i in range(0, len(small), _BATCH)]


def _fetch(packages: Sequence[Package], request: Request, store: Store) -> None:
    with tempfile.TemporaryDirectory(prefix="specc-fetch-") as name:
        folder = Path(name)
        remote = [p for p in packages if not _take_local(p, folder)]
        if remote:
            _download(remote, request, folder)
        wanted = {p.archive.sha256: p for p in packages}
        for file in sorted(folder.glob("*.whl")):
            wanted.pop(store.add(file), None)
        if wanted:
            names = ", ".join(p.archive.file for p in wanted.values())
            raise ToolFailed(f"pip did not bring {names}")


def _take_local(package: Package, folder: Path) -> bool:
    local = package.archive.local
    if local is None or not local.is_file():
        return False
    copyfile(local, folder / package.archive.file)
    return True


def _download(packages: Sequence[Package], request: Request, folder: Path) -> None:
    listed = folder / "requirements.txt"
    listed.write_text(
        "".join(f"{p.pinned} --hash=sha256:{p.archive.sha256}\n" for p in packages), "utf-8"
    )
    options = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--quiet"]
    options += ["--python-version", request.python, "--implementation", "cp"]
    options += ["--abi", f"cp{request.python.replace('.', '')}", "--abi", "abi3", "--abi", "none"]
    for platform in request.pip_platforms:
        options += ["--platform", platform]
    for index in sorted({p.index for p in packages if p.index}):
        options += ["--extra-index-url", index]
    pip("download", *options, "--dest", str(folder), "-r", str(listed))
