"""Find launches that are copies of others: their values would count as measured twice.

Reads journals, and only those of launches that say they are the same start.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from specc.collate.values import Damage
from specc.model import Json
from specc_runtime.contract.launches import LaunchFolder
from specc_runtime.contract.runs import JOURNAL

_START = ("bundle_id", "run_id", "shard_id", "launch", "host", "pid", "started_epoch_ns")
"""No two starts share all of these."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Told:
    """A launch folder and who it says it is."""

    run: str
    """Folder of the run it stands in."""
    folder: LaunchFolder
    info: Mapping[str, Json] | None
    """launch.json; None when it is not there or can't be read."""
    newer: int | None
    """Version of the contract it follows, when that is newer than ours."""

    @property
    def owner(self) -> tuple[str, str] | None:
        """Bundle and run that it says it belongs to."""
        if self.info is None:
            return None
        return str(self.info["bundle_id"]), str(self.info["run_id"])

    @property
    def place(self) -> str:
        """Where it stands, from the run's folder on: a report is the same wherever it is made."""
        return f"{Path(self.run).name}/{self.folder.launch}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is to be left out."""

    copies: frozenset[Told]
    """Of a launch that counts elsewhere."""
    conflicts: Mapping[Told, tuple[str, str]]
    """Launches of one start whose journals contradict each other -> what is wrong, what to do."""


def without_copies(told: Mapping[str, Sequence[Told]], damage: list[Damage]) -> Kept:
    """Choose one of all launches of one start: that whose journal holds all of the others'."""
    starts: dict[tuple[Json, ...], list[Told]] = defaultdict(list)
    for launches in told.values():
        for one in launches:
            if one.info is not None:
                starts[tuple(one.info[name] for name in _START)].append(one)
    copies: dict[Told, Told] = {}
    conflicts: dict[Told, tuple[str, str]] = {}
    doubled = [same for same in starts.values() if len(same) > 1]
    journals = {one: _bytes(Path(one.folder.path) / JOURNAL) for same in doubled for one in same}
    of_run: dict[str, int] = defaultdict(int)
    for one, journal in journals.items():
        of_run[one.run] += len(journal)
    for same in doubled:
        # of equal ones that of the fuller run, so that the launches of a run stay together
        first, *rest = sorted(
            same, key=lambda one: (*_rank(one, journals), -of_run[one.run], one.folder.path)
        )
        if all(journals[first].startswith(journals[one]) for one in rest):
            copies.update(dict.fromkeys(rest, first))
        else:
            conflicts.update(dict.fromkeys(same, _contradiction(same)))
    damage.extend(_told_once(copies))
    return Kept(copies=frozenset(copies), conflicts=conflicts)


def _rank(one: Told, journals: Mapping[Told, bytes]) -> tuple[int, int, bool]:
    """Order the most complete first, then the one in the folder of its own run."""
    renamed = one.owner is None or Path(one.run).name != one.owner[1]
    return -len(journals[one]), -_rows(one.folder.path), renamed


def _rows(folder: str) -> int:
    """Return how many bytes of records a launch holds."""
    total = 0
    for path in Path(folder).glob("records.*.jsonl"):
        try:
            total += path.stat().st_size
        except OSError:
            continue
    return total


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _contradiction(same: Sequence[Told]) -> tuple[str, str]:
    places = ", ".join(sorted(one.place for one in same))
    return (
        f"two folders say they are this start, and their journals contradict each other ({places})",
        "give only the one that was not changed",
    )


def _told_once(copies: Mapping[Told, Told]) -> Iterable[Damage]:
    """Say for each run that holds copies which run has the originals."""
    pairs: dict[tuple[str, str], list[Told]] = defaultdict(list)
    for copy, first in copies.items():
        pairs[copy.run, first.run].append(copy)
    for (run, other), launches in pairs.items():
        above = os.path.commonpath([run, other])
        names = [one.folder.launch for one in launches]
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield Damage(
            file=Path(run).name,
            line=None,
            message=f"{os.path.relpath(run, above)} holds a copy of {names[0]}{more} of"
            f" {os.path.relpath(other, above)}",
            consequence="it is left out, or its values would count twice; give one of the two",
        )
