"""Check the inputs that wait at the cluster against their pins, before any task starts.

A folder or file that was hashed before and looks the same (size, time, inode) is not hashed again.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from .contract.fields import Damage
from .contract.manifest import tree_hash
from .contract.verify import file_sha256


def check_inputs(inputs: Sequence[Mapping[str, Any]], stamp: str, *, full: bool) -> None:
    """Compare each input at the cluster with its pin. Raises Damage that names the first wrong one.

    stamp: file that remembers what was hashed; not read when `full`.
    """
    there = [entry for entry in inputs if entry["at"] == "cluster"]
    if not there:
        return
    known = {} if full else _read(stamp)
    seen: Dict[str, str] = {}
    for entry in there:
        path, pin = entry["path"], entry.get("pin")
        if not os.path.exists(path):
            raise Damage(path, None, f"input {entry['name']} is not here")
        if pin is None:
            continue
        look = _look(path)
        if known.get(path) != f"{pin} {look}":
            wrong = _compare(path, pin)
            if wrong is not None:
                raise Damage(path, None, f"input {entry['name']} does not match its pin: {wrong}")
        seen[path] = f"{pin} {look}"
    _write(stamp, {**known, **seen})


def _compare(path: str, pin: str) -> Optional[str]:
    method, _, wanted = pin.partition(":")
    if method == "size":
        found = str(sum(status.st_size for _, status in _files(path)))
    elif method == "tree":
        found = tree_hash(
            (os.path.relpath(name, path), _mode(status), file_sha256(name))
            for name, status in _files(path)
        )
    elif method == "sha256":
        found = file_sha256(path)
    else:
        return f"this runtime knows no pin {method!r}"
    return None if found == wanted else f"{method} is {found}, not {wanted}"


def _mode(status: os.stat_result) -> int:
    return 0o755 if status.st_mode & stat.S_IXUSR else 0o644


def _files(path: str) -> Iterator[Tuple[str, os.stat_result]]:
    if os.path.isfile(path):
        yield path, os.stat(path)
        return
    for folder, folders, files in os.walk(path):
        folders.sort()
        for name in sorted(files):
            full = os.path.join(folder, name)
            yield full, os.stat(full)


def _look(path: str) -> str:
    """Summarise what a file or folder looks like without reading it."""
    marks: List[Tuple[str, int, int, int]] = [
        (os.path.relpath(name, path), status.st_size, status.st_mtime_ns, status.st_ino)
        for name, status in _files(path)
    ]
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
