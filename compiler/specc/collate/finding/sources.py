"""Read the bundles that results are held against. A door of collate.

A bundle that can't be read costs its own results only, as long as another one can.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from specc.bundle_folders import bundles_at, file_at
from specc.collate.values import Damage, ResultsInvalid, Source
from specc.model import Json
from specc_runtime.contract import fields
from specc_runtime.contract.categories import SCHEMA_VERSION
from specc_runtime.contract.manifest import COMPILE_INFO, MANIFEST, read_manifest
from specc_runtime.contract.tasks import TaskRow, parse_tasks


def read_sources(paths: Sequence[Path]) -> tuple[list[Source], list[Damage]]:
    """Return the bundles at the paths and those that they continue, by id, and what is wrong.

    Raises ResultsInvalid when there is none that can be read.
    """
    given: list[Source] = []
    refused: list[tuple[Path, ResultsInvalid]] = []
    for path in bundles_at(paths):
        try:
            given.append(read_source(path.resolve()))
        except ResultsInvalid as wrong:
            refused.append((path, wrong))
    if not given and refused:
        raise refused[0][1]
    if not given:
        raise ResultsInvalid(
            f"no bundle at {', '.join(map(str, paths))}: looked for manifest.json there, in the"
            " folders just below and above",
            hint="results alone don't say what was expected: give the bundle's folder as well",
        )
    found = {source.bundle_id: source for source in [*given, *_parents_beside(given)]}
    damage = [
        Damage(
            file=path.resolve().name,
            line=None,
            message=f"{wrong}".replace(f"{path.resolve()}", path.resolve().name),
            consequence=f"nothing of this bundle is counted: {wrong.hint}",
        )
        for path, wrong in refused
    ]
    ordered = [found[bundle_id] for bundle_id in sorted(found)]
    return ordered, [*damage, *_missing_parents(found)]


def read_source(path: Path) -> Source:
    """Read a bundle's manifest and task table, and check the latter's hash.

    Raises ResultsInvalid.
    """
    try:
        manifest = read_manifest(path)
        data = (path / "tasks.jsonl").read_bytes()
        rows = parse_tasks(data, file=str(path / "tasks.jsonl"))
    except (fields.Damage, OSError) as wrong:
        raise ResultsInvalid(
            f"{path} is not a readable bundle: {wrong}", hint="copy the bundle again"
        ) from None
    if manifest.predicate["schema_version"] > SCHEMA_VERSION:
        raise ResultsInvalid(
            f"{path} was compiled by specc {manifest.predicate['specc_version']}, whose bundles"
            " this version does not know",
            hint="collate with that version of specc, or a newer one",
        )
    listed = {subject.path: subject.sha256 for subject in manifest.subjects}
    if listed.get("tasks.jsonl") != hashlib.sha256(data).hexdigest():
        raise ResultsInvalid(
            f"{path / 'tasks.jsonl'} does not match its hash in manifest.json",
            hint="`specc verify` names every changed file; copy the bundle again",
        )
    return Source(
        bundle_id=manifest.bundle_id,
        path=path,
        manifest=manifest.predicate,
        manifest_sha256=manifest.sha256,
        spec_sha256=listed.get("spec.resolved.yaml"),
        compile_info=_compile_info(path / COMPILE_INFO),
        tasks=_in_order(rows, manifest.predicate.get("axes") or ()),
        parent=manifest.predicate.get("parent_bundle_id"),
    )


def _parents_beside(given: Sequence[Source]) -> list[Source]:
    """Return the bundles that given ones continue, where they stand beside them."""
    known = {source.bundle_id for source in given}
    found: list[Source] = []
    waiting = list(given)
    while waiting:
        source = waiting.pop()
        if source.parent is None or source.parent in known:
            continue
        beside = source.path.parent / source.parent
        parent = _readable(beside)
        if parent is not None and parent.bundle_id == source.parent:
            known.add(parent.bundle_id)
            found.append(parent)
            waiting.append(parent)
    return found


def _readable(path: Path) -> Source | None:
    """Return a bundle that nobody named; one that can't be read counts as not there."""
    try:
        return read_source(path) if file_at(path / MANIFEST) else None
    except ResultsInvalid:
        return None


def _missing_parents(sources: Mapping[str, Source]) -> Iterator[Damage]:
    for source in sources.values():
        if source.parent is not None and source.parent not in sources:
            yield Damage(
                file=source.bundle_id,
                line=None,
                message=f"it continues {source.parent}, which was not given and does not stand"
                " beside it",
                consequence="what was completed there is not counted; give that bundle as well",
            )


def _in_order(rows: Sequence[TaskRow], axes: Sequence[str]) -> tuple[TaskRow, ...]:
    """Return the tasks with their axes in the author's order, which canonical JSON can't keep."""
    if not rows or list(rows[0].axes) == list(axes):
        return tuple(rows)
    return tuple(
        replace(row, axes={name: row.axes[name] for name in _names(row, axes)}) for row in rows
    )


def _names(row: TaskRow, axes: Iterable[str]) -> Iterator[str]:
    yield from (name for name in axes if name in row.axes)
    yield from (name for name in row.axes if name not in axes)


def _compile_info(path: Path) -> dict[str, Json]:
    # outside the hash and for display only: a missing or odd one costs a line in the report
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
