"""Check the inputs that wait at the cluster before any task starts, and tell what they are.

Each is hashed once for a site: what was hashed before and looks the same (size, time, inode) is
not hashed again, whichever bundle asks. An input pinned by its size alone is never read.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from ..contract.fields import Damage
from ..contract.manifest import tree_hash
from ..contract.verify import file_sha256
from ..log import say
from ..shard.lease import Held, take
from ..slurm_env import Allocation

_TOLD_FROM_BYTES = 1 << 30
_WAIT_STEP_S = 0.5
_METHODS = ("sha256", "tree", "size")
Found = Dict[str, Any]


def check_inputs(
    inputs: Sequence[Mapping[str, Any]], stamps: str, allocation: Allocation, *, full: bool
) -> Dict[str, Found]:
    """Return what each input at the cluster is: {pin, bytes, path, pinned} by name.

    Raises Damage that names every one that is missing or does not match its pin.
    stamps: folder that remembers what was hashed; not read when `full`.
    """
    found: Dict[str, Found] = {}
    wrong: List[Tuple[str, str]] = []
    for entry in inputs:
        if entry["at"] != "cluster":
            continue
        path, pin = entry["path"], entry.get("pin")
        try:
            seen, size = _Arrival(entry["name"], path, pin, stamps, full).look(allocation)
        except _Unusable as reason:
            wrong.append((path, str(reason)))
            continue
        if pin is not None and seen != pin:
            method, _, value = seen.partition(":")
            wanted = pin.partition(":")[2]
            complaint = f"does not match its pin: {method} is {value}, not {wanted}"
            wrong.append((path, f"input {entry['name']} {complaint}"))
        found[entry["name"]] = {
            "pin": seen,
            "bytes": size,
            "path": path,
            "pinned": pin is not None,
        }
    if wrong:
        rest = "".join(f"\n{path}: {complaint}" for path, complaint in wrong[1:])
        raise Damage(wrong[0][0], None, wrong[0][1] + rest)
    return found


class _Unusable(Exception):
    """An input that isn't here, or can't be looked at; the message names it."""


class _Arrival:
    """One input on the node."""

    def __init__(self, name: str, path: str, pin: Optional[str], stamps: str, full: bool) -> None:
        self.name, self.path, self.full = name, path, full
        self.method = None if pin is None else pin.partition(":")[0]
        place = hashlib.sha256(os.path.realpath(path).encode("utf-8", "replace")).hexdigest()
        self.stamp = os.path.join(stamps, f"input-{place[:32]}")

    def look(self, allocation: Allocation) -> Tuple[str, int]:
        """Return "<method>:<value>" and the size [bytes]. Raises _Unusable."""
        try:
            return self._look(allocation)
        except FileNotFoundError as error:
            missing = "is not here" if not os.path.lexists(self.path) else f"lacks {error.filename}"
            raise _Unusable(f"input {self.name} {missing}") from None
        except UnicodeEncodeError as error:
            message = f"input {self.name} holds {error.object!r}, which is no UTF-8 file name"
            raise _Unusable(message) from None
        except OSError as error:
            message = f"input {self.name} can't be read: {error.strerror}: {error.filename}"
            raise _Unusable(message) from None

    def _look(self, allocation: Allocation) -> Tuple[str, int]:
        folder = stat.S_ISDIR(os.stat(self.path).st_mode)
        self._check_method(folder)
        files = list(_files(self.path) if folder else _one(self.path))
        size = sum(status.st_size for _, _, status in files)
        if self.method == "size":
            return f"size:{size}", size
        look = _summary(files)
        if self.full:
            return self._hashed(files, size, folder, look, lambda: True), size
        return self._known_or_hashed(files, size, folder, look, allocation), size

    def _check_method(self, folder: bool) -> None:
        wanted = "tree" if folder else "sha256"
        if self.method not in (None, wanted, "size"):
            if self.method not in _METHODS:
                raise _Unusable(f"input {self.name}: this runtime knows no pin {self.method!r}")
            what = "folder" if folder else "file"
            raise _Unusable(f"input {self.name} is a {what}: pin it by {wanted} or size")

    def _known_or_hashed(
        self, files: "_Files", size: int, folder: bool, look: str, allocation: Allocation
    ) -> str:
        """Take the hash from the stamp, or wait for whoever is hashing, or hash."""
        while True:
            known = _read(self.stamp + ".json")
            if known.get("look") == look and known.get("pin"):
                return str(known["pin"])
            try:
                lease = take(self.stamp + ".lease", allocation)
            except Held:
                time.sleep(_WAIT_STEP_S)
                continue
            except OSError:  # no folder for stamps: each launch hashes for itself
                return self._hashed(files, size, folder, look, lambda: True)
            try:
                # another may have finished between the look at the stamp and the lease
                if _read(self.stamp + ".json").get("look") != look:
                    return self._hashed(files, size, folder, look, lease.beat)
            finally:
                lease.release()

    def _hashed(
        self, files: "_Files", size: int, folder: bool, look: str, beat: Callable[[], bool]
    ) -> str:
        if size >= _TOLD_FROM_BYTES:
            say(f"input {self.name}: hashing {size / 2**30:.1f} GiB, once for this site")

        def on_bytes(count: int) -> None:
            del count
            beat()

        if folder:
            value = "tree:" + tree_hash(
                (inside, _mode(status), file_sha256(path, on_bytes))
                for path, inside, status in files
            )
        else:
            value = "sha256:" + file_sha256(self.path, on_bytes)
        _write(self.stamp + ".json", {"path": self.path, "look": look, "pin": value})
        return value


_Files = Sequence[Tuple[str, str, os.stat_result]]


def _one(path: str) -> Iterator[Tuple[str, str, os.stat_result]]:
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(0, "neither a file nor a folder", path)
    yield path, "", status


def _files(root: str) -> Iterator[Tuple[str, str, os.stat_result]]:
    """Yield (path, path inside, status) of all files; links are followed, as the desk does."""

    def fail(error: OSError) -> None:
        raise error

    for folder, folders, files in os.walk(root, onerror=fail, followlinks=True):
        folders.sort()
        for name in folders:
            path = os.path.join(folder, name)
            if os.path.islink(path):
                real = os.path.realpath(path)
                if (os.path.realpath(folder) + os.sep).startswith(real + os.sep):
                    raise OSError(0, "a link to a folder that holds it", path)
        for name in sorted(files):
            path = os.path.join(folder, name)
            for _, _, status in _one(path):
                yield path, os.path.relpath(path, root), status


def _mode(status: os.stat_result) -> int:
    return 0o755 if status.st_mode & stat.S_IXUSR else 0o644


def _summary(files: _Files) -> str:
    """Summarise what files look like without reading them."""
    marks = [(name, s.st_size, s.st_mtime_ns, s.st_ino, _mode(s)) for _, name, s in files]
    return hashlib.sha256(json.dumps(marks).encode()).hexdigest()


def _read(path: str) -> Dict[str, str]:
    try:
        with open(path, encoding="utf-8") as file:
            value = json.load(file)
    except (OSError, ValueError):
        return {}  # a stamp that can't be read only costs time
    return value if isinstance(value, dict) else {}


def _write(path: str, value: Mapping[str, str]) -> None:
    draft = f"{path}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(draft, "w", encoding="utf-8") as file:
            json.dump(value, file)
        os.replace(draft, path)
    except OSError:
        return  # no stamp: the next launch hashes again
