"""What one cell says of one metric, as a side of a comparison. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from specc.comparing.gate import VALUE
from specc.model import Json

NO_DATA = "NO_DATA"
NEVER_ACQUITS = frozenset({"CONTAMINATED", "NOT_STEADY", "CLIENT_LIMITED", NO_DATA})
"""Verdicts on a number that keep its comparison from a PASS, on whichever side."""
NEVER_BLAMES = frozenset({"CONTAMINATED"})
"""Verdicts on the current number that keep its comparison from a FAIL: the neighbour may be to
blame. On the baseline's side they only make it look slow, and a FAIL stays a FAIL."""
TOLD = NEVER_ACQUITS | {"TOO_FEW", "SHARED_NODE"}
"""Verdicts that are told beside a comparison: few samples widen the interval over runs by
themselves, and whoever shares a node was not seen to disturb."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One metric of one cell."""

    values: tuple[float, ...]
    """One for each run that has a value."""
    repetitions: tuple[int, ...] | None
    """Which repetition each value is of; None when that is not known."""
    centre: float | None
    missing: str | None
    """Why a run, or all of them, have no value."""
    verdict: str
    """What the report says of the number: "VALID", or the gravest of what is held against it."""
    causes: tuple[tuple[str, str], ...]
    """(verdict, reason): what is held against the number."""
    due: int = 0
    """Runs that should have a value: all but those left out on purpose."""

    @property
    def lost_share(self) -> float:
        """Which share of the runs due has no value: those that survive may be the fast ones."""
        return max(0.0, 1 - len(self.values) / self.due) if self.due else 0.0

    def held(self, verdicts: frozenset[str]) -> list[str]:
        """Return which of these verdicts the number has, with their reasons."""
        return [f"{name}: {reason}" for name, reason in self.causes if name in verdicts]


def measured(cell: Mapping[str, Json], metric: str, statistic: str = VALUE) -> Measured:
    """Read a metric of a cell; a percentile is that of each run, never of the pooled samples."""
    found = cell["metrics"].get(metric)
    if found is None:
        return _nothing(f"there is no {metric} here")
    causes = tuple(_causes(found))
    chosen = found
    if statistic != VALUE:
        chosen = (found.get("statistics") or {}).get(statistic)
        if chosen is None and not found.get("run_values"):
            return _nothing(found.get("reason") or "no run of it has a value")
        if chosen is None:
            return _nothing(f"its runs have no {statistic}: they have single values")
    values = tuple(chosen.get("run_values") or ())
    repetitions = found.get("run_repetitions")
    known = repetitions is not None and len(repetitions) == len(values)
    return Measured(
        values=values,
        repetitions=tuple(repetitions) if known else None,
        centre=chosen["value"],
        missing=chosen.get("reason"),
        verdict=found["verdict"],
        causes=causes,
        due=cell["repetitions"]["expected"] - cell["repetitions"]["not_run"],
    )


def _causes(found: Mapping[str, Json]) -> list[tuple[str, str]]:
    told = found.get("verdict_causes")
    if told is None:
        told = [{"verdict": found["verdict"], "reason": found["verdict_reason"]}]
    return [(one["verdict"], one["reason"] or "") for one in told if one["verdict"] != "VALID"]


def _nothing(reason: str) -> Measured:
    return Measured(
        values=(), repetitions=None, centre=None, missing=reason, verdict=NO_DATA, causes=()
    )
