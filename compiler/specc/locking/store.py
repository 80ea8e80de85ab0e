"""Fetched files by their hash, under the user's cache: never fetched twice."""

from __future__ import annotations

import os
from pathlib import Path

from specc.bundling.hashing import cache_root, sha256_file


class Store:
    """A folder of files named by their SHA-256. Two processes may fill it at the same time."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or cache_root() / "blobs"

    def path(self, sha256: str) -> Path:
        """Where the file with this hash is, or would be."""
        return self._folder / sha256[:2] / sha256

    def has(self, sha256: str) -> bool:
        return self.path(sha256).is_file()

    def is_sound(self, sha256: str) -> bool:
        """Whether the file is there and its bytes still have this hash."""
        return self.has(sha256) and sha256_file(self.path(sha256)) == sha256

    def add(self, source: Path) -> str:
        """Move a file into the store and return its hash. The file is gone from `source`."""
        digest = sha256_file(source)
        target = self.path(digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        # the rename must stay within one file system to be atomic
        draft = target.with_name(f"{digest}.{os.getpid()}.tmp")
        try:
            try:
                source.rename(draft)
            except OSError:
                draft.write_bytes(source.read_bytes())
                source.unlink()
            draft.chmod(0o644)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
        return digest
