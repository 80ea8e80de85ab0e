"""A run that others are held against while they are collated."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from specc.comparing.compare import compare_sides, not_comparable
from specc.comparing.gate import Gate
from specc.comparing.refusals import NotComparable
from specc.comparing.sides import Side, one_run
from specc.model import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenBaseline:
    """The baseline of `specc collate --baseline`: an `absolute.Baseline`."""

    side: Side
    gate: Callable[[Mapping[str, Json]], Gate | None]
    """Makes the gate for a summary: from a file, or the default one."""
    across: Collection[str]
    run_id: str | None = None
    """The run to hold against it where a study has several; None: the only other one."""

    @property
    def cells(self) -> Sequence[Mapping[str, Json]]:
        cells: Sequence[Mapping[str, Json]] = self.side.summary["cells"]
        return cells

    def against(self, summary: Mapping[str, Json]) -> dict[str, Json]:
        """Return comparison.json; runs that can't be compared are told apart, not refused.

        Raises SideUnclear when the summary holds several runs.
        """
        current = one_run(summary, shown=str(summary["name"]), run_id=self._other_run(summary))
        try:
            return compare_sides(self.side, current, self.gate(current.summary), across=self.across)
        except NotComparable as reason:
            return not_comparable(self.side, current, reason, self.across)

    def _other_run(self, summary: Mapping[str, Json]) -> str | None:
        runs = {cell["run_id"] for cell in summary["cells"] if cell["run_id"]}
        if self.run_id in runs:
            return self.run_id
        mine = {cell["bundle_id"] for cell in summary["cells"]} == {self.side.bundle_id}
        others = runs - {self.side.run_id} if mine else runs
        return next(iter(others)) if len(others) == 1 else None
