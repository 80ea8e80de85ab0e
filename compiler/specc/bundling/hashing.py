"""SHA-256 of files and trees, and a memory of hashes of large files.

A remembered hash counts while size, modification time and inode are the same. A file changed
within the clock's grain of being read is not remembered.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from contextlib import suppress
from pathlib import Path

from specc.progress import Progress, Silent

BLOCK_BYTES = 1 << 20
_WORTH_REMEMBERING_BYTES = 4 << 20
_CLOCK_GRAIN_NS = 2_000_000_000


def cache_root() -> Path:
    """Return specc's folder under the user's cache; it may not exist yet."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "specc"


def sha256_bytes(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def sha256_file(path: Path, progress: Progress | None = None) -> str:
    """Hash a file in blocks, without a cache."""
    told = progress or Silent()
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as stream:
        while block := stream.read(BLOCK_BYTES):
            digest.update(block)
            told.advance(len(block))
    return digest.hexdigest()


class HashMemory:
    """Remembers hashes of large files between compiles, in the cache folder."""

    def __init__(self, folder: Path | None = None, progress: Progress | None = None) -> None:
        self._file = (folder or cache_root()) / "hashes.json"
        self._progress = progress or Silent()
        self._known: dict[str, list[int | str]] | None = None
        self._changed = False

    def sha256(self, path: Path) -> str:
        """Return the file's hash, from memory when its stat is unchanged."""
        stat = path.stat()
        if stat.st_size < _WORTH_REMEMBERING_BYTES:
            return sha256_file(path)
        known = self._load()
        key = str(path.resolve())
        identity = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
        if (entry := known.get(key)) and entry[:3] == identity:
            return str(entry[3])
        self._progress.start(f"hashing {path.name}", stat.st_size)
        digest = sha256_file(path, self._progress)
        self._progress.finish()
        if time.time_ns() - stat.st_mtime_ns > _CLOCK_GRAIN_NS:
            known[key] = [*identity, digest]
            self._changed = True
        return digest

    def save(self) -> None:
        """Write what was learnt. A cache that cannot be written costs time, never correctness."""
        if not self._changed or self._known is None:
            return
        self._changed = False
        temporary = self._file.with_name(f"hashes.{os.getpid()}.tmp")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(self._known), "utf-8")
            temporary.replace(self._file)
        except OSError:
            with suppress(OSError):
                temporary.unlink()

    def _load(self) -> dict[str, list[int | str]]:
        if self._known is None:
            try:
                self._known = json.loads(self._file.read_text("utf-8"))
            except (OSError, ValueError):
                self._known = {}
            if not isinstance(self._known, dict):
                self._known = {}
        return self._known
