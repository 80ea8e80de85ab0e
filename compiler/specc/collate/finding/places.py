"""Decide which launches of which folders count as which run. A door of collate.

Folders get renamed, copied and mixed on their way home. What launch.json and the journals prove is
used; where two folders contradict each other, neither counts and both are named.
"""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from specc.collate.finding.copies import Told, without_copies
from specc.collate.values import Damage, Source
from specc_runtime.contract import fields
from specc_runtime.contract.categories import SCHEMA_VERSION
from specc_runtime.contract.launches import LaunchFolder, RunFolder, read_launch

_Owner = tuple[str, str]
"""Bundle id and run id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A launch that does not count, and why."""

    shard_id: str
    place: str
    what: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The launches in one folder that belong to one run of one bundle."""

    source: Source
    run_id: str
    path: str
    launches: tuple[LaunchFolder, ...]
    lost: tuple[Lost, ...]


def sort_out(
    folders: Sequence[RunFolder], sources: Sequence[Source]
) -> tuple[list[Part], list[Damage]]:
    """Return the runs that the folders hold, by bundle and name, and what is wrong with them."""
    damage: list[Damage] = []
    known = {source.bundle_id: source for source in sources}
    told = {run.path: [_told(run.path, launch) for launch in run.launches] for run in folders}
    kept = without_copies(told, damage)
    parts: list[Part] = []
    for folder in folders:
        around = _around(folder, sources)
        for owner, launches in _by_owner(folder, told[folder.path], around):
            source = known.get(owner[0])
            if source is None:
                damage.append(_stranger(folder, owner[0]))
                continue
            counted = [one for one in launches if one not in kept.copies]
            if counted:
                part = _part(source, owner[1], folder.path, counted, kept.conflicts)
                parts.append(part)
                damage.extend(_left_out(part))
    parts.sort(key=lambda part: (part.source.bundle_id, part.run_id, part.path))
    damage.extend(_names(folders, told, kept.copies))
    return _in_several_places(parts, damage), damage


def _told(run: str, folder: LaunchFolder) -> Told:
    """Read who a launch says it is; one that says nothing readable is left to the journals."""
    newer = _newer_version(Path(folder.path) / "launch.json")
    try:
        info = None if newer else read_launch(folder)
    except fields.Damage:
        info = None
    return Told(run=run, folder=folder, info=info, newer=newer)


def _newer_version(path: Path) -> int | None:
    """Return the version of the contract a launch.json follows when this specc can't know it."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    version = value.get("schema_version") if isinstance(value, dict) else None
    return version if isinstance(version, int) and version > SCHEMA_VERSION else None


def _around(folder: RunFolder, sources: Iterable[Source]) -> str | None:
    """Return the bundle whose results folder a run stands in."""
    above = Path(folder.path).parent.resolve()
    inside = (s for s in sources if (s.path / "results").resolve() == above)
    return next((source.bundle_id for source in inside), None)


def _by_owner(
    folder: RunFolder, told: Sequence[Told], around: str | None
) -> Iterator[tuple[_Owner, list[Told]]]:
    """Group the launches of a folder by the run they say they belong to.

    The folder's name is the run's where all launches agree on another one: people rename runs to
    tell them apart. Launches that say nothing belong to most of the others.
    """
    owners = Counter(one.owner for one in told if one.owner is not None)
    named = [owner for owner, _ in owners.most_common() if owner[1] == folder.run_id]
    most = named or [owner for owner, _ in owners.most_common(1)]
    main = most[0] if most else (around or "", folder.run_id)
    groups: dict[_Owner, list[Told]] = defaultdict(list)
    for one in told:
        groups[one.owner or main].append(one)
    for owner, launches in groups.items():
        alone = sum(bundle == owner[0] for bundle, _ in groups) == 1
        yield (owner[0], folder.run_id if alone else owner[1]), launches


def _stranger(folder: RunFolder, bundle_id: str) -> Damage:
    owner = bundle_id or "an unknown bundle (no readable launch.json)"
    return Damage(
        file=folder.run_id,
        line=None,
        message=f"results of {owner}, which was not given",
        consequence="left out; give that bundle's folder as well",
    )


def _part(
    source: Source,
    run_id: str,
    path: str,
    launches: Sequence[Told],
    conflicts: Mapping[Told, tuple[str, str]],
) -> Part:
    good: list[LaunchFolder] = []
    lost: list[Lost] = []
    for one in launches:
        wrong = conflicts.get(one) or _wrong_with(one, source)
        if wrong is None:
            good.append(one.folder)
        else:
            what, advice = wrong
            lost.append(
                Lost(shard_id=one.folder.shard_id, place=one.place, what=what, advice=advice)
            )
    return Part(source=source, run_id=run_id, path=path, launches=tuple(good), lost=tuple(lost))


