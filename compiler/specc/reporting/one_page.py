"""The first page: the numbers to decide by, what was not asked, and what speaks against them.

Pure. Every number stands in the summary as well; nothing here is computed but words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from specc.kinds.base import Decision, ReportRoom
from specc.kinds.deciding import BEST_POINT, missing
from specc.model import Json
from specc.reporting.sections import load_answers
from specc.reporting.sections.operating import operating

_KEYS = (
    BEST_POINT,
    "slo",
    "max_sustainable_concurrency",
    "knee",
    "peak_throughput",
    "tail_latency_at_peak",
    "resource_efficiency",
    "energy_efficiency",
    "gates",
    "comparison",
)
"""Keys that report.json has always, in the order of the page; a kind's own stand after the best."""
_GOOD = ("VALID", "MET", "FOUND", "PASS", "NO_CHANGE", "FASTER", "BETTER")
_MOST_ISSUES = 8
_MOST_TOLD = 3


def decisions(summary: Mapping[str, Json], room: ReportRoom) -> tuple[Decision, ...]:
    """Return every decision of the first page, those without an answer included."""
    own = {one.key: one for one in room.decisions(summary)}
    judged = _gates(summary)
    given = {one.key for one in judged}
    common = [
        *(one for one in load_answers.decisions(summary) if one.key not in given),
        *_efficiency(summary),
        *judged,
        *_comparison(summary),
    ]
    taken = [own.pop(key) for key in (BEST_POINT,) if key in own]
    taken = operating(summary) or taken
    keys = {one.key for one in common}
    extra = [one for one in own.values() if one.key not in _KEYS and one.key not in keys]
    common.sort(key=lambda one: _KEYS.index(one.key))
    chosen = [own.get(one.key, one) for one in common]
    return (*taken, *extra, *chosen)


def shown(found: Sequence[Decision]) -> list[dict[str, Json]]:
    """Return the decisions that have an answer, as a page prints them."""
    keys = ("key", "label", "text", "interval", "verdict", "why")
    return [
        {
            **{key: getattr(one, key) for key in keys},
            "cells": list(one.cells),
            "kind": _shade(one),
        }
        for one in found
        if one.text is not None
    ]


def _shade(one: Decision) -> str:
    if one.verdict is None:
        return ""
    return "good" if one.verdict in _GOOD and not one.doubted else "warn"


def not_asked(found: Sequence[Decision]) -> list[dict[str, str]]:
    """Return what the page has no answer to, by reason."""
    labels: dict[str, list[str]] = {}
    for one in found:
        if one.text is None:
            labels.setdefault(one.why, []).append(one.label)
    return [{"label": ", ".join(names), "reason": why} for why, names in labels.items()]


def document(
    summary: Mapping[str, Json], found: Sequence[Decision], issues: Sequence[Mapping[str, Json]]
) -> dict[str, Json]:
    """Return `one_page` of report.json: each decision by its key, null with a reason."""
    by_key: dict[str, Any] = {"purpose": summary["purpose"]}
    for one in found:
        by_key.setdefault(one.key, []).append(_as_data(one))
    page = {
        key: many[0] if isinstance(many, list) and len(many) == 1 else many
        for key, many in by_key.items()
    }
    return {**page, "top_issues": [dict(one) for one in issues]}


def _as_data(one: Decision) -> dict[str, Json]:
    if one.text is None:
        return {"text": None, "reason": one.why}
    kept = {name: value for name, value in asdict(one).items() if name not in ("key", "label")}
    return {**kept, "cells": list(one.cells)}


def issues(summary: Mapping[str, Json], warnings: Sequence[str]) -> list[dict[str, Json]]:
    """Return what a reader must know before believing a number, worst first, at most eight.

    Each with `text`, `kind` (failure, verdict, trust) and the cells it concerns.
    """
    found = [*_failures(summary), *_doubts(summary)]
    found += [_issue(text, "trust") for text in warnings]
    if len(found) > _MOST_ISSUES:
        rest = len(found) - _MOST_ISSUES + 1
        found = [*found[: _MOST_ISSUES - 1], _issue(f"{rest} more; see the sections.", "trust")]
    return found


def _issue(text: str, kind: str, cells: Sequence[str] = ()) -> dict[str, Json]:
    return {"text": text, "kind": kind, "cells": list(cells)}


def _failures(summary: Mapping[str, Json]) -> list[dict[str, Json]]:
    found = []
    counts = Counter(one["category"] for one in summary["failures"])
    if counts:
        causes = ", ".join(f"{category} ({count})" for category, count in counts.most_common(4))
        found.append(_issue(f"{_tasks(sum(counts.values()))} failed: {causes}.", "failure"))
    done = summary["completeness"]
    for state, words in (("missing", "without a result"), ("invalid", "with damaged rows")):
        if done.get(state):
            found.append(_issue(f"{_tasks(done[state])} {words}.", "failure"))
    return found


