"""State the percentiles of a point with intervals over its repetitions.

Pure. One percentile for each run goes in; the pooled percentiles stand in `distribution`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from specc.analysis.intervals import over_runs
from specc.analysis.order_statistics import METHOD
from specc.analysis.percentiles import LEVELS
from specc.collate.records.samples import RunSamples, Sampled
from specc.model import Json


def statistics(metric: str, tasks: Sequence[int], sampled: Sampled) -> dict[str, Json] | None:
    """Return "p50", "p90", … of one metric at one point; None where runs have single values.

    tasks: those of its repetitions that have a value.
    A run too small for a percentile has none, and the others count without it; `reason` says so.
    With one run `within_run` bounds that run's own percentile; it says nothing about the next run.
    """
    runs = {task: one for task in tasks if (one := sampled.run(task, metric)) is not None}
    if not runs:
        return None
    return {f"p{level:g}": _of_level(metric, level, runs, sampled) for level in LEVELS}


def _of_level(
    metric: str, level: float, runs: Mapping[int, RunSamples], sampled: Sampled
) -> dict[str, Json]:
    name = f"p{level:g}"
    values = {
        task: value for task, one in runs.items() if (value := one.percentiles[name]) is not None
    }
    interval = over_runs(list(values.values()))
    reasons = [one.refused[name] for one in runs.values() if name in one.refused]
    reason = f"{len(reasons)} of {len(runs)} runs: {reasons[0]}" if reasons else None
    alone = [sampled.within_run(task, metric, level) for task in values] if len(runs) == 1 else []
    return {
        "value": interval.centre,
        "low": interval.low,
        "high": interval.high,
        "level": interval.level,
        "n": interval.runs,
        "run_values": list(values.values()),
        "reason": reason,
        "interval_method": interval.method,
        "interval_reason": interval.reason,
        "within_run": _bounds(alone),
    }


def _bounds(found: Sequence[tuple[float, float] | None]) -> dict[str, Json] | None:
    for one in found:
        if one is not None:
            return {"low": one[0], "high": one[1], "level": 0.95, "method": METHOD}
    return None
