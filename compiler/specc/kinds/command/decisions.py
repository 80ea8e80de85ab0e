"""What a reader of a program's report decides by: the best point of the first declared metric."""

from __future__ import annotations

from collections.abc import Mapping

from specc.kinds.base import Decision
from specc.kinds.deciding import best_point
from specc.model import Json

_OWN = "process."
"""Metrics that every program has, behind those that its spec declares."""


def decisions(summary: Mapping[str, Json]) -> tuple[Decision, ...]:
    """Return the best point by the first declared metric; by the process's where none is."""
    declared = [m for m in summary["metrics"] if not m["name"].startswith(_OWN)]
    return (best_point(summary, declared or summary["metrics"]),)
