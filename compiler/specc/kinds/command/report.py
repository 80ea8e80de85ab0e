"""Plots and findings of any program: each metric over the first axis that is a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from specc.kinds import rankings, sentences
from specc.kinds.axes import axes_to_draw, is_geometric
from specc.kinds.base import Figure, Finding
from specc.kinds.command.decisions import decisions
from specc.model import Json

__all__ = ["decisions", "figures", "findings", "methodology"]

_MOST_FIGURES = 8


def figures(summary: Mapping[str, Json]) -> tuple[Figure, ...]:
    """Return one plot for each metric over the first numeric axis, lines by the other axes.

    `analysis.report` of the spec may choose the axes and the metrics.
    """
    asked = ((summary.get("design") or {}).get("analysis") or {}).get("report") or {}
    x, colour = axes_to_draw(summary["axes"], x=asked.get("x"), series=asked.get("series"))
    log_x = x is not None and is_geometric(summary["axes"][x])
    names: dict[str, int] = {}
    found = []
    for metric in _metrics(summary, asked.get("metrics")):
        unit, scale = sentences.plot_unit(summary, metric)
        name = sentences.file_name(metric["name"])
        # two metrics may differ only in signs that no file name should have
        names[name] = names.get(name, 0) + 1
        found.append(
            Figure(
                name=name if names[name] == 1 else f"{name}_{names[name]}",
                subject=metric["label"],
                title=rankings.headline(summary, metric) or f"{metric['label']} of every point",
                metrics=((metric["name"], ""),),
                x=x,
                colour=colour,
                log_x=log_x,
                y_title=f"{metric['label']} [{unit}]" if unit else str(metric["label"]),
                scale=scale,
            )
        )
    return tuple(found)


def _metrics(
    summary: Mapping[str, Json], asked: Sequence[str] | None
) -> Sequence[Mapping[str, Json]]:
    """Return the metrics to plot: those asked for, in that order, else the first ones."""
    if not asked:
        return list(summary["metrics"][:_MOST_FIGURES])
    by_name = {metric["name"]: metric for metric in summary["metrics"]}
    return [by_name[name] for name in asked if name in by_name]


def findings(summary: Mapping[str, Json]) -> tuple[Finding, ...]:
    """Return for each metric what its points prove of best and worst."""
    return tuple(
        found
        for metric in summary["metrics"]
        if (found := rankings.best_and_worst(summary, metric)) is not None
    )


def methodology() -> tuple[tuple[str, str], ...]:
    """Return how a program is measured."""
    return (
        (
            "One run",
            "Each repetition starts the program anew, as its own process group, with the point's "
            "values as arguments and environment variables.",
        ),
        (
            "Warm-up",
            "None of ours: a program that needs one does it itself, before what it reports. Runs "
            "that report many values are searched for one, see Steadiness.",
        ),
        (
            "Metrics",
            "Read from what the program printed or wrote, under the names the spec declares. A run "
            "that reports several values of one metric counts with their median.",
        ),
        (
            "Process numbers",
            "Wall time by the runtime's monotonic clock around the process; CPU time and peak "
            "resident memory as the kernel accounts them.",
        ),
    )
