"""report.json: the report as data, for programs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from specc.kinds.base import Decision, ReportRoom
from specc.kinds.sentences import point
from specc.model import Json
from specc.reporting import one_page
from specc.reporting.sections import again, method


def document(
    summary: Mapping[str, Json],
    room: ReportRoom,
    page: Mapping[str, Any],
    decisions: Sequence[Decision],
) -> dict[str, Json]:
    """Return what the pages say under stable names; what does not apply is null."""
    verdicts = [cell["verdict"] for cell in summary["cells"]]
    counts = {
        "completeness": {k: v for k, v in summary["completeness"].items() if k != "tasks"},
        "verdicts": {name: verdicts.count(name) for name in summary["verdicts"]},
        "top_findings": [f["text"] for f in page["findings"][:5]],
    }
    return {
        "schema_version": summary["schema_version"],
        "name": page["name"],
        "kind": page["kind"],
        "purpose": page["purpose"],
        "one_page": {**one_page.document(summary, decisions, page["issues"]), **counts},
        "methodology": method.document(summary, room),
        "design_rationale": page["rationale"],
        "metrics": page["metrics"],
        "saturation": _saturation(summary),
        "bottleneck": [
            {key: one[key] for key in ("title", "answer", "evidence", "next_actions", "confidence")}
            for one in page["bottleneck"]
        ],
        "findings": page["findings"],
        "points": [
            {"cell": c["cell"], "point": point(c["axes"]), "verdict": c["verdict"]}
            for c in summary["cells"]
        ],
        "verdict_groups": one_page.verdict_groups(summary),
        "failures": summary["failures"],
        "interruptions": summary["interruptions"],
        "fixtures": summary.get("fixtures") or [],
        "incidents": summary.get("incidents") or [],
        "damage": summary["damage"],
        "gates": summary.get("gates") or [],
        "series": summary.get("series") or [],
        "reproducibility": again.document(summary),
        "spent": summary.get("spent"),
        "right_sizing": summary["right_sizing"],
        "pilot": summary.get("pilot"),
        "comparison": summary.get("comparison"),
        "plots": [f["png"] for f in page["figures"]],
    }


def _saturation(summary: Mapping[str, Json]) -> list[Json]:
    """Return one entry for each load curve; an empty list without a declared load."""
    return [
        {
            "curve": curve["curve"],
            "axes": curve["axes"],
            "knee_concurrency": curve["knee"]["value"],
            "knee": curve["knee"],
            "method": curve["knee"]["model"],
            "points": curve["points"],
            "slo": curve["slo"],
            "recommended_range": curve.get("recommended"),
            "peak_throughput": curve.get("peak_throughput"),
            "tail_at_peak": curve.get("tail_at_peak"),
        }
        for curve in summary.get("load") or []
    ]