def _left_out(part: Part) -> Iterator[Damage]:
    for one in part.lost:
        yield Damage(
            file=one.place,
            line=None,
            message=one.what,
            consequence=f"nothing of this launch counts; {one.advice}",
        )


def _wrong_with(one: Told, source: Source) -> tuple[str, str] | None:
    """Return what keeps a launch from being read as one of this bundle, and what to do."""
    if one.newer is not None:
        return (
            f"its launch.json follows version {one.newer} of the contract, and this specc knows"
            f" version {SCHEMA_VERSION}",
            "collate with the version of specc that compiled the bundle",
        )
    if one.info is None:
        return None
    conditions = {shape["name"]: shape["condition_id"] for shape in source.manifest["shapes"]}
    shape, condition = one.info["shape"], one.info["condition_id"]
    if conditions.get(shape) != condition:
        return (
            f"it ran shape {shape} under condition {condition}, and the bundle has"
            f" {conditions.get(shape) or 'no such shape'}",
            "give the bundle that it was run from",
        )
    return None


def _names(
    folders: Sequence[RunFolder], told: Mapping[str, Sequence[Told]], copies: Collection[Told]
) -> Iterator[Damage]:
    """Tell of folders that don't have the names under which they were written."""
    for folder in folders:
        launches = [one for one in told[folder.path] if one not in copies]
        runs = sorted({one.owner[1] for one in launches if one.owner is not None})
        if len(runs) > 1:
            yield Damage(
                file=folder.run_id,
                line=None,
                message=f"launches of several runs stand in it: {', '.join(runs)}",
                consequence="each counts in the run that its launch.json names; keep runs apart",
            )
        elif runs and runs != [folder.run_id]:
            yield Damage(
                file=folder.run_id,
                line=None,
                message=f"the folder was renamed: its launches were written in run {runs[0]}",
                consequence=f"it counts as run {folder.run_id}; rename it back if it is {runs[0]}",
            )
        yield from _renamed_launches(launches)


def _renamed_launches(launches: Iterable[Told]) -> Iterator[Damage]:
    for one in launches:
        if one.info is None:
            continue
        written = f"{one.info['shard_id']}/{one.info['launch']}"
        if written != one.folder.launch:
            yield Damage(
                file=one.place,
                line=None,
                message=f"the folder was renamed: it was written as {written}",
                consequence="its journal names rows by that name, so that its tasks count as"
                " invalid; rename it back",
            )


def _in_several_places(parts: Sequence[Part], damage: list[Damage]) -> list[Part]:
    """Let a run that stands in several folders count only where these can't contradict."""
    groups: dict[_Owner, list[Part]] = defaultdict(list)
    for part in parts:
        groups[part.source.bundle_id, part.run_id].append(part)
    kept: list[Part] = []
    for group in groups.values():
        names = Counter(one.launch for part in group for one in part.launches)
        twice = sorted(name for name, count in names.items() if count > 1)
        if len(group) > 1:
            damage.append(_places(group, twice))
        if not twice:
            kept.extend(group)
            continue
        kept.extend(map(_without_launches, group))
    return kept


def _without_launches(part: Part) -> Part:
    why = f"run {part.run_id} stands in two places with different launches of one name"
    lost = (
        Lost(shard_id=one.shard_id, place=part.run_id, what=why, advice="") for one in part.launches
    )
    return replace(part, launches=(), lost=(*part.lost, *lost))


def _places(group: Sequence[Part], twice: Sequence[str]) -> Damage:
    above = os.path.commonpath([part.path for part in group])
    where = " and ".join(os.path.relpath(part.path, above) for part in group)
    run = f"run {group[0].run_id} of {group[0].source.bundle_id}"
    if twice:
        return Damage(
            file=group[0].run_id,
            line=None,
            message=f"{run} stands in two places, {where}, which hold different launches"
            f" of one name ({', '.join(twice[:3])})",
            consequence="neither counts, since nothing proves which is meant; give one of them, or"
            " rename one folder so that it counts as a run of its own",
        )
    return Damage(
        file=group[0].run_id,
        line=None,
        message=f"{run} stands in two places, {where}, which hold different shards or launches",
        consequence="all of them count as one run; move them into one folder",
    )
