"""On which scale a metric is compared: as ratios, in percentage points, or as plain differences.

Pure. Inside, effects are worsenings (above 0 is worse) in the unit of the scale; outside, percent
of the baseline or the metric's own unit, with the sign of the change.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
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
    """Mean of the baseline, for percentages of differences; 0 has none."""

    def inside(self, values: Sequence[float]) -> list[float]:
        return [math.log(v) for v in values] if self.kind == "ratio" else list(values)

    def limit(self, percent: float) -> float:
        """Return a worsening that was given in percent (or points), on this scale."""
        if self.kind == "points":
            return percent
        if self.kind == "difference":
            return percent / 100 * abs(self.base)
        if self.sign > 0:
            return math.log1p(percent / 100)
        return -math.log1p(-percent / 100) if percent < 100 else math.inf

    def change_pct(self, worse: float) -> float | None:
        """Return the change [% of the baseline] that is such a worsening; None where none is."""
        change = self.sign * worse
        if self.kind == "ratio":
            return 100 * math.expm1(max(-_LOG_LIMIT, min(change, _LOG_LIMIT)))
        if self.kind == "difference" and self.base:
            return 100 * change / abs(self.base)
        return None

    def change_abs(self, worse: float) -> float | None:
        """Return the change in the metric's unit; None on the scale of ratios."""
        return None if self.kind == "ratio" else self.sign * worse


def scale_of(unit: str, better: str, baseline: Sequence[float], current: Sequence[float]) -> Scale:
    """Return the scale for all run-level values of one metric on both sides."""
    sign = -1 if better == "higher" else 1
    base = math.fsum(baseline) / len(baseline) if baseline else 0.0
    if unit == PERCENT:
        return Scale(kind="points", sign=sign, base=base)
    positive = min([*baseline, *current], default=1.0) > 0
    return Scale(kind="ratio" if positive else "difference", sign=sign, base=base)
