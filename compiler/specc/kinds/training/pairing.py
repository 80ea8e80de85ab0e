"""Single runs out of cells: their values by metric, their configuration, variant and seed.

Pure. A configuration is a point of the matrix without its seed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from specc.model import Json

SEED, VARIANT = "seed", "variant"
"""Axes with a meaning of their own; a study may lack either."""
ONLY = "all"
"""What runs are called where the study has no variants."""


@dataclass(frozen=True, slots=True)
class Run:
    """One completed run."""

    cell: str
    axes: Mapping[str, Json]
    values: Mapping[str, float | None]
    """By metric."""

    @property
    def variant(self) -> str:
        return str(self.axes.get(VARIANT, ONLY))

    @property
    def configuration(self) -> str:
        """Its point without the seed, as text that tells configurations apart."""
        return json.dumps({k: v for k, v in self.axes.items() if k != SEED}, sort_keys=True)


def runs_of(cells: Iterable[Mapping[str, Json]], metrics: Sequence[str]) -> list[Run]:
    """Return every completed run of some cells, in their order, with the metrics named.

    A run is told by its repetition: a cell has one of each.
    """
    found = []
    for cell in cells:
        values = {name: _by_repetition(cell["metrics"].get(name)) for name in metrics}
        known = sorted({repetition for one in values.values() for repetition in one})
        found += [
            Run(cell["cell"], cell["axes"], {name: values[name].get(at) for name in metrics})
            for at in known
        ]
        # a completed run without any of them is a run all the same
        rest = cell["repetitions"]["completed"] - len(known)
        found += [Run(cell["cell"], cell["axes"], dict.fromkeys(metrics))] * rest
    return found


def _by_repetition(metric: Mapping[str, Json] | None) -> dict[int, float]:
    if metric is None:
        return {}
    return dict(zip(metric["run_repetitions"], metric["run_values"], strict=True))


def by_variant(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """Return runs by variant, in their order."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(run.variant, []).append(run)
    return found
