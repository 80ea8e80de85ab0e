"""Build the documents a person reads: report.json, report.md, insights.md and report.html.

Pure: arranges what the summary says; every number in them stands in the summary as well.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from specc.kinds.base import ReportRoom
from specc.kinds.sentences import point, visible
from specc.model import Json
from specc.reporting import dictionary, failure_tables, sizing_table, tabulate
from specc.reporting.drawings import Drawings
from specc.reporting.incident_tables import incident_table, sharing_warnings
from specc.reporting.machines import machines
from specc.resources import template_folder


def report_files(
    summary: Mapping[str, Json], room: ReportRoom, drawings: Drawings
) -> dict[str, str]:
    """Return file name -> text of every document."""
    from specc.reporting.html import page_assets

    shown = page(summary, room, drawings)
    return {
        "report.json": json.dumps(_document(shown, summary), indent=2, ensure_ascii=False) + "\n",
        "report.md": _render("report.md.j2", shown),
        "insights.md": _render("insights.md.j2", shown),
        "report.html": _render("report.html.j2", {**shown, **page_assets(drawings)}),
    }


def _render(name: str, page: Mapping[str, Json]) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=FileSystemLoader(template_folder() / "report"),
        undefined=StrictUndefined,
        autoescape=select_autoescape(["html.j2"]),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = tabulate.markdown_cell
    environment.filters["md"] = tabulate.markdown_text
    return environment.get_template(name).render(page)


def page(summary: Mapping[str, Json], room: ReportRoom, drawings: Drawings) -> dict[str, Any]:
    """Return everything the templates show, ready to print."""
    findings = [asdict(f) for f in room.findings(summary)]
    return {
        "name": summary["name"],
        "purpose": summary["purpose"],
        "kind": summary["kind"],
        "lead": _lead(summary),
        "tiles": _tiles(summary),
        "findings": findings,
        "warnings": _warnings(summary),
        "figures": [_figure(item) for item in drawings.items],
        "results": tabulate.results(summary),
        "distributions": tabulate.distributions(summary),
        "details": tabulate.details(summary),
        "right_sizing": sizing_table.right_sizing(summary),
        "pilot": summary["pilot"],
        "pilot_checks": sizing_table.checks(summary),
        "not_measured": tabulate.not_measured(summary),
        "causes": failure_tables.causes(summary),
        "failures": failure_tables.failures(summary),
        "interruptions": failure_tables.interruptions(summary),
        "interrupted": failure_tables.interrupted(summary),
        "incidents": incident_table(summary),
        "last_words": failure_tables.last_words(summary),
        "damage": summary["damage"],
        "torn": summary["torn"],
        "metrics": summary["metrics"],
        "methodology": [{"term": t, "text": x} for t, x in (*room.methodology(), *_COMMON)],
        "verdicts": summary["verdicts"],
        "rationale": summary["rationale"],
        "axes": {k: ", ".join(map(_plain, v)) for k, v in summary["axes"].items()},
        "excluded": summary["excluded"],
        "inputs": tabulate.inputs(summary),
        "machines": machines(summary),
        "runs": summary["runs"],
        "bundles": summary["bundles"],
        "reproduce": summary["reproduce"],
        "dictionary": dictionary.describe(summary),
    }


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
        "5 for p50, 29 for p90, 59 for p95, 299 for p99.",
    ),
    (
        "What counts",
        "Only rows that the journal of a completed task vouches for by hash. Torn last lines are "
        "cut off and counted; damaged files are located and left out; nothing is estimated in.",
    ),
    ("Missing values", "A dash with its reason. Never 0, and never left out silently."),
)


def _lead(summary: Mapping[str, Json]) -> str:
    done = summary["completeness"]
    states = ("failed", "not_run", "missing", "invalid")
    rest = [f"{done[s]} {s.replace('_', ' ')}" for s in states if done[s]]
    text = f"{done['completed']} of {done['expected']} tasks completed"
    text = f"{text}; {', '.join(rest)}." if rest else f"{text}."
    lost = Counter(one["category"] for one in summary["interruptions"] if one["completed_by"])
    if not lost:
        return text
    causes = ", ".join(f"{count} {category}" for category, count in lost.most_common())
    return f"{text} Attempts of completed tasks that were lost on the way: {causes}."


def _tiles(summary: Mapping[str, Json]) -> list[dict[str, str]]:
    done = summary["completeness"]
    verdicts = [cell["verdict"] for cell in summary["cells"]]
    measured = sum(verdict != "NO_DATA" for verdict in verdicts)
    runs = [run for run in summary["runs"] if run["run_id"] is not None]
    hosts = sorted({host for run in runs for host in run["hosts"]})
    tiles = [
        {"label": "Tasks completed", "text": f"{done['completed']} / {done['expected']}"},
        {"label": "Points valid", "text": f"{verdicts.count('VALID')} of {measured} measured"},
        {
            "label": "Runs",
            "text": ", ".join(dict.fromkeys(run["run_id"] for run in runs)) or "none yet",
        },
        {"label": "Hosts", "text": ", ".join(hosts[:3]) + (" …" if len(hosts) > 3 else "") or "–"},
    ]
    if summary["pilot"]:
        tiles.insert(0, {"label": "Pilot", "text": summary["pilot"]["answer"]})
    return tiles


def _warnings(summary: Mapping[str, Json]) -> list[str]:
    """Return what a reader must know before believing a number."""
    found = [
        f"Input {one['name']} is not pinned: {_content(one['seen'])}."
        for one in summary["inputs"]
        if not one["pinned"]
    ]
    environments = {
        f"{name} (mode {one['mode']})"
        for bundle in summary["bundles"]
        for name, one in bundle["environments"].items()
        if not one["pinned"]
    }
    found += [f"Environment {name} is not pinned." for name in sorted(environments)]
    found += sharing_warnings(summary)
    if summary["damage"]:
        found.append(f"{len(summary['damage'])} damaged places were left out; see Damage.")
    if summary["torn"]["lines"]:
        torn = summary["torn"]
        found.append(f"{torn['lines']} unfinished last lines ({torn['bytes']} bytes) were cut off.")
    return found


def _content(seen: Sequence[str]) -> str:
    if not seen:
        return "its content was not checked"
    if len(seen) == 1:
        return f"its content was not checked; runs read {seen[0]}"
    return f"runs read different contents, {', '.join(seen)}"


def _figure(item: Any) -> dict[str, Json]:
    return {
        "name": item.figure.name,
        "title": item.figure.title if item.empty is None else f"{item.figure.subject}: no data",
        "subject": item.figure.subject,
        "empty": item.empty,
        "points": item.points,
        "caption": item.caption,
        "png": f"plots/{item.figure.name}.png",
        "svg": f"plots/{item.figure.name}.svg",
    }


def _document(page: Mapping[str, Any], summary: Mapping[str, Json]) -> dict[str, Json]:
    """Return report.json: the report as data, for programs."""
    verdicts = [cell["verdict"] for cell in summary["cells"]]
    return {
        "schema_version": summary["schema_version"],
        "name": page["name"],
        "kind": page["kind"],
        "purpose": page["purpose"],
        "one_page": {
            "completeness": {k: v for k, v in summary["completeness"].items() if k != "tasks"},
            "verdicts": {name: verdicts.count(name) for name in summary["verdicts"]},
            "top_findings": [f["text"] for f in page["findings"][:5]],
            "top_issues": page["warnings"][:5],
        },
        "methodology": {one["term"]: one["text"] for one in page["methodology"]},
        "design_rationale": page["rationale"],
        "metrics": page["metrics"],
        "findings": page["findings"],
        "points": [
            {"cell": c["cell"], "point": point(c["axes"]), "verdict": c["verdict"]}
            for c in summary["cells"]
        ],
        "failures": summary["failures"],
        "interruptions": summary["interruptions"],
        "fixtures": summary["fixtures"],
        "incidents": summary["incidents"],
        "damage": summary["damage"],
        "reproducibility": {
            "commands": page["reproduce"],
            "bundles": [b["bundle_id"] for b in page["bundles"]],
            "inputs": summary["inputs"],
        },
        "right_sizing": summary["right_sizing"],
        "pilot": summary["pilot"],
        "comparison": None,
        "plots": [f["png"] for f in page["figures"]],
    }


def _plain(value: Json) -> str:
    return visible(value) if isinstance(value, str) else json.dumps(value)
