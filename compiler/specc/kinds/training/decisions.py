"""What a reader of a training study decides by: both hypotheses, resources, the best point."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from specc.kinds.base import Decision
from specc.kinds.deciding import best_point, missing
from specc.kinds.sentences import number
from specc.kinds.training import acceptance
from specc.model import Json

POWER_LAW, EARLY_SLOPE = "h1_power_law", "h2_early_slope"
_LABELS = {POWER_LAW: "H1: losses follow a power law", EARLY_SLOPE: "H2: the early slope foretells"}


def decisions(summary: Mapping[str, Json]) -> tuple[Decision, ...]:
    """Return the best point, the sweep's completeness, both hypotheses, and each variant's use."""
    return (
        best_point(summary, summary["metrics"]),
        _complete(summary),
        power_law(summary),
        early_slope(summary),
        *_resources(summary),
    )


def power_law(summary: Mapping[str, Json]) -> Decision:
    """Return H1: the share of runs that a power law fits, against its goal."""
    found = _hypotheses(summary).get("power_law")
    if not found or found["value"] is None:
        return missing(POWER_LAW, _LABELS[POWER_LAW], "no run was completed")
    held = f"{found['held_out_hits']} of {found['held_out_runs']}"
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
        why=f"Goal: above {_pct(found['goal'])} %; Wilson's interval.{left_out} R² of a smoothed "
        f"curve is nearly 1 by itself: on the held-out last fifth {held} runs reach it.",
        cells=all_cells(summary),
        value=100 * found["value"],
        unit="%",
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
        f"{no_interval}. Pearson: {number(line['value'])}. "
        f"Within variants: {each}.",
        cells=all_cells(summary),
        value=rank["value"],
        unit=None,
    )


def _complete(summary: Mapping[str, Json]) -> Decision:
    done = summary["completeness"]
    whole = done["completed"] == done["expected"]
    rest = ", ".join(
        f"{done[state]} {state.replace('_', ' ')}"
        for state in ("failed", "missing", "invalid", "not_run")
        if done[state]
    )
    without = {
        name: sum(
            cell["repetitions"]["completed"] - cell["metrics"][name]["n"]
            for cell in summary["cells"]
            if name in cell["metrics"]
        )
        for name in ("r_squared", "alpha_early", "alpha_full")
    }
    gaps = ", ".join(f"{name} {count}" for name, count in without.items() if count)
    return Decision(
        key="sweep_complete",
        label="The sweep is complete",
        text=f"{done['completed']} of {done['expected']} runs",
        interval=None,
        verdict="MET" if whole else "NOT_MET",
        why=f"{rest or 'No run is missing'}. Completed runs without a value: {gaps or 'none'}.",
        cells=(),
        value=done["completed"],
        unit=None,
    )


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
        "more than 80 %, all tasks on one GPU within its memory; see the findings.",
        cells=(),
    )


def _hypotheses(summary: Mapping[str, Json]) -> Mapping[str, Json]:
    return (summary.get("across") or {}).get("hypotheses") or {}


def all_cells(summary: Mapping[str, Json]) -> tuple[str, ...]:
    """Return the cells with a completed run."""
    return tuple(c["cell"] for c in summary["cells"] if c["repetitions"]["completed"])


def _pct(share: float) -> str:
    return number(100 * share)
