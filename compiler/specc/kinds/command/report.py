"""Plots and findings of any program: each metric over the first axis that is a number."""

from __future__ import annotations

from collections.abc import Mapping

from specc.kinds import sentences
from specc.kinds.base import Figure, Finding
from specc.kinds.command.decisions import decisions
from specc.model import Json

__all__ = ["decisions", "figures", "findings", "methodology"]

_MOST_FIGURES = 8


def figures(summary: Mapping[str, Json]) -> tuple[Figure, ...]:
    """Return one plot for each metric over the first numeric axis, lines by the other axes."""
    x, colour = sentences.axes_to_draw(summary["axes"])
    log_x = x is not None and sentences.is_geometric(summary["axes"][x])
    return tuple(
        Figure(
            name=sentences.file_name(metric["name"]),
            subject=metric["label"],
            title=sentences.headline(summary, metric) or f"{metric['label']} of every point",
            metrics=((metric["name"], ""),),
            x=x,
            colour=colour,
            log_x=log_x,
            y_title=f"{metric['label']} [{unit}]" if unit else str(metric["label"]),
            scale=scale,
        )
        for metric in summary["metrics"][:_MOST_FIGURES]
        for unit, scale in (sentences.plot_unit(summary, metric),)
    )


def findings(summary: Mapping[str, Json]) -> tuple[Finding, ...]:
    """Return for each metric what its points prove of best and worst."""
    return tuple(
        found
        for metric in summary["metrics"]
        if (found := sentences.best_and_worst(summary, metric)) is not None
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
