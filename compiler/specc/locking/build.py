"""Build a wheel from a package that is offered as source only: once, with all that varies fixed.

An offline node could not build it: it has neither the build tools nor a compiler to count on.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from specc.locking.lockfile import LockedFile
from specc.locking.resolve import Package
from specc.locking.store import Store
from specc.locking.target import Request
from specc.locking.tools import ToolFailed, pip
from specc.locking.wheels import best_wheel

BUILD_ENVIRONMENT = {
    "SOURCE_DATE_EPOCH": "315532800",  # 1980-01-01, the oldest date a zip can hold
    "PYTHONHASHSEED": "0",
    # DeepSpeed: compile no CUDA operators, which would bind the wheel to this machine
    "DS_BUILD_OPS": "0",
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
}


def build_wheel(package: Package, request: Request, store: Store) -> LockedFile:
    """Return the wheel, from the store when this source was built before. Raises ToolFailed."""
    remembered = _Built(package, store)
    if (known := remembered.read()) is not None:
        return known
    with tempfile.TemporaryDirectory(prefix="specc-build-") as name:
        folder = Path(name)
        listed = folder / "requirements.txt"
        listed.write_text(f"{package.pinned} --hash=sha256:{package.archive.sha256}\n", "utf-8")
        options = ["--no-deps", "--require-hashes", "--no-binary", ":all:", "--no-cache-dir"]
        pip(
            "wheel", "--quiet", *options, "--wheel-dir", str(folder / "out"), "-r", str(listed),
            env=BUILD_ENVIRONMENT,
        )  # fmt: skip
        (wheel,) = (folder / "out").glob("*.whl")
        if best_wheel([wheel.name], request) is None:
            raise ToolFailed(
                f"{package.pinned} is offered as source only, and {wheel.name}, built here, does"
                f" not run on Python {request.python}, {request.platform}"
            )
        file, size = wheel.name, wheel.stat().st_size
        built = LockedFile(file=file, sha256=store.add(wheel), bytes=size)
    remembered.write(built)
    return built


class _Built:
    """Remembers which wheel came of which source archive."""

    def __init__(self, package: Package, store: Store) -> None:
        self._note = store.path(package.archive.sha256).with_name(f"{package.archive.sha256}.built")
        self._store = store

    def read(self) -> LockedFile | None:
        try:
            file, sha256 = self._note.read_text("utf-8").split()
        except (OSError, ValueError):
            return None
        if not self._store.has(sha256):
            return None
        return LockedFile(file=file, sha256=sha256, bytes=self._store.path(sha256).stat().st_size)

    def write(self, built: LockedFile) -> None:
        self._note.parent.mkdir(parents=True, exist_ok=True)
        self._note.write_text(f"{built.file} {built.sha256}\n", "utf-8")
