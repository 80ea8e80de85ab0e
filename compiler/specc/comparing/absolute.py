"""Judge the limits that a spec declares: analysis.gates and analysis.slo, for every cell. Pure.

A limit is met when the whole interval over the runs keeps it, and broken when none of it does.
What breaks is decided at one error rate for all cells of all limits (Bonferroni); what keeps it
needs every cell, so that needs no correction.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from specc.analysis.comparing.two_samples import TooFewRuns, difference
from specc.analysis.intervals import LEVEL, over_runs
from specc.analysis.student import t_quantile
from specc.comparing import say
from specc.comparing.gate import VALUE, Gated
from specc.comparing.measured import NEVER_ACQUITS, NEVER_BLAMES, Measured, measured
from specc.comparing.pairs import pair
from specc.model import Json

Cell = Mapping[str, Json]
OPERATORS = ("le", "lt", "ge", "gt")
ROLES = (("gates", "gate"), ("slo", "slo"))


class Baseline(Protocol):
    """What a study is held against: `comparing.baseline`."""

    @property
    def cells(self) -> Sequence[Cell]:
        """Return its cells, as in a summary."""

    def against(self, summary: Mapping[str, Json]) -> dict[str, Json]:
        """Return comparison.json of a study's run against this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bounds:
    """A number with its interval, and the wider one that a FAIL needs."""

    value: float | None
    low: float | None = None
    high: float | None = None
    surely_low: float | None = None
    surely_high: float | None = None
    reason: str | None = None
    may_pass: bool = True
    may_fail: bool = True


def declared(
    summary: Mapping[str, Json], analysis: Mapping[str, Json], baseline: Baseline | None
) -> dict[str, Json]:
    """Return `gates` and `comparison` of the summary. analysis: the spec's block of that name.

    baseline: None when no baseline was named; limits relative to one are then INCONCLUSIVE.
    """
    limits = [(role, one) for key, role in ROLES for one in analysis.get(key) or ()]
    units = {metric["name"]: metric["unit"] for metric in summary["metrics"]}
    chosen = [_cells(summary, analysis, one) for _, one in limits]
    family = max(1, sum(map(len, chosen)))
    old = None if baseline is None else baseline.cells
    gates = []
    for (role, one), cells in zip(limits, chosen, strict=True):
        references = [_reference(summary, analysis, cell) for cell in cells]
        partners = _partners(one, cells, references, old)
        bounds = [_bounds(one, cell, partners.get(cell["cell"]), family) for cell in cells]
        gates.append(_gate(role, one, units.get(one["metric"]), zip(cells, bounds, strict=True)))
    found = {**summary, "gates": gates}
    return {"gates": gates, "comparison": None if baseline is None else baseline.against(found)}


def gates_verdict(gates: Sequence[Mapping[str, Json]]) -> str | None:
    """Return the verdict of all gates together; None without any. Objectives are only told."""
    verdicts = [gate["verdict"] for gate in gates if gate["role"] == "gate"]
    return next((v for v in ("FAIL", "INCONCLUSIVE", "PASS") if v in verdicts), None)


def _cells(
    summary: Mapping[str, Json], analysis: Mapping[str, Json], limit: Mapping[str, Json]
) -> list[Cell]:
    """Return the cells that a limit looks at: those that were to be run, less the reference."""
    gated = Gated(metric=limit["metric"], where=limit.get("where"))
    taken = [
        cell
        for cell in summary["cells"]
        if gated.takes(cell["axes"])
        and cell["repetitions"]["not_run"] < cell["repetitions"]["expected"]
    ]
    if limit.get("relative_to") == "reference":
        taken = [cell for cell in taken if cell is not _reference(summary, analysis, cell)]
    return taken


def _reference(
    summary: Mapping[str, Json], analysis: Mapping[str, Json], cell: Cell
) -> Cell | None:
    """Return the reference cell of the same run and bundle; the first one unless it is named."""
    wanted = analysis.get("reference") or {}
    mine = (cell["run_id"], cell["bundle_id"])
    cells: Sequence[Cell] = summary["cells"]
    for one in cells:
        axes = one["axes"]
        named = all(axis in axes and axes[axis] == value for axis, value in wanted.items())
        if named and (one["run_id"], one["bundle_id"]) == mine:
            return one
    return None


def _partners(
    limit: Mapping[str, Json],
    cells: Sequence[Cell],
    references: Sequence[Cell | None],
    baseline: Sequence[Cell] | None,
) -> dict[str, Cell | str]:
    """Return what each cell is divided by, or in words why there is nothing; empty: by nothing."""
    if limit.get("relative_to") == "reference":
        lost = "the study has no reference cell"
        return {c["cell"]: r or lost for c, r in zip(cells, references, strict=True)}
    if limit.get("relative_to") is None:
        return {}
    if baseline is None:
        return {cell["cell"]: "no baseline was given (--baseline)" for cell in cells}
    pairs = pair(baseline, cells, by_axes=True).pairs
    found: dict[str, Cell | str] = {c["cell"]: "the baseline lacks this point" for c in cells}
    return found | {one.current["cell"]: one.baseline for one in pairs}


