"""Decide which claims about best and worst points the repetitions support.

Pure. A claim over many points is corrected for their number, so that the chance of a wrong one is
at most 5 % however many points there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from specc.analysis.multiplicity import ALPHA, bonferroni_pairs, differ, holm
from specc.model import Json

Cell = Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """The points of one metric from best to worst, and what of that is proven."""

    ordered: tuple[Cell, ...]
    """At least two; lowest first where neither side is better."""
    rivals: tuple[Cell, ...]
    """Points not proven to be worse than the first one; empty: it is the best."""
    apart: bool
    """Whether the first and the last differ by more than chance, though picked from all pairs."""
    repeated: bool
    """False: the first or last has one repetition, so that nothing can be proven."""

    @property
    def best(self) -> Cell | None:
        """The one best point; None when the data can't tell it from another."""
        return None if self.rivals else self.ordered[0]


def rank(summary: Mapping[str, Json], metric: Mapping[str, Json]) -> Ranking | None:
    """Rank the points that have a value of a metric; None with fewer than two.

    The first is the best when it differs from each other one: Holm over these comparisons, 5 %
    (the runner-up alone would do for the error rate: Gutmann and Maymin 1987).
    """
    name = metric["name"]
    cells = with_value(summary, name)
    if len(cells) < 2:
        return None
    sign = -1 if metric["better"] == "higher" else 1
    ordered = sorted(cells, key=lambda cell: sign * cell["metrics"][name]["value"])
    first, *others = ordered
    # asked once: with ten thousand points a look at all of them for each would take minutes
    varies = _varies(cells, name)
    chances = [_chance(summary, first, other, name, varies) for other in others]
    adjusted = holm([1.0 if chance is None else chance for chance in chances])
    last = chances[-1]
    return Ranking(
        ordered=tuple(ordered),
        rivals=tuple(o for o, p in zip(others, adjusted, strict=True) if p > ALPHA),
        apart=last is not None and bonferroni_pairs(last, len(cells)) <= ALPHA,
        repeated=last is not None,
    )


def apart(summary: Mapping[str, Json], first: Cell, second: Cell, metric: str) -> bool:
    """Tell whether two points, picked from all that have a value, differ by more than chance."""
    cells = with_value(summary, metric)
    chance = _chance(summary, first, second, metric, _varies(cells, metric))
    return chance is not None and bonferroni_pairs(chance, max(len(cells), 2)) <= ALPHA


def with_value(summary: Mapping[str, Json], metric: str) -> list[Cell]:
    """Return the cells that have a value of a metric."""
    return [
        c for c in summary["cells"] if (c["metrics"].get(metric) or {}).get("value") is not None
    ]


def _chance(
    summary: Mapping[str, Json], first: Cell, second: Cell, metric: str, varies: bool
) -> float | None:
    values = [cell["metrics"][metric].get("run_values") or () for cell in (first, second)]
    if min(map(len, values)) < 2:
        return None
    paired = _paired(summary, first, second, metric)
    if paired:
        values = [_by_repetition(cell["metrics"][metric]) for cell in (first, second)]
    return differ(values[0], values[1], paired=paired, varies=varies)


def _varies(cells: Sequence[Cell], metric: str) -> bool:
    """Tell whether runs of any one point differ: sizes never do, times that are rounded may."""
    runs = (cell["metrics"][metric].get("run_values") or () for cell in cells)
    return any(len(set(values)) > 1 for values in runs)


def _paired(summary: Mapping[str, Json], first: Cell, second: Cell, metric: str) -> bool:
    """Tell whether repetition i of both points was measured in the same job.

    So it is where a job holds a whole repetition, within one run on one condition.
    """
    planned = (summary.get("design") or {}).get("repetitions") or {}
    same = all(first.get(key) == second.get(key) for key in ("bundle_id", "run_id", "condition_id"))
    done = [set(c["metrics"][metric].get("run_repetitions") or ()) for c in (first, second)]
    return planned.get("block") == "job" and same and bool(done[0]) and done[0] == done[1]


def _by_repetition(value: Mapping[str, Json]) -> Sequence[float]:
    pairs = zip(value["run_repetitions"], value["run_values"], strict=True)
    return [run_value for _, run_value in sorted(pairs)]
