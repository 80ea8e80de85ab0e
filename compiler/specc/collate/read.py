"""Find bundles and runs at the given paths, and read what they say. The door of collate.

Reads bundles, journals and launch.json; the rows themselves are read by `rows`. What is damaged is
located and left out, never guessed at.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from specc.bundle_folders import bundles_at
from specc.collate.values import Damage, ResultsInvalid, Source
from specc.model import Json
from specc_runtime.contract import fields
from specc_runtime.contract.launches import RunFolder, find_runs
from specc_runtime.contract.manifest import COMPILE_INFO, MANIFEST, read_manifest
from specc_runtime.contract.runs import JOURNAL, LaunchState, RunState, TaskState, fold
from specc_runtime.contract.slurm import scripts_of
from specc_runtime.contract.tasks import TaskRow, parse_tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of one bundle, folded into the states of its tasks."""

    source: Source
    run_id: str
    path: str
    tasks: dict[str, TaskState]
    launches: tuple[LaunchState, ...]
    unreadable: dict[str, str]
    """task_id -> why nothing is known of it: a journal of its shard is damaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """All that stands at the given paths."""

    sources: tuple[Source, ...]
    runs: tuple[Run, ...]
    damage: tuple[Damage, ...]


def read(paths: Sequence[Path]) -> Found:
    """Read bundles and runs, in the order of their names whatever the order of the paths.

    Raises ResultsInvalid when there is nothing to collate.
    """
    for path in paths:
        if not path.is_dir():
            raise ResultsInvalid(
                f"{path} is not a folder", hint="give bundles, their results, or both"
            )
    given = [_source(path.resolve()) for path in bundles_at(paths)]
    above = _parents_beside(given)
    found = sorted([*given, *above], key=lambda source: source.bundle_id)
    sources = {source.bundle_id: source for source in found}
    if not sources:
        raise ResultsInvalid(
            f"no bundle at {', '.join(map(str, paths))}",
            hint="results alone don't say what was expected: give the bundle's folder as well",
        )
    damage: list[Damage] = [*_missing_parents(sources)]
    runs = []
    places = [*paths, *(source.path for source in above), *_elsewhere(found)]
    for folder in sorted(_runs(places), key=lambda run: (run.bundle_id or "", run.run_id)):
        source = sources.get(folder.bundle_id or "") or _around(folder, found)
        if source is None:
            damage.append(_stranger(folder))
        else:
            runs.append(_read_run(folder, source, damage))
    _refuse_two_places(runs)
    _refuse_copies(runs)
    return Found(sources=tuple(sources.values()), runs=tuple(runs), damage=tuple(damage))


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
        if (beside / MANIFEST).is_file():
            parent = _source(beside)
            if parent.bundle_id == source.parent:
                known.add(parent.bundle_id)
                found.append(parent)
                waiting.append(parent)
    return found


def _elsewhere(found: Iterable[Source]) -> Iterator[Path]:
    """Yield the results that bundles have where SPECC_RESULTS says."""
    told = os.environ.get("SPECC_RESULTS")
    if told:
        yield from (Path(told) / source.bundle_id for source in found)


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


def _runs(paths: Iterable[Path]) -> Iterator[RunFolder]:
    seen = set()
    for path in paths:
        for folder in find_runs(path.resolve()):
            # a bundle's results may be a link to where they really stand
            place = os.path.realpath(folder.path)
            if place not in seen:
                seen.add(place)
                yield folder


def _around(folder: RunFolder, found: Iterable[Source]) -> Source | None:
    """Return the bundle that a run without a readable launch.json stands in."""
    above = Path(folder.path).parent.resolve()
    inside = (each for each in found if (each.path / "results").resolve() == above)
    return None if folder.bundle_id else next(inside, None)


def _source(path: Path) -> Source:
    """Read a bundle's manifest and task table, and check the latter's hash."""
    try:
        manifest = read_manifest(path)
        data = (path / "tasks.jsonl").read_bytes()
        rows = parse_tasks(data, file=str(path / "tasks.jsonl"))
    except (fields.Damage, OSError) as wrong:
        raise ResultsInvalid(
            f"{path} is not a readable bundle: {wrong}", hint="copy the bundle again"
        ) from None
    listed = {subject.path: subject.sha256 for subject in manifest.subjects}
    if listed.get("tasks.jsonl") != _sha256(data):
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


def _in_order(rows: Sequence[TaskRow], axes: Sequence[str]) -> tuple[TaskRow, ...]:
    """Return the tasks with their axes in the author's order, which canonical JSON can't keep."""
    if not rows or list(rows[0].axes) == list(axes):
        return tuple(rows)
    return tuple(
        replace(row, axes={name: row.axes[name] for name in _names(row, axes)}) for row in rows
    )


def _names(row: TaskRow, axes: Sequence[str]) -> Iterator[str]:
    yield from (name for name in axes if name in row.axes)
    yield from (name for name in row.axes if name not in axes)


def _sha256(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


def _compile_info(path: Path) -> dict[str, Json]:
    # outside the hash and for display only: a missing or odd one costs a line in the report
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _read_run(folder: RunFolder, source: Source, damage: list[Damage]) -> Run:
    """Fold a run. A damaged journal costs what only it could have told."""
    scripts = scripts_of(source.manifest["shapes"])
    state = fold(folder.path, source.tasks, go_on=True, scripts=scripts)
    shards: dict[str, list[str]] = {}
    for launch, wrongs in state.damage.items():
        for wrong in wrongs:
            # said from the run's folder on, so that the report is the same wherever it is made
            file = os.path.relpath(wrong.file, Path(folder.path).parent)
            lost = Path(wrong.file).name == JOURNAL
            place = file if wrong.line is None else f"{file}:{wrong.line}"
            if lost:
                text = f"{place} can't be read ({wrong.message}) and no other launch tells"
                shards.setdefault(launch.partition("/")[0], []).append(text)
            damage.append(
                Damage(
                    file=file,
                    line=wrong.line,
                    message=wrong.message,
                    consequence="its tasks count by what other launches prove"
                    if lost
                    else "machine and environment of this launch are unknown",
                )
            )
    unreadable = {
        row.task_id: "; ".join(shards[row.shard])
        for row in source.tasks
        if row.shard in shards and state.tasks[row.task_id].state == "missing"
    }
    damage.extend(_unknown_tasks(folder, state))
    return Run(
        source=source,
        run_id=folder.run_id,
        path=folder.path,
        tasks=dict(state.tasks),
        launches=state.launches,
        unreadable=unreadable,
    )


def _unknown_tasks(folder: RunFolder, state: RunState) -> Iterator[Damage]:
    if state.unknown_tasks:
        yield Damage(
            file=folder.run_id,
            line=None,
            message=f"journals name tasks that the bundle does not have: "
            f"{', '.join(state.unknown_tasks[:5])}",
            consequence="their rows are left out",
        )


def _stranger(folder: RunFolder) -> Damage:
    owner = folder.bundle_id or "an unknown bundle (no readable launch.json)"
    return Damage(
        file=folder.run_id,
        line=None,
        message=f"results of {owner}, which was not given",
        consequence="left out; give that bundle's folder as well",
    )


def _refuse_two_places(runs: Sequence[Run]) -> None:
    """Refuse two folders for one run of one bundle: which of them counts is not ours to guess."""
    seen: dict[tuple[str, str], str] = {}
    for run in runs:
        key = (run.source.bundle_id, run.run_id)
        if key in seen:
            raise ResultsInvalid(
                f"run {run.run_id} of {run.source.bundle_id} stands in two places: "
                f"{os.path.relpath(seen[key])} and {os.path.relpath(run.path)}",
                hint="give one of them, or merge the shards' folders into one",
            )
        seen[key] = run.path


def _refuse_copies(runs: Sequence[Run]) -> None:
    """Refuse a run that holds another one's launches: its values would count as measured again."""
    seen: dict[tuple[Json, ...], Run] = {}
    for run in runs:
        for launch in run.launches:
            if launch.info is None:
                continue
            said = ("bundle_id", "run_id", "shard_id", "launch", "host", "pid", "started_epoch_ns")
            start = tuple(launch.info[name] for name in said)
            first = seen.setdefault(start, run)
            if first is not run:
                raise ResultsInvalid(
                    f"{os.path.relpath(run.path)} holds a copy of {launch.folder.launch} of "
                    f"{os.path.relpath(first.path)}: its values would count twice",
                    hint="give one of the two folders, or move the copy elsewhere",
                )
