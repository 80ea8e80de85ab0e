"""Read manifest.json: the list of a bundle's files, and what they are for.

Also the two texts that derive from it, manifest-sha256.txt and the bundle id, and the tree hash.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import Any, Dict, Iterable, Mapping, Optional, Tuple

from .fields import (
    HEX16,
    HEX64,
    SAFE_PATH,
    Damage,
    anything,
    boolean,
    count,
    integer,
    list_of,
    map_of,
    matching,
    nullable,
    number,
    one_of,
    ordinal,
    positive,
    read_document,
    record,
    text,
)

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:specc:bundle:v1"
MANIFEST = "manifest.json"
HASH_LIST = "manifest-sha256.txt"
COMPILE_INFO = "compile.json"

_SUBJECT = record(
    {
        "name": SAFE_PATH,
        "digest": record({"sha256": HEX64}),
        "annotations": record({"bytes": count, "mode": one_of("0644", "0755")}),
    }
)
_TASK_SHAPE = record(
    {
        "gpus": positive,
        "gpu_memory_bytes": nullable(count),
        "cpus": ordinal,
        "memory_bytes": nullable(count),
        "estimate_s": nullable(positive),
        "time_limit_s": nullable(positive),
        "nodes": ordinal,
        "processes_per_node": ordinal,
    },
    {"stall_limit_s": nullable(positive)},
)
_JOB_SHAPE = record(
    {
        "nodes": ordinal,
        "gpus_per_node": count,
        "cpus_per_node": nullable(ordinal),
        "memory_bytes": nullable(count),
        "time_limit_s": number,
        "max_running": nullable(ordinal),
        "exclusive": boolean,
        "partition": nullable(text),
    }
)
_FIXTURE = record({"type": text, "options": map_of(anything)})
_SHAPE = record(
    {
        "name": text,
        "script": SAFE_PATH,
        "environment": nullable(text),
        "condition_id": HEX16,
        "task": _TASK_SHAPE,
        "job": _JOB_SHAPE,
        "slots": ordinal,
        "waves": count,
        "shards": count,
        "fixtures": list_of(_FIXTURE),
    },
    {"arrays": list_of(record({"script": SAFE_PATH, "first": count, "count": ordinal}))},
)
_ENVIRONMENT = record({"mode": one_of("wheelhouse", "container", "inherit")})
_INPUT = record({"name": text, "at": one_of("desk", "cluster"), "path": text})
_BUNDLE_ID = matching(r"[a-z][a-z0-9-]{0,62}-[0-9a-f]{12}", "<name>-<12 hex digits>")
_BORROWED = record(
    {
        "from": _BUNDLE_ID,
        "files": list_of(record({"path": SAFE_PATH, "sha256": HEX64, "bytes": count})),
    }
)
_CURE = record({"category": text, "condition_id": HEX16})
_PREDICATE = record(
    {
        "schema_version": integer,
        "specc_version": text,
        "name": matching(r"[a-z][a-z0-9-]{0,62}", "a name like my-study-1"),
        "kind": text,
        "purpose": nullable(text),
        "spec": map_of(anything),
        "tasks": record({"file": SAFE_PATH, "count": count, "runnable": count}),
        "shapes": list_of(_SHAPE),
        "on_failure": map_of(map_of(anything)),
        "environments": map_of(_ENVIRONMENT),
        "inputs": list_of(_INPUT),
    },
    {
        "axes": list_of(text),
        "code": nullable(record({"tree": text, "path": SAFE_PATH})),
        "parent_bundle_id": nullable(text),
        "profile": nullable(map_of(anything)),
        "cures": map_of(_CURE),
        "borrowed": nullable(_BORROWED),
        "pilot": boolean,
    },
)
check_manifest = record(
    {
        "_type": one_of(STATEMENT_TYPE),
        "predicateType": one_of(PREDICATE_TYPE),
        "subject": list_of(_SUBJECT),
        "predicate": _PREDICATE,
    }
)


@dataclass(frozen=True)
class Subject:
    """One file of a bundle as the manifest states it."""

    path: str
    sha256: str
    bytes: int
    mode: int
    """0o644 or 0o755."""


@dataclass(frozen=True)
class Manifest:
    """A manifest that was read and checked."""

    sha256: str
    """Hash of manifest.json itself."""
    subjects: Tuple[Subject, ...]
    predicate: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.predicate["name"])

    @property
    def kind(self) -> str:
        return str(self.predicate["kind"])

    @property
    def bundle_id(self) -> str:
        return bundle_id(self.name, self.sha256)

    @property
    def borrowed_from(self) -> Optional[str]:
        """Bundle that holds this one's wheels, inputs and images; None when it has its own."""
        borrowed = self.predicate.get("borrowed")
        return str(borrowed["from"]) if borrowed and borrowed["files"] else None

    @property
    def borrowed(self) -> Tuple[Subject, ...]:
        """Files that stand in another bundle and are used from there; empty when there is none."""
        entries = (self.predicate.get("borrowed") or {}).get("files", ())
        return tuple(
            Subject(path=one["path"], sha256=one["sha256"], bytes=int(one["bytes"]), mode=0o644)
            for one in entries
        )

    def shape(self, name: str) -> Dict[str, Any]:
        """Return one job shape. Raises KeyError that lists the shapes there are."""
        shapes = {shape["name"]: shape for shape in self.predicate["shapes"]}
        if name not in shapes:
            raise KeyError(f"no shape {name!r}; this bundle has {', '.join(sorted(shapes))}")
        found: Dict[str, Any] = shapes[name]
        return found

    def hash_list(self) -> str:
        """Return the text that manifest-sha256.txt must have."""
        return hash_list(((s.path, s.sha256) for s in self.subjects), self.sha256)


