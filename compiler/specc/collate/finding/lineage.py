"""Tell which bundles continue which: reruns and grown studies name their parent. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from specc.collate.values import Source
from specc.model import Json


def parents_first(sources: Iterable[Source]) -> list[Source]:
    """Return the bundles so that each stands behind the one it continues, then by id."""
    by_id = {s.bundle_id: s for s in sources}
    return sorted(by_id.values(), key=lambda s: (_depth(s, by_id), s.bundle_id))


def lineage_of(source: Source, sources: Iterable[Source]) -> str:
    """Return the id of the first bundle of a line, whether that was given or not."""
    by_id = {s.bundle_id: s for s in sources}
    while (parent := by_id.get(source.parent or "")) is not None:
        source = parent
    return source.parent or source.bundle_id


def newest(sources: Sequence[Source]) -> Source:
    """Return the bundle that the next of the line continues: the one furthest from the first."""
    return parents_first(sources)[-1]


def cure_of(source: Source, task_id: str) -> Mapping[str, Json] | None:
    """Return what `on_failure` changed for a task of this bundle; None when nothing."""
    found: Mapping[str, Json] | None = (source.manifest.get("cures") or {}).get(task_id)
    return found


def conditions(source: Source) -> dict[str, str]:
    """Return the condition of every task that has a place in this bundle.

    A cure is a declared change: its task keeps the condition that it was first measured under.
    """
    of_shape = {shape["name"]: str(shape["condition_id"]) for shape in source.manifest["shapes"]}
    cures = source.manifest.get("cures") or {}
    return {
        row.task_id: str(cures[row.task_id]["condition_id"])
        if row.task_id in cures
        else of_shape[row.shape]
        for row in source.tasks
        if row.shape in of_shape
    }


def _depth(source: Source, by_id: Mapping[str, Source]) -> int:
    parent = by_id.get(source.parent or "")
    return 0 if parent is None else 1 + _depth(parent, by_id)
