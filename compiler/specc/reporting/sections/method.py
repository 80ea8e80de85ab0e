"""Methodology: what was measured and how, in one order for every kind. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from specc.kinds.base import ReportRoom
from specc.kinds.sentences import visible
from specc.model import Json

_COMMON = (
    (
        "Replication",
        "The unit of replication is the repetition (one run of one point), never the single batch "
        "or request: a value is the geometric mean of its repetitions, its interval Student's t on "
        "their logarithms (95 %). With one repetition there is no interval.",
    ),
    (
        "Percentiles",
        "Exact and linear, over the pooled samples of all repetitions of a point. A percentile is "
        "refused where fewer independent samples stand behind it than a 95 % bound needs: "
        "5 for p50, 29 for p90, 59 for p95, 299 for p99, 2,995 for p99.9; dependent samples count "
        "for what they are worth (Geyer 1992). Intervals of percentiles are over repetitions, from "
        "each one's own percentile.",
    ),
    (
        "Steadiness",
        "Each run is searched for a warm-up (MSER-5), a drift and a change of level. It is "
        "NOT_STEADY where one is larger than 5 % and more than chance makes of values that depend "
        "on each other this much (1 %), or where three or more repetitions drift together.",
    ),
    (
        "Comparing points",
        "A point is called the best only if it differs from each other point by more than chance: "
        "t tests on logarithms, paired where a job held a whole repetition, 5 % over all "
        "comparisons (Holm).",
    ),
    (
        "Nodes and order",
        "Where repetitions ran on several nodes, the effect of each is estimated with jobs as its "
        "replicates; the change over the places of a job likewise. Both are flagged at 1 %.",
    ),
    (
        "Outliers",
        "Values more than 5 robust deviations from the median are counted, never dropped.",
    ),
    (
        "What counts",
        "Only rows that the journal of a completed task vouches for by hash. Torn last lines are "
        "cut off and counted; damaged files are located and left out; nothing is estimated in.",
    ),
    ("Missing values", "A dash with its reason. Never 0, and never left out silently."),
    (
        "Verdicts",
        "Every number has one, beside it. VALID says that nothing speaks against it; all others "
        "say what does. A number that is not VALID is shown, never dropped.",
    ),
)
_LOOPS = {
    "closed": "closed: each client waits for its answer before it asks again",
    "open": "open: requests are sent by a clock, whatever comes back",
}


def terms(summary: Mapping[str, Json], room: ReportRoom) -> list[dict[str, str]]:
    """Return (term, text) pairs: the scenario, the plan, the kind's own words, then the rules."""
    found = (*_plan(summary), *room.methodology(), *_COMMON)
    return [{"term": term, "text": text} for term, text in found]


def document(summary: Mapping[str, Json], room: ReportRoom) -> dict[str, Json]:
    """Return `methodology` of report.json: scenario, warm-up, load model, then every term."""
    plan = dict(_plan(summary))
    said = (*room.methodology(), *_COMMON)
    warm = next((text for term, text in said if "warm" in f"{term} {text}".lower()), None)
    return {
        "scenario": plan["Scenario"],
        "warmup": warm,
        "concurrency_model": plan.get("Load"),
        "percentile_method": summary["percentile_method"],
        **{one["term"]: one["text"] for one in terms(summary, room)},
    }


def _plan(summary: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    axes = " x ".join(
        f"{name.replace('_', ' ')} ({len(values)})" for name, values in summary["axes"].items()
    )
    design = summary.get("design") or {}
    repeated = summary.get("replicates") or {}
    points = design.get("points") or len(summary["cells"])
    if repeated:
        points = len({repr(sorted(cell["axes"].items())) for cell in summary["cells"]})
    repetitions = design.get("repetitions") or {}
    times = repetitions.get("n")
    each = "" if times is None or (repeated and times == 1) else f", each measured {_times(times)}"
    each += "".join(
        f", each with {len(values)} values of {name} as repetitions"
        for name, values in repeated.items()
    )
    count = "One point" if points == 1 else f"{points} points"
    yield "Scenario", f"{count}{f' over {visible(axes)}' if axes else ''}{each}."
    if order := _order(repetitions):
        yield "Order and blocks", order
    load = (design.get("analysis") or {}).get("load")
    loop = load["loop"] if load and load.get("loop") else _loop_of(summary)
    if loop is not None:
        yield "Load", f"The loop is {_LOOPS.get(loop, loop)}."


def _order(repetitions: Mapping[str, Json]) -> str:
    if repetitions.get("order") == "random":
        seed = repetitions.get("seed", 0)
        order = f"Points ran in random order, drawn anew for each repetition (seed {seed})"
    elif repetitions.get("order") == "sequential":
        order = "Points ran in the order of the matrix: a drift of the machine is not averaged out"
    else:
        return ""
    if repetitions.get("block") == "job":
        return f"{order}. One job holds a whole repetition of comparable points."
    return f"{order}. Tasks were spread over jobs freely."


def _loop_of(summary: Mapping[str, Json]) -> str | None:
    return next((str(curve["loop"]) for curve in summary.get("load") or ()), None)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