def bundle_id(name: str, manifest_sha256: str) -> str:
    """`<name>-<first 12 hex of the manifest's hash>`."""
    return f"{name}-{manifest_sha256[:12]}"


def hash_list(files: Iterable[Tuple[str, str]], manifest_sha256: str) -> str:
    """Return the text of manifest-sha256.txt for (path, sha256) pairs and the manifest's hash."""
    lines = sorted([*files, (MANIFEST, manifest_sha256)], key=lambda pair: pair[0].encode())
    return "".join(f"{digest}  {path}\n" for path, digest in lines)


def tree_hash(files: Iterable[Tuple[str, int, str]]) -> str:
    """Hash a folder from its (path, mode, sha256) triples; the order given does not matter."""
    ordered = sorted(files, key=lambda entry: entry[0].encode())
    lines = "".join(f"{mode:04o} {digest} {path}\n" for path, mode, digest in ordered)
    return hashlib.sha256(lines.encode()).hexdigest()


def parse_manifest(data: bytes, *, file: str = MANIFEST) -> Manifest:
    """Parse and check a manifest. Raises Damage, also when a path is listed twice."""
    value = read_document(file, data, check_manifest)
    subjects = tuple(
        Subject(
            path=entry["name"],
            sha256=entry["digest"]["sha256"],
            bytes=int(entry["annotations"]["bytes"]),
            mode=int(entry["annotations"]["mode"], 8),
        )
        for entry in value["subject"]
    )
    if len({subject.path for subject in subjects}) != len(subjects):
        raise Damage(file, None, "subject: a file is listed twice")
    return Manifest(hashlib.sha256(data).hexdigest(), subjects, value["predicate"])


def read_manifest(bundle: "str | os.PathLike[str]") -> Manifest:
    """Read the manifest of a bundle folder. Raises OSError, Damage."""
    path = os.path.join(bundle, MANIFEST)
    with open(path, "rb") as file:
        return parse_manifest(file.read(), file=path)


def manifest_id(bundle: "str | os.PathLike[str]") -> Optional[str]:
    """Return the id of the bundle in a folder; None when there is no bundle."""
    try:
        return read_manifest(bundle).bundle_id
    except FileNotFoundError:
        return None
