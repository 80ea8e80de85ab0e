"""Describe an export as an RO-Crate 1.1: what the files are, and what they were made from.

Pure. Who made it and under which licence it may be passed on is the user's to say: the root names
neither author nor licence. Licences of inputs are repeated as the spec states them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath

from specc.model import Json

METADATA = "ro-crate-metadata.json"
_PROFILE = "https://w3id.org/ro/crate/1.1"
_TYPES = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".parquet": "application/vnd.apache.parquet",
    ".xml": "application/xml",
    ".prom": "text/plain",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """What a crate says of one file."""

    size: int
    """In bytes."""
    sha256: str


def crate(summary: Mapping[str, Json], files: Mapping[str, FileFacts], exported: str) -> Json:
    """Return the document.

    files: what else was written, by path below the crate.   exported: for a study that never ran.
    """
    entities = [
        {
            "@id": METADATA,
            "@type": "CreativeWork",
            "conformsTo": {"@id": _PROFILE},
            "about": {"@id": "./"},
        },
        _root(summary, files, exported),
        *(_file(path, facts) for path, facts in sorted(files.items())),
        *_bundles(summary),
        *_inputs(summary),
        *_runs(summary, sorted(files)),
    ]
    # in RO-Crate 1.1 a hash has no term yet
    context = [f"{_PROFILE}/context", {"sha256": "https://schema.org/sha256"}]
    return {"@context": context, "@graph": entities}


def _root(summary: Mapping[str, Json], files: Collection[str], exported: str) -> Json:
    done = summary["completeness"]
    purpose = f"{summary['purpose']} " if summary["purpose"] else ""
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": str(summary["name"]),
        "description": f"{purpose}{done['completed']} of {done['expected']} tasks completed.",
        "datePublished": _ended(summary) or exported,
        "identifier": [bundle["bundle_id"] for bundle in summary["bundles"]],
        "hasPart": [{"@id": path} for path in sorted(files)],
        "mentions": [{"@id": one["@id"]} for one in _runs(summary, ())],
    }


def _ended(summary: Mapping[str, Json]) -> str | None:
    """Return the day of the last run's first start, so that no export changes it."""
    starts = [run["started_epoch_ns"] for run in summary["runs"] if run["started_epoch_ns"]]
    if not starts:
        return None
    return datetime.fromtimestamp(max(starts) / 1e9, UTC).date().isoformat()


def _file(path: str, facts: FileFacts) -> Json:
    return {
        "@id": path,
        "@type": "File",
        "name": PurePosixPath(path).name,
        "contentSize": str(facts.size),
        "encodingFormat": _TYPES.get(PurePosixPath(path).suffix, "application/octet-stream"),
        "sha256": facts.sha256,
    }


def _bundles(summary: Mapping[str, Json]) -> Iterator[Json]:
    for bundle in summary["bundles"]:
        yield {
            "@id": f"#{bundle['bundle_id']}",
            "@type": "SoftwareApplication",
            "name": bundle["bundle_id"],
            "description": "A sealed job bundle; its id is the start of the hash of manifest.json.",
            "softwareVersion": bundle["specc_version"],
            "sha256": bundle["manifest_sha256"],
        }


def _inputs(summary: Mapping[str, Json]) -> Iterator[Json]:
    for number, one in enumerate(summary["inputs"], start=1):
        entity: dict[str, Json] = {
            "@id": f"#input-{number}-{one['name']}",
            "@type": "CreativeWork",
            "name": one["name"],
            "description": "Read by the runs and not part of this crate.",
        }
        if one["pin"]:
            entity["identifier"] = one["pin"]
        if one["licence"]:
            entity["license"] = one["licence"]
        yield entity


def _runs(summary: Mapping[str, Json], files: Sequence[str]) -> Iterator[Json]:
    inputs = [
        {"@id": f"#input-{number}-{one['name']}"}
        for number, one in enumerate(summary["inputs"], start=1)
    ]
    for run in summary["runs"]:
        if run["run_id"] is None:
            continue
        entity: dict[str, Json] = {
            "@id": f"#run-{run['bundle_id']}-{run['run_id']}",
            "@type": "CreateAction",
            "name": f"run {run['run_id']} of {run['bundle_id']}",
            "instrument": {"@id": f"#{run['bundle_id']}"},
            "object": inputs,
            "result": [{"@id": path} for path in files],
        }
        if run["started_epoch_ns"]:
            started = datetime.fromtimestamp(run["started_epoch_ns"] // 10**9, UTC)
            entity["startTime"] = started.isoformat()
        yield entity