def _bounds(
    limit: Mapping[str, Json], cell: Cell, partner: Cell | str | None, family: int
) -> _Bounds:
    """Return the number that a limit looks at, of one cell, with its bounds."""
    statistic = _statistic(limit.get("statistic"))
    if statistic is None:
        return _Bounds(value=None, reason=f"runs have no {limit['statistic']} of their own")
    if isinstance(partner, str):
        return _Bounds(value=None, reason=partner)
    own = measured(cell, limit["metric"], statistic)
    if partner is None:
        return _alone(own, family)
    return _ratio(measured(partner, limit["metric"], statistic), own, family)


def _statistic(told: str | None) -> str | None:
    """Return the run-level number that a spec's word names; None for what runs don't have."""
    if told in (None, "mean"):
        return VALUE
    if told == "median":
        return "p50"
    return told if told is not None and told.startswith("p") else None


def _alone(own: Measured, family: int) -> _Bounds:
    wide = 1 - (1 - LEVEL) / family
    near, far = over_runs(own.values), over_runs(own.values, level=wide)
    bounds = _Bounds(
        value=own.centre,
        low=near.low,
        high=near.high,
        surely_low=far.low,
        surely_high=far.high,
        reason=own.missing if own.centre is None else near.reason,
    )
    return _doubted(bounds, own, own)


def _ratio(other: Measured, own: Measured, family: int) -> _Bounds:
    values = (*other.values, *own.values)
    if not other.values or not own.values:
        return _Bounds(value=None, reason=own.missing or other.missing or "no value")
    if min(values) <= 0:
        return _Bounds(value=None, reason="a value is not above 0, so there is no ratio")
    centre = None if not other.centre or own.centre is None else own.centre / other.centre
    try:
        effect = difference([math.log(v) for v in other.values], [math.log(v) for v in own.values])
    except TooFewRuns:
        reason = "one run on a side: an interval needs at least two repetitions of each"
        return _Bounds(value=centre, reason=reason)
    near, far = (
        t_quantile(1 - (1 - LEVEL) / 2 / share, effect.freedom) * effect.error
        for share in (1, family)
    )
    bounds = _Bounds(
        value=math.exp(effect.centre),
        low=math.exp(effect.centre - near),
        high=math.exp(effect.centre + near),
        surely_low=math.exp(effect.centre - far),
        surely_high=math.exp(effect.centre + far),
    )
    return _doubted(bounds, other, own)


def _doubted(bounds: _Bounds, other: Measured, own: Measured) -> _Bounds:
    held = own.held(NEVER_ACQUITS) or other.held(NEVER_ACQUITS)
    if len(own.values) == 2 and len(set(own.values)) == 1:
        # no spread is known from two runs that agree
        held.append("two equal runs, which agree by chance too easily")
        bounds = replace(bounds, may_fail=False)
    if own.values and own.lost_share > 0:
        held.append(f"{own.due - len(own.values)} of {own.due} runs have no value")
    if not held:
        return bounds
    return replace(
        bounds,
        may_pass=False,
        may_fail=bounds.may_fail and not own.held(NEVER_BLAMES),
        reason=bounds.reason or held[0],
    )


def _gate(
    role: str,
    limit: Mapping[str, Json],
    unit: str | None,
    bounds: Iterable[tuple[Cell, _Bounds]],
) -> dict[str, Json]:
    op = next(name for name in OPERATORS if name in limit)
    cells = [
        {
            "cell": cell["cell"],
            "axes": cell["axes"],
            "value": one.value,
            "low": one.low,
            "high": one.high,
            "verdict": _verdict(op, limit[op], one),
            "reason": one.reason,
        }
        for cell, one in bounds
    ]
    verdicts = {cell["verdict"] for cell in cells}
    verdict = next((v for v in ("FAIL", "INCONCLUSIVE", "PASS") if v in verdicts), "INCONCLUSIVE")
    gate: dict[str, Json] = {
        "role": role,
        "metric": limit["metric"],
        "statistic": limit.get("statistic"),
        "where": limit.get("where"),
        "op": op,
        "limit": limit[op],
        "relative_to": limit.get("relative_to"),
        "unit": unit or "",
        "cells": cells,
        "verdict": verdict,
        "reason": None if unit is not None else f"there is no metric {limit['metric']}",
    }
    return {**gate, "text": say.judged_limit(gate)}


def _verdict(op: str, limit: float, one: _Bounds) -> str:
    if one.low is None or one.high is None or one.surely_low is None or one.surely_high is None:
        return "INCONCLUSIVE"
    keeps = _KEEPS[op]
    # at most: the upper end must keep it; at least: the lower one
    worst, surely_best = one.high, one.surely_low
    if op in ("ge", "gt"):
        worst, surely_best = one.low, one.surely_high
    if not keeps(surely_best, limit):
        return "FAIL" if one.may_fail else "INCONCLUSIVE"
    return "PASS" if keeps(worst, limit) and one.may_pass else "INCONCLUSIVE"


_KEEPS = {"le": operator.le, "lt": operator.lt, "ge": operator.ge, "gt": operator.gt}
