"""Find bundles and runs at the given paths, and read what they say. The door of collate.

Reads bundles, journals and launch.json; the rows themselves are read by `rows`. What is damaged is
located and left out, never guessed at.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from specc.bundle_folders import bundles_at, folder_at
from specc.collate.finding.oddities import oddities, unread_paths
from specc.collate.finding.places import Part, sort_out
from specc.collate.finding.sources import read_sources
from specc.collate.values import Damage, ResultsInvalid, Source
from specc_runtime.contract.fields import Damage as BadFile
from specc_runtime.contract.launches import RunFolder, find_runs, list_launches
from specc_runtime.contract.runs import JOURNAL, LaunchState, RunState, TaskState, fold
from specc_runtime.contract.segments import Complaint
from specc_runtime.contract.slurm import scripts_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of one bundle, folded into the states of its tasks."""

    source: Source
    run_id: str
    path: str
    tasks: dict[str, TaskState]
    launches: tuple[LaunchState, ...]
    unreadable: dict[str, str]
    """task_id -> why nothing is known of it: a launch of its shard is damaged or left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """All that stands at the given paths."""

    sources: tuple[Source, ...]
    runs: tuple[Run, ...]
    damage: tuple[Damage, ...]


def read(paths: Sequence[Path], *, complaint: Complaint | None = None) -> Found:
    """Read bundles and runs, in the order of their names whatever the order of the paths.

    complaint: compares rows with their hashes; see `runs.fold`.
    Raises ResultsInvalid when there is nothing to collate.
    """
    for path in paths:
        if not folder_at(path):
            raise ResultsInvalid(
                f"{path} is not a folder", hint="give bundles, their results, or both"
            )
    sources, damage = read_sources(paths)
    folders = sorted(
        _folders(_places(paths, sources)),
        key=lambda run: (run.bundle_id or "", run.run_id, run.path),
    )
    damage.extend(unread_paths(paths, sources, folders))
    parts, wrong = sort_out(folders, sources)
    damage.extend(wrong)
    damage.extend(_apart_from_parents(parts))
    runs = [_read_run(part, damage, complaint) for part in parts]
    return Found(sources=tuple(sources), runs=tuple(runs), damage=tuple(damage))


def _places(paths: Sequence[Path], sources: Sequence[Source]) -> Iterator[Path]:
    """Yield where runs are looked for: the paths, and the results of the bundles there.

    Of a bundle of which only folders of single runs were given, and of the bundles that it
    continues, the runs of those names count and no others.
    """
    yield from paths
    named = _named_runs(paths)
    for source in sources:
        root = source.path
        own = [root, *_elsewhere(source)]
        names = named.get(root.resolve())
        if names is None and named and _only_continued(root, paths):
            names = set().union(*named.values())
        if names is None:
            yield from own
            continue
        yield from (Path(run.path) for at in own for run in find_runs(at) if run.run_id in names)


def _named_runs(paths: Sequence[Path]) -> dict[Path, set[str]]:
    """Return bundle -> names of its runs, where nothing but folders of its runs was given."""
    named: dict[Path, set[str]] = {}
    whole: set[Path] = set()
    for path in paths:
        place = path.resolve()
        for bundle in bundles_at([place]):
            root = bundle.resolve()
            if place.parent == root / "results" and list_launches(place):
                named.setdefault(root, set()).add(place.name)
            else:
                whole.add(root)
    return {root: names for root, names in named.items() if root not in whole}


def _only_continued(root: Path, paths: Sequence[Path]) -> bool:
    return root.resolve() not in {bundle.resolve() for bundle in bundles_at(paths)}


def _elsewhere(source: Source) -> Iterator[Path]:
    """Yield the results that a bundle has where SPECC_RESULTS says."""
    told = os.environ.get("SPECC_RESULTS")
    if told:
        yield Path(told) / source.bundle_id


def _folders(paths: Iterable[Path]) -> Iterator[RunFolder]:
    seen = set()
    for path in paths:
        for folder in find_runs(path.resolve()):
            # a bundle's results may be a link to where they really stand
            place = os.path.realpath(folder.path)
            if place not in seen:
                seen.add(place)
                yield folder


def _apart_from_parents(parts: Sequence[Part]) -> Iterator[Damage]:
    """Tell of bundles that were run under other names than the bundles they continue."""
    names: dict[str, set[str]] = {}
    for part in parts:
        names.setdefault(part.source.bundle_id, set()).add(part.run_id)
    for source in {part.source.bundle_id: part.source for part in parts}.values():
        parent = names.get(source.parent or "", set())
        other = sorted(names[source.bundle_id] - parent)
        if parent and other:
            yield Damage(
                file=source.bundle_id,
                line=None,
                message=f"it ran as {', '.join(other)}, and {source.parent}, which it continues,"
                f" as {', '.join(sorted(parent))}",
                consequence="its results count as a run of their own and fill no gap; rename the"
                f" folder {other[0]} to {min(parent)}, or run it with SPECC_RUN={min(parent)}",
            )


def _read_run(part: Part, damage: list[Damage], complaint: Complaint | None) -> Run:
    """Fold a run. A damaged journal costs what only it could have told."""
    source = part.source
    state = fold(
        part.path,
        source.tasks,
        go_on=True,
        scripts=scripts_of(source.manifest["shapes"]),
        complaint=complaint,
        launches=part.launches,
    )
    shards: dict[str, list[str]] = {}
    for one in part.lost:
        shards.setdefault(one.shard_id, []).append(f"{one.place}: {one.what}")
    for launch, wrongs in state.damage.items():
        for wrong in wrongs:
            told, lost = _damaged(wrong, part)
            damage.append(told)
            if lost is not None:
                shards.setdefault(launch.partition("/")[0], []).append(lost)
    unreadable = {
        row.task_id: "; ".join(dict.fromkeys(shards[row.shard]))
        for row in source.tasks
        if row.shard in shards and state.tasks[row.task_id].state == "missing"
    }
    damage.extend(_unknown_tasks(part, state))
    damage.extend(oddities(part, state))
    return Run(
        source=source,
        run_id=part.run_id,
        path=part.path,
        tasks=dict(state.tasks),
        launches=state.launches,
        unreadable=unreadable,
    )


def _damaged(wrong: BadFile, part: Part) -> tuple[Damage, str | None]:
    """Return what is told of a damaged file, and what it costs the tasks of its shard."""
    # said from the run's folder on, so that the report is the same wherever it is made
    file = os.path.relpath(wrong.file, Path(part.path).parent)
    journal = Path(wrong.file).name == JOURNAL
    place = file if wrong.line is None else f"{file}:{wrong.line}"
    text = f"{place} can't be read ({wrong.message}) and no other launch tells"
    told = Damage(
        file=file,
        line=wrong.line,
        message=wrong.message,
        consequence="its tasks count by what other launches prove"
        if journal
        else "machine and environment of this launch are unknown",
    )
    return told, text if journal else None


def _unknown_tasks(part: Part, state: RunState) -> Iterator[Damage]:
    if state.unknown_tasks:
        yield Damage(
            file=part.run_id,
            line=None,
            message=f"journals name tasks that the bundle does not have: "
            f"{', '.join(state.unknown_tasks[:5])}",
            consequence="their rows are left out",
        )
