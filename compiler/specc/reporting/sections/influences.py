"""What else than the point moved the numbers: the node, and the place in the job. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from specc.model import Json


def warnings(summary: Mapping[str, Json]) -> list[str]:
    """Return proven effects of nodes and of the order, and why nodes can't be told from points."""
    labels = {metric["name"]: str(metric["label"]) for metric in summary["metrics"]}
    nodes, orders = summary.get("nodes") or [], summary.get("order_effects") or []
    told: dict[str, list[str]] = {}
    for one in (*nodes, *orders):
        if one["significant"] and one["text"]:
            told.setdefault(labels.get(one["metric"], one["metric"]), []).append(one["text"])
    found = [
        f"{label} depends on more than the point: {'; '.join(e)}." for label, e in told.items()
    ]
    reasons = dict.fromkeys(one["reason"] for one in nodes if one["reason"])
    return found + [f"The effect of the node is not known: {reason}." for reason in reasons]
