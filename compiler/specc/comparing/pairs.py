"""Find which cell of one run belongs to which of another: by the work they did.

Pure. Equal task ids mean equal work, in whatever bundle.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from specc.model import Json

Cell = Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The same point, measured twice."""

    baseline: Cell
    current: Cell
    same_work: bool
    """False: matched by axes only, since the specs differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """All cells of two runs, paired where possible."""

    pairs: tuple[Pair, ...]
    only_baseline: tuple[Cell, ...]
    """Cells without a partner that were measured, or should have been."""
    only_current: tuple[Cell, ...]


def pair(baseline: Sequence[Cell], current: Sequence[Cell], *, by_axes: bool) -> Pairing:
    """Pair cells by task ids; by_axes: those left over by equal axes.

    A cell that was left out of the run on purpose (not_run) needs no partner.
    """
    by_task: dict[str, list[Cell]] = {}
    for cell in current:
        for task in cell["tasks"]:
            by_task.setdefault(task, []).append(cell)
    free = {cell["cell"] for cell in current}
    pairs: list[Pair] = []
    left: list[Cell] = []
    for cell in baseline:
        found = [one for task in cell["tasks"] for one in by_task.get(task, ())]
        partner = _best(cell, [one for one in found if one["cell"] in free])
        if partner is None:
            left.append(cell)
            continue
        free.discard(partner["cell"])
        pairs.append(Pair(baseline=cell, current=partner, same_work=True))
    rest = [cell for cell in current if cell["cell"] in free]
    if by_axes:
        more, left, rest = _by_axes(left, rest)
        pairs += more
    return Pairing(
        pairs=tuple(pairs),
        only_baseline=tuple(cell for cell in left if not _left_out(cell)),
        only_current=tuple(cell for cell in rest if not _left_out(cell)),
    )


def _best(cell: Cell, found: Sequence[Cell]) -> Cell | None:
    """Prefer the cell of the same condition: a run may hold one point on several."""
    same = [one for one in found if one["condition_id"] == cell["condition_id"]]
    return next(iter(same or found), None)


def _by_axes(
    left: Sequence[Cell], rest: Sequence[Cell]
) -> tuple[list[Pair], list[Cell], list[Cell]]:
    waiting = {_point(cell): cell for cell in reversed(rest)}
    pairs, alone = [], []
    for cell in left:
        partner = waiting.pop(_point(cell), None)
        if partner is None:
            alone.append(cell)
        else:
            pairs.append(Pair(baseline=cell, current=partner, same_work=False))
    taken = {one.current["cell"] for one in pairs}
    return pairs, alone, [cell for cell in rest if cell["cell"] not in taken]


def _point(cell: Cell) -> str:
    return json.dumps(cell["axes"], sort_keys=True)


def _left_out(cell: Cell) -> bool:
    counts = cell["repetitions"]
    return bool(counts["not_run"] == counts["expected"])
