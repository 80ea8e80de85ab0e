"""Tell what is odd about folders of results: what is missing, unreadable, or nobody's.

Looks at names and sizes only. None of it changes a number; all of it may explain one.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from specc.bundle_folders import bundles_at, file_at, folder_at
from specc.collate.finding.places import Part
from specc.collate.values import Damage, Source
from specc_runtime.contract.launches import RunFolder
from specc_runtime.contract.manifest import MANIFEST
from specc_runtime.contract.runs import JOURNAL, LaunchState, RunState

_LAUNCH = re.compile(r"launch-[0-9]{3,}")
_SHARD = re.compile(r"[A-Za-z0-9._-]+-[0-9]{4,}")
_RECORDS = re.compile(r"records\.[0-9]+\.[0-9]+(\.rank[0-9]+)?\.jsonl")
_OF_A_RUN = re.compile(r"state|slurm|jobs\.tsv|submitting|.*\.lock")
_OF_A_LAUNCH = re.compile(
    r"launch\.json|events\.jsonl|progress\.json|hardware\.jsonl|log\.jsonl|tasks"
    r"|fixture\..*\.log|records\..*\.jsonl|output\..*\.log"
)
_PASSING = re.compile(r"\..*|.*\.(new|part|tmp)")
"""What tools and killed writers leave: no word about it."""
_DEEPEST = 4
_SHOWN = 5
_NOT_LOOKED_INTO = ("state", "lease", "tasks", "slurm")


def unread_paths(
    paths: Sequence[Path], sources: Sequence[Source], folders: Sequence[RunFolder]
) -> Iterator[Damage]:
    """Tell of given paths that hold nothing, and of folders below them that can't be listed."""
    bundles = [source.path for source in sources]
    runs = [Path(folder.path) for folder in folders]
    for path in paths:
        place = path.resolve()
        meant = any(one == place or place in one.parents for one in (*bundles, *runs))
        # a bundle that can't be read is told where it was read
        if not meant and not list(bundles_at([path])):
            yield Damage(
                file=place.name,
                line=None,
                message="nothing that collate reads stands there: no bundle, and no folder of a run"
                " with its shards",
                consequence="nothing of it is counted; give a bundle, its results, or"
                " results/<run>",
            )
    seen: set[str] = set()
    roots = [*paths, *(bundle / "results" for bundle in bundles)]
    for root in dict.fromkeys(path.resolve() for path in roots):
        bundle = file_at(root / MANIFEST)
        start = root / "results" if bundle else root
        for folder, why in _closed(start, _DEEPEST, seen):
            yield Damage(
                file=os.path.relpath(folder, root if bundle else root.parent),
                line=None,
                message=f"the folder can't be listed: {why}",
                consequence="nothing in it is counted; give yourself the right to read it",
            )


def _closed(folder: Path, depth: int, seen: set[str]) -> Iterator[tuple[Path, str]]:
    """Yield folders that may not be read, down to those of launches, and links to nowhere."""
    place = os.path.realpath(folder)
    if place in seen:
        return
    seen.add(place)
    try:
        inside = sorted(folder.iterdir())
    except NotADirectoryError:
        return
    except OSError as error:
        if depth < _DEEPEST or not isinstance(error, FileNotFoundError):
            yield folder, error.strerror or str(error)
        return
    for path in inside if depth else ():
        if path.name not in _NOT_LOOKED_INTO and not file_at(path):
            yield from _closed(path, depth - 1, seen)


def oddities(part: Part, state: RunState) -> Iterator[Damage]:
    """Tell what is odd in one run's folder, launch by launch."""
    run = Path(part.path)
    yield from _strays(run)
    extra = [name for name in _names(run) if not _known(run / name, _OF_A_RUN)]
    for launch in state.launches:
        folder = Path(launch.folder.path)
        names = _names(folder)
        extra += [f"{launch.folder.launch}/{name}" for name in names if _foreign(name)]
        yield from _half_copied(part, launch, names)
    yield from _uncovered(part, state)
    if extra:
        more = f" and {len(extra) - _SHOWN} more" if len(extra) > _SHOWN else ""
        yield Damage(
            file=run.name,
            line=None,
            message=f"files that no run writes stand in it: {', '.join(extra[:_SHOWN])}{more}",
            consequence="they are not read and change no number; move them elsewhere",
        )


def _known(path: Path, names: re.Pattern[str]) -> bool:
    passing = names.fullmatch(path.name) or _PASSING.fullmatch(path.name)
    return passing is not None or folder_at(path)


def _foreign(name: str) -> bool:
    return _OF_A_LAUNCH.fullmatch(name) is None and _PASSING.fullmatch(name) is None


def _names(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir())
    except OSError:
        return []


def _strays(run: Path) -> Iterator[Damage]:
    """Tell of folders of launches that don't have the name of a shard, so that nobody sees them."""
    for name in _names(run):
        launches = [one for one in _names(run / name) if _LAUNCH.fullmatch(one)]
        if launches and not _SHARD.fullmatch(name):
            yield Damage(
                file=f"{run.name}/{name}",
                line=None,
                message=f"it holds {launches[0]} and does not have the name of a shard",
                consequence="nothing in it is counted; rename it to the shard_id that its"
                " launch.json names",
            )


def _half_copied(part: Part, launch: LaunchState, names: Sequence[str]) -> Iterator[Damage]:
    place = f"{Path(part.path).name}/{launch.folder.launch}"
    records = [name for name in names if _RECORDS.fullmatch(name)]
    if JOURNAL not in names and records:
        yield Damage(
            file=f"{place}/{JOURNAL}",
            line=None,
            message=f"it is missing, and {records[0]} is there",
            consequence="no row of this launch counts, since only a journal vouches for rows;"
            " copy the folder again",
        )
    if "launch.json" not in names and launch.events:
        yield Damage(
            file=f"{place}/launch.json",
            line=None,
            message="it is missing, and the journal is there",
            consequence="machine and environment of this launch are unknown; copy the folder again",
        )


def _uncovered(part: Part, state: RunState) -> Iterator[Damage]:
    """Tell of rows that no segment names, in launches where every attempt was completed.

    Elsewhere they are what failed and cut attempts leave, and no news.
    """
    unsettled = set()
    covered: dict[str, int] = defaultdict(int)
    for task in state.tasks.values():
        for attempt in task.attempts:
            if attempt.outcome != "completed":
                unsettled.add(attempt.launch)
            for segment in attempt.segments:
                covered[f"{segment.launch}/{segment.file}"] += segment.bytes
    for launch in state.launches:
        name = launch.folder.launch
        # of a launch with damage or with tasks of another table nothing is known for sure
        if name in unsettled or name in state.damage or state.unknown_tasks or not launch.events:
            continue
        if launch.info is not None and f"{launch.info['shard_id']}/{launch.info['launch']}" != name:
            continue
        for file in filter(_RECORDS.fullmatch, _names(Path(launch.folder.path))):
            rest = _size(Path(launch.folder.path) / file) - covered[f"{name}/{file}"]
            if rest > 0:
                yield Damage(
                    file=f"{Path(part.path).name}/{name}/{file}",
                    line=None,
                    message=f"{rest} bytes in it belong to no completed task of the journal",
                    consequence="rows that no journal vouches for are not counted; nothing to do"
                    " unless files of several runs were joined",
                )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
