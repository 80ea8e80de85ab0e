"""Fetch an input from a model hub: the file list of one revision, then each file, hashed.

Speaks the Hugging Face Hub's HTTP interface with the standard library. HF_ENDPOINT names another
server, HF_TOKEN a person's access; neither enters the lock.
"""

from __future__ import annotations

import json
import os
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO
from urllib.parse import quote

from specc.bundling.hashing import BLOCK_BYTES
from specc.locking.lockfile import LockedInput, LockedPath
from specc.locking.store import Store
from specc.locking.tools import ToolFailed
from specc.model import Json
from specc.progress import Progress

DEFAULT_ENDPOINT = "https://huggingface.co"
_TIMEOUT_S = 60


def fetch_hub(source: dict[str, Json], store: Store, progress: Progress) -> LockedInput:
    """Fetch a repository, or `path` in it, at one revision. Raises ToolFailed."""
    repository, revision = source["hub"], source["revision"]
    listed = _get_json(f"/api/models/{quote(repository)}/revision/{quote(revision, safe='')}")
    commit = str(listed.get("sha") or revision)
    names = sorted(str(entry["rfilename"]) for entry in listed.get("siblings") or ())
    wanted, folder = _chosen(names, source.get("path"))
    if not wanted:
        known = ", ".join(names[:8]) or "nothing"
        raise ToolFailed(f"{repository} has no {source.get('path')}; it holds {known}")
    base = f"/{quote(repository)}/resolve/{quote(commit, safe='')}"
    files = tuple(
        _fetch(f"{base}/{quote(name)}", inside, store, progress) for name, inside in wanted
    )
    return LockedInput(source=source, origin={"commit": commit}, folder=folder, files=files)


def _chosen(names: list[str], path: str | None) -> tuple[list[tuple[str, str]], bool]:
    """Return (name in the repository, name in the input), and whether that is a folder."""
    safe = [n for n in names if not n.startswith("/") and ".." not in n.split("/")]
    if path is None:
        return [(name, name) for name in safe], True
    if path in safe:
        return [(path, path.rpartition("/")[2])], False
    prefix = path.rstrip("/") + "/"
    return [(n, n.removeprefix(prefix)) for n in safe if n.startswith(prefix)], True


def _fetch(path: str, inside: str, store: Store, progress: Progress) -> LockedPath:
    with tempfile.TemporaryDirectory(prefix="specc-hub-") as folder:
        target = Path(folder, "file")
        with _open(path) as answer, target.open("wb") as copy:
            length = answer.getheader("Content-Length") if hasattr(answer, "getheader") else None
            progress.start(f"fetching {inside}", int(length) if length else None)
            while block := answer.read(BLOCK_BYTES):
                copy.write(block)
                progress.advance(len(block))
            progress.finish()
        size = target.stat().st_size
        if length is not None and size != int(length):
            raise ToolFailed(f"{inside}: the connection ended after {size} of {length} bytes")
        return LockedPath(path=inside, bytes=size, sha256=store.add(target))


def _get_json(path: str) -> dict[str, Json]:
    with _open(path) as answer:
        try:
            data = json.load(answer)
        except ValueError:
            raise ToolFailed("the hub's answer is not JSON: is HF_ENDPOINT a model hub?") from None
    if not isinstance(data, dict):
        raise ToolFailed("the hub's answer is not an object: is HF_ENDPOINT a model hub?")
    return data


def _open(path: str) -> IO[bytes]:
    endpoint = (os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")
    if not endpoint.startswith(("https://", "http://")):
        raise ToolFailed("HF_ENDPOINT must start with https:// or http://")
    request = urllib.request.Request(endpoint + path)
    if token := os.environ.get("HF_TOKEN"):
        # not to be sent on when the hub redirects to a storage host
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    try:
        answer: IO[bytes] = urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as reason:
        reason.close()
        words = {401: "access denied: set HF_TOKEN", 403: "access denied", 404: "not found"}
        said = words.get(reason.code, reason.reason)
        raise ToolFailed(f"{path}: {reason.code} {said}") from None
    except OSError as reason:
        raise ToolFailed(f"the hub does not answer: {reason}") from None
    return answer