def _doubts(summary: Mapping[str, Json]) -> list[dict[str, Json]]:
    """Return one issue for each cause of a verdict that is not VALID."""
    return [
        _issue(
            f"{one['verdict']} at {_points(one['count'])}: {one['cause']}.", "verdict", one["cells"]
        )
        for one in verdict_groups(summary)
        if one["verdict"] not in ("VALID", "NO_DATA")
    ]


def verdict_groups(summary: Mapping[str, Json]) -> list[dict[str, Json]]:
    """Return the verdicts that are not VALID by cause, most points first."""
    groups = summary.get("verdict_groups")
    if groups is None:
        cells: dict[tuple[str, str], list[str]] = {}
        for cell in summary["cells"]:
            if cell["verdict"] != "VALID":
                key = (cell["verdict"], cell["verdict_reason"] or "no reason is known")
                cells.setdefault(key, []).append(cell["cell"])
        groups = [
            {"verdict": verdict, "cause": cause, "cells": members, "count": len(members)}
            for (verdict, cause), members in cells.items()
        ]
    return sorted(groups, key=lambda one: -one["count"])


def _tasks(count: int) -> str:
    return "1 task" if count == 1 else f"{count} tasks"


def _points(count: int) -> str:
    return "1 point" if count == 1 else f"{count} points"


def _efficiency(summary: Mapping[str, Json]) -> list[Decision]:
    """Return work by GPU or core and by joule, as the analysis has them."""
    found = summary.get("efficiency") or {}
    return [
        _given(
            "resource_efficiency",
            "Work per GPU or core",
            _judged(summary, found.get("resource")),
            "no metric of work per time is declared",
        ),
        _given(
            "energy_efficiency",
            "Work per joule of equal scope",
            _judged(summary, found.get("energy")),
            "no energy was measured beside a metric of work",
        ),
    ]


def _judged(
    summary: Mapping[str, Json], one: Mapping[str, Json] | None
) -> Mapping[str, Json] | None:
    """Return a number with the verdict of the point it was computed from."""
    if not one or one.get("verdict") or not one.get("cells"):
        return one
    verdicts = {cell["cell"]: cell["verdict"] for cell in summary["cells"]}
    return {**one, "verdict": verdicts.get(one["cells"][0])}


def _given(key: str, label: str, one: Mapping[str, Json] | None, why: str) -> Decision:
    if not one or one.get("text") is None:
        return missing(key, label, (one or {}).get("reason") or why)
    return Decision(
        key=key,
        label=one.get("label") or label,
        text=one["text"],
        interval=one.get("interval"),
        verdict=one.get("verdict"),
        why=one.get("why") or "",
        cells=tuple(one.get("cells") or ()),
        value=one.get("value"),
        unit=one.get("unit"),
    )


def _gates(summary: Mapping[str, Json]) -> list[Decision]:
    """Return what became of the gates, and of objectives that no load curve answers."""
    found = []
    objectives = [one for one in summary.get("gates") or () if one.get("role") == "slo"]
    if objectives and not summary.get("load"):
        found.append(_limits(objectives, "slo", "Service level objective", _OBJECTIVES, "are kept"))
    gates = [one for one in summary.get("gates") or () if one.get("role") != "slo"]
    if not gates:
        return [*found, missing("gates", "Gates", "not asked: no gate in the spec")]
    words = {name: name for name in _OBJECTIVES}
    return [*found, _limits(gates, "gates", "Gates", words, "pass")]


_OBJECTIVES = {"PASS": "MET", "FAIL": "NOT_MET", "INCONCLUSIVE": "UNDECIDED"}


def _limits(
    limits: Sequence[Mapping[str, Json]],
    key: str,
    label: str,
    words: Mapping[str, str],
    kept: str,
) -> Decision:
    counts = Counter(one["verdict"] for one in limits)
    worst = next((v for v in ("FAIL", "INCONCLUSIVE") if counts[v]), "PASS")
    telling = [one for one in limits if one["verdict"] == worst]
    cells = [c["cell"] for one in telling for c in one["cells"] if c["verdict"] == worst]
    return Decision(
        key=key,
        label=label,
        text=f"{counts['PASS']} of {len(limits)} {kept}",
        verdict=words[worst],
        why="; ".join(str(one["text"]) for one in telling[:_MOST_TOLD]),
        cells=tuple(dict.fromkeys(cells)),
    )


def _comparison(summary: Mapping[str, Json]) -> list[Decision]:
    found = summary.get("comparison")
    label = "Against the baseline"
    if not found:
        return [missing("comparison", label, "not asked: no baseline was given")]
    if not found["comparable"]:
        differ = "; ".join(dict.fromkeys(str(one["what"]) for one in found["why_not"]))
        return [missing("comparison", label, f"not comparable, they differ in: {differ}")]
    primary = found.get("primary")
    if not primary:
        return [missing("comparison", label, str(found.get("text") or "nothing to compare"))]
    return [
        Decision(
            key="comparison",
            label=label,
            text=str(primary.get("finding") or primary["text"]),
            verdict=found["gate"],
            why=str(primary["text"]).removeprefix(str(primary.get("finding") or "")).lstrip("; "),
            value=primary.get("effect_pct"),
            unit="%",
        )
    ]
