"""What a reader of a training study decides by: both hypotheses, resources, the best point."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from specc.kinds.base import Decision
from specc.kinds.deciding import best_point, missing
from specc.kinds.sentences import number
from specc.kinds.training import acceptance, hypotheses
from specc.model import Json

POWER_LAW, EARLY_SLOPE = "h1_power_law", "h2_early_slope"
_LABELS = {POWER_LAW: "H1: losses follow a power law", EARLY_SLOPE: "H2: the early slope foretells"}


def decisions(summary: Mapping[str, Json]) -> tuple[Decision, ...]:
    """Return the best point, what is complete, its cost, both hypotheses, use of each variant."""
    return (
        best_point(summary, summary["metrics"], label="Best configuration"),
        _complete(summary),
        _cost(summary),
        power_law(summary),
        early_slope(summary),
        *_resources(summary),
    )


def power_law(summary: Mapping[str, Json]) -> Decision:
    """Return H1: the share of runs that a power law fits, against its goal."""
    found = _hypotheses(summary).get("power_law")
    if not found or found["value"] is None:
        return missing(POWER_LAW, _LABELS[POWER_LAW], "no run was completed")
    raw = f"{found['raw_hits']} of {found['raw_runs']}"
    held = f"{found['held_out_hits']} of {found['held_out_runs']}"
    smoothing = "means over log-spaced bins"
    if found["bins"]:
        smoothing = f"means over {_range(found['bins'])} bins"
        smoothing += f", worth {_range(found['effective_n'])} independent points"
    left_out = f" {found['without_fit']} without a fit count against it." * bool(
        found["without_fit"]
    )
    return Decision(
        key=POWER_LAW,
        label=_LABELS[POWER_LAW],
        text=f"{number(100 * found['value'])} % of runs ({found['hits']} of {found['trials']}) have"
        f" R² of {found['threshold']} or more",
        interval=f"{_pct(found['low'])} to {_pct(found['high'])} %, n = {found['trials']}",
        verdict=found["verdict"],
        why=f"Goal: above {_pct(found['goal'])} %; Wilson's interval{_over(found)}.{left_out}"
        f"{_unseen(summary, found)} R² of a smoothed "
        f"curve ({smoothing}) is nearly 1 by itself: unsmoothed {raw} runs reach it, on the "
        f"held-out last fifth {held}, which the law foretells better than its mean in "
        f"{found['foretold']}.",
        cells=all_cells(summary),
        value=100 * found["value"],
        unit="%",
    )


def _over(found: Mapping[str, Json]) -> str:
    over = found.get("clustered")
    if not over or over["low"] is None:
        return ", of these configurations"
    return (
        f", which takes runs for independent; over {found['clusters']} configurations, whose seeds "
        f"resemble, {_pct(over['low'])} to {_pct(over['high'])} %"
    )


def _unseen(summary: Mapping[str, Json], found: Mapping[str, Json]) -> str:
    """Return what runs without a result would make of the share, and which of them diverged."""
    count = found.get("without_result")
    if not count:
        return ""
    diverged = sum(one["category"] == "diverged" for one in summary["failures"])
    which = f", {diverged} of them diverged" * bool(diverged)
    return (
        f" Runs without a result: {count}{which}; with each a miss it would be "
        f"{_pct(found['worst'])} %, and the verdict is UNDECIDED where they could turn it."
    )


def early_slope(summary: Mapping[str, Json]) -> Decision:
    """Return H2: the correlation of early slope and best validation loss, against its goal."""
    found = _hypotheses(summary).get("early_slope")
    if not found:
        return missing(EARLY_SLOPE, _LABELS[EARLY_SLOPE], "no run was completed")
    rank, line = found["spearman"], found["pearson"]
    if rank["value"] is None:
        return missing(EARLY_SLOPE, _LABELS[EARLY_SLOPE], str(rank["reason"]))
    clusters = f"{rank['clusters']} configurations"
    spread = None if rank["low"] is None else f"{number(rank['low'])} to {number(rank['high'])}"
    no_interval = "" if spread else f" ({rank['reason']})"
    each = ", ".join(
        f"{name} {number(one['spearman']['value'])}" for name, one in found["by_variant"].items()
    )
    return Decision(
        key=EARLY_SLOPE,
        label=_LABELS[EARLY_SLOPE],
        text=f"rho(alpha_early, best_val_ce) = {number(rank['value'])} (Spearman)",
        interval=None if spread is None else f"{spread}, n = {rank['n']} runs of {clusters}",
        verdict=found["verdict"],
        why=f"Goal: at least {found['goal']}; interval clustered by configuration"
        f"{no_interval}, of these variants. alpha_early is below 0 where the loss falls: rho above "
        f"0 says that a steeper early fall ends lower. Pearson: {number(line['value'])}. "
        f"Within variants: {each}.{_left_out(summary, rank)}",
        cells=all_cells(summary),
        value=rank["value"],
        unit=None,
    )


def _left_out(summary: Mapping[str, Json], rank: Mapping[str, Json]) -> str:
    """Return how many runs the correlation does not know: only survivors have both numbers."""
    done = summary["completeness"]
    count = int(done["expected"]) - int(done["not_run"]) - int(rank["n"])
    return f" Left out because they diverged, failed or lack a value: {count}." * (count > 0)


def _complete(summary: Mapping[str, Json]) -> Decision:
    done = summary["completeness"]
    rest = ", ".join(
        f"{done[state]} {state.replace('_', ' ')}"
        for state in ("failed", "missing", "invalid", "not_run")
        if done[state]
    )
    full = sum(map(_with_fits, summary["cells"]))
    return Decision(
        key="sweep_complete",
        label="The sweep is complete",
        text=f"{done['completed']} of {done['expected']} runs, {full} with R² and both slopes",
        interval=None,
        verdict="MET" if done["completed"] == full == done["expected"] else "NOT_MET",
        why=f"{rest or 'No run failed, is missing or invalid'}.",
        cells=(),
        value=done["completed"],
        unit=None,
    )


def _with_fits(cell: Mapping[str, Json]) -> int:
    """Return how many completed runs of a point have R² and both slopes."""
    found = [
        set(cell["metrics"].get(name, {}).get("run_repetitions") or ())
        for name in hypotheses.NEEDED
    ]
    return len(set.intersection(*found))


def _cost(summary: Mapping[str, Json]) -> Decision:
    """Return how long the sweep took, how much of it failed, and the hours it held."""
    key, label = "sweep_cost", "What the sweep took"
    spent = summary.get("spent")
    if not spent or not spent["attempts"]:
        return missing(key, label, "no run has ended")
    elapsed = (summary.get("across") or {}).get("elapsed_s")
    took = [] if elapsed is None else [f"{_hours(elapsed / 3600)} from start to end"]
    took.append(f"{_hours(spent['job_hours'])} of jobs")
    gpus = f"{number(spent['gpu_hours'])} GPU-hours" if spent["gpu_hours"] else "no GPU"
    failed = f"{spent['failed_attempts']} of {spent['attempts']} attempts failed"
    return Decision(
        key=key,
        label=label,
        text=f"{', '.join(took)}; {gpus}; {failed} ({number(spent['failed_attempts_pct'])} %)",
        interval=None,
        verdict=None,
        why="From the first start to the last end of completed runs, pauses included; hours of "
        "jobs are what was held, used or not; attempts of reruns count each.",
        cells=(),
        value=None if elapsed is None else elapsed / 3600,
        unit="h",
    )


def _hours(hours: float) -> str:
    if hours >= 2:
        return f"{number(hours)} h"
    return f"{number(60 * hours)} min" if hours >= 2 / 60 else f"{number(3600 * hours)} s"


def _range(ends: Sequence[float]) -> str:
    low, high = (f"{end:.0f}" for end in ends)
    return low if low == high else f"{low} to {high}"


def _resources(summary: Mapping[str, Json]) -> Iterator[Decision]:
    """Yield one decision: all variants, with what any of them lacks."""
    found = acceptance.by_variant(summary)
    if not found:
        return
    counts = Counter(one.verdict for one in found)
    verdict = next(v for v in ("NOT_MET", acceptance.UNKNOWN, "MET") if counts[v])
    yield Decision(
        key="resources",
        label="Resources of each variant",
        text="; ".join(f"{one.variant} {one.verdict}" for one in found),
        interval=None,
        verdict=verdict,
        why="No run out of memory, each under 30 minutes, and of tasks with a GPU: GPUs busy for "
        "more than 80 %, all tasks on one GPU within its memory; the figures stand with the "
        "findings.",
        cells=(),
    )


def _hypotheses(summary: Mapping[str, Json]) -> Mapping[str, Json]:
    return (summary.get("across") or {}).get("hypotheses") or {}


def all_cells(summary: Mapping[str, Json]) -> tuple[str, ...]:
    """Return the cells with a completed run."""
    return tuple(c["cell"] for c in summary["cells"] if c["repetitions"]["completed"])


def _pct(share: float) -> str:
    return number(100 * share)
