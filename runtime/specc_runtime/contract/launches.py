"""Find runs, shards and launches below a folder, and read launch.json.

A run is a folder that holds `<shard_id>/launch-<n>` folders; it stands in a bundle's results/,
in a results root, or was handed over by itself.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

from .fields import (
    HEX16,
    HEX64,
    Damage,
    anything,
    boolean,
    integer,
    list_of,
    map_of,
    matching,
    nullable,
    number,
    one_of,
    read_document,
    record,
    text,
)
from .segments import LAUNCH_NAME
from .tasks import SHARD_ID

_SHARD = re.compile(r"[A-Za-z0-9._-]+-[0-9]{4,}")
_LAUNCH = re.compile(r"launch-([0-9]{3,})")
_DEEPEST = 3

PIN = matching(
    r"(sha256|tree):[0-9a-f]{64}|size:[0-9]+", "sha256:, tree: or size: and what was found"
)
_ANY_MAP = map_of(anything)
_HARDWARE = record(
    {},
    {
        "cpu": _ANY_MAP,
        "memory": _ANY_MAP,
        "gpus": list_of(_ANY_MAP),
        "unavailable": list_of(_ANY_MAP),
    },
)
check_launch = record(
    {
        "schema_version": integer,
        "bundle_id": matching(r"[a-z][a-z0-9-]{0,62}-[0-9a-f]{12}", "<name>-<12 hex digits>"),
        "run_id": text,
        "shard_id": SHARD_ID,
        "launch": LAUNCH_NAME,
        "shape": text,
        "condition_id": HEX16,
        "host": text,
        "user_id": integer,
        "pid": integer,
        "started_epoch_ns": integer,
        "anchor": record({"t_ns": integer, "epoch_ns": integer}),
        "network": one_of("isolated", "not isolated"),
        "slurm": map_of(text),
        "python": text,
        "environment": record(
            {
                "name": nullable(text),
                "mode": one_of("wheelhouse", "container", "inherit"),
                "path": nullable(text),
                "packages": map_of(text),
            },
            {
                "image": nullable(text),
                "image_sha256": nullable(HEX64),
                "modules": list_of(text),
            },
        ),
        "hardware": _HARDWARE,
        "bundle_verified": one_of("full", "stamped"),
    },
    {
        "deadline_s": nullable(number),
        "inputs": map_of(
            record({"pin": PIN, "bytes": nullable(integer), "path": text, "pinned": boolean})
        ),
    },
)


@dataclass(frozen=True)
class LaunchFolder:
    """One start of a shard."""

    shard_id: str
    number: int
    path: str

    @property
    def launch(self) -> str:
        """`<shard_id>/<launch>`, as segments name it."""
        return f"{self.shard_id}/{os.path.basename(self.path)}"


@dataclass(frozen=True)
class RunFolder:
    """One run of one bundle."""

    path: str
    run_id: str
    bundle_id: Optional[str]
    """As the first readable launch.json says; None when there is none."""
    launches: Tuple[LaunchFolder, ...]
    """By shard, then by number."""


def list_launches(run: "str | os.PathLike[str]") -> Tuple[LaunchFolder, ...]:
    """List the launches of a run's folder by shard, then by number."""
    root = os.fspath(run)
    found: List[LaunchFolder] = []
    for shard in _folders(root):
        if _SHARD.fullmatch(shard):
            found.extend(list_shard(root, shard))
    return tuple(found)


def list_shard(run: "str | os.PathLike[str]", shard_id: str) -> Tuple[LaunchFolder, ...]:
    """List the launches of one shard by number."""
    shard = os.path.join(os.fspath(run), shard_id)
    found = []
    for name in _folders(shard):
        match = _LAUNCH.fullmatch(name)
        if match is not None:
            found.append(LaunchFolder(shard_id, int(match.group(1)), os.path.join(shard, name)))
    return tuple(sorted(found, key=lambda launch: launch.number))


def read_launch(folder: LaunchFolder) -> Optional[Dict[str, Any]]:
    """Read launch.json; None when the launch died before it was written. Raises Damage."""
    path = os.path.join(folder.path, "launch.json")
    try:
        with open(path, "rb") as file:
            value: Dict[str, Any] = read_document(path, file.read(), check_launch)
            return value
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Damage(path, None, f"can't be read: {error.strerror}") from None


def node_name(info: Mapping[str, Any]) -> str:
    """Return where a launch ran, by Slurm's name of the node, else by the machine's own.

    info: its launch.json.
    """
    return str(info["slurm"].get("SLURMD_NODENAME") or info["host"])


def find_runs(path: "str | os.PathLike[str]") -> Tuple[RunFolder, ...]:
    """Find all runs at or below a folder: a bundle, a results root, a run, or several of these."""
    return tuple(sorted(_find(os.path.abspath(path), _DEEPEST), key=lambda run: run.path))


def _find(folder: str, depth: int) -> Iterator[RunFolder]:
    launches = list_launches(folder)
    if launches:
        yield RunFolder(folder, os.path.basename(folder), _bundle_id(launches), launches)
        return
    if depth == 0:
        return
    results = os.path.join(folder, "results")
    # a bundle's other folders may be large and hold no results
    if os.path.exists(os.path.join(folder, "manifest.json")):
        names = ["results"] if os.path.isdir(results) else []
    else:
        names = _folders(folder)
    for name in names:
        yield from _find(os.path.join(folder, name), depth - 1)


def _bundle_id(launches: Tuple[LaunchFolder, ...]) -> Optional[str]:
    for launch in launches:
        try:
            value = read_launch(launch)
        except Damage:
            continue
        if value is not None:
            return str(value["bundle_id"])
    return None


def _folders(path: str) -> List[str]:
    """Return the names of the folders there; none where it can't be listed."""
    try:
        with os.scandir(path) as entries:
            return sorted(entry.name for entry in entries if _is_folder(entry))
    except OSError:
        return []


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False
