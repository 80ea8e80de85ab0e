"""On which scale a metric is compared: as ratios, in percentage points, or as plain differences.

Pure. Inside, effects are worsenings (above 0 is worse) in the unit of the scale; outside, percent
of the baseline or the metric's own unit, with the sign of the change.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

PERCENT = "%"
_LOG_LIMIT = 600.0
"""Beyond this an exponential holds no meaning, only an overflow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How values of one metric become comparable numbers, and effects become words."""

    kind: Literal["ratio", "points", "difference"]
    """"ratio": logarithms. "points": the metric is a percentage itself. "difference": some value is
    not above 0, so there is no ratio."""
    sign: int
    """1 when lower is better, -1 when higher is."""
    base: float
    """Mean magnitude of the baseline, for percentages of differences; 0 has none."""
    signs: bool = False
    """True when the baseline has values above and below 0: no change is a percentage of that."""

    def inside(self, values: Sequence[float]) -> list[float]:
        return [math.log(v) for v in values] if self.kind == "ratio" else list(values)

    def limit(self, percent: float) -> float:
        """Return a worsening that was given in percent (or points), on this scale."""
        if self.kind == "points":
            return percent
        if self.kind == "difference":
            return percent / 100 * self.base
        if self.sign > 0:
            return math.log1p(percent / 100)
        return -math.log1p(-percent / 100) if percent < 100 else math.inf

    def change_pct(self, worse: float) -> float | None:
        """Return the change [% of the baseline] that is such a worsening; None where none is."""
        change = self.sign * worse
        if self.kind == "ratio":
            return 100 * math.expm1(max(-_LOG_LIMIT, min(change, _LOG_LIMIT)))
        if self.kind == "difference" and self.base and not self.signs:
            return 100 * change / self.base
        return None

    def change_abs(self, worse: float) -> float | None:
        """Return the change in the metric's unit; None on the scale of ratios."""
        return None if self.kind == "ratio" else self.sign * worse


def scale_of(unit: str, better: str, baseline: Sequence[float], current: Sequence[float]) -> Scale:
    """Return the scale for all run-level values of one metric on both sides."""
    sign = -1 if better == "higher" else 1
    kind: Literal["ratio", "points", "difference"] = "points"
    if unit != PERCENT:
        kind = "ratio" if min([*baseline, *current], default=1.0) > 0 else "difference"
    return _based(Scale(kind=kind, sign=sign, base=0.0), baseline)


def of_cell(scale: Scale, baseline: Sequence[float]) -> Scale:
    """Return the scale of one cell: percentages of differences are of its own baseline."""
    return _based(scale, baseline) if baseline else scale


def _based(scale: Scale, baseline: Sequence[float]) -> Scale:
    base = math.fsum(map(abs, baseline)) / len(baseline) if baseline else 0.0
    signs = bool(baseline) and min(baseline) < 0 < max(baseline)
    return replace(scale, base=base, signs=signs)
