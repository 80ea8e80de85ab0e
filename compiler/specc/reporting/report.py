"""Build the documents a person reads: report.json, report.md, insights.md and report.html.

Pure: arranges what the summary says; every number in them stands in the summary as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from specc.kinds.base import ReportRoom
from specc.kinds.sentences import all_visible, visible
from specc.model import Json
from specc.reporting import (
    dictionary,
    failure_tables,
    front,
    one_page,
    plot_data,
    sizing_table,
    tabulate,
)
from specc.reporting.document import document
from specc.reporting.drawings import Drawing, Drawings
from specc.reporting.incident_tables import incident_table
from specc.reporting.sections import (
    again,
    against,
    bottleneck,
    limits,
    method,
    nodes,
    percentile_table,
    saturation,
    whole,
)
from specc.reporting.tabulate import titled
from specc.resources import template_folder

HEADINGS = {
    "one-page": "On one page",
    "completeness": "Completeness",
    "method": "Methodology",
    "design": "Design",
    "results": "Results",
    "saturation": "Saturation Point & Recommended Operating Range",
    "bottleneck": "Bottleneck",
    "comparison": "Comparison with the baseline",
    "gates": "Gates",
    "series": "Series of runs",
    "failures": "Failures and what to do",
    "resources": "Right-sizing",
    "environment": "Environment",
    "reproduce": "Reproducibility",
    "dictionary": "Data dictionary",
}
"""Id -> heading of every section, in the order of all documents."""
LOAD_FIGURES = "load_"
"""How names of plots over the load begin: they stand with what is said of saturation."""


def report_files(
    summary: Mapping[str, Json], room: ReportRoom, drawings: Drawings
) -> dict[str, str]:
    """Return file name -> text of every document."""
    from specc.reporting.html import page_assets

    shown = page(summary, room, drawings)
    data = document(summary, room, shown, one_page.decisions(summary, room))
    return {
        "report.json": json.dumps(data, indent=2, ensure_ascii=False) + "\n",
        "report.md": render("report.md.j2", shown),
        "insights.md": render("insights.md.j2", shown),
        "report.html": render("report.html.j2", {**shown, **page_assets(drawings)}),
    }


def render(name: str, page: Mapping[str, Json]) -> str:
    """Render a template of templates/report; HTML is escaped, a missing name is an error."""
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
    environment.filters["code"] = tabulate.html_code
    return environment.get_template(name).render(page)


def page(summary: Mapping[str, Json], room: ReportRoom, drawings: Drawings) -> dict[str, Any]:
    """Return everything the documents show, ready to print: plain data, no arithmetic left."""
    decisions = one_page.decisions(summary, room)
    warnings = front.warnings(summary)
    found = {
        "name": summary["name"],
        "title": front.title(summary),
        "purpose": summary["purpose"],
        "kind": summary["kind"],
        "meta": front.meta(summary),
        "lead": whole.lead(summary),
        "cost": whole.cost(summary),
        "tiles": front.tiles(summary),
        "decisions": one_page.shown(decisions),
        "not_asked": one_page.not_asked(decisions),
        "issues": one_page.issues(summary, warnings),
        "findings": [asdict(one) for one in room.findings(summary)],
        "warnings": warnings,
        "figures": [_figure(item, bool(summary.get("load"))) for item in drawings.items],
        **_results(summary),
        **_method(summary, room),
        **_judged(summary),
        **_troubles(summary),
        **_surroundings(summary),
    }
    shown: dict[str, Any] = all_visible({**found, "headings": _headings(found)})
    return shown


def _results(summary: Mapping[str, Json]) -> dict[str, Any]:
    return {
        "states": titled(whole.states(summary), "Tasks by state", "tables/tasks.csv"),
        "results": titled(
            tabulate.results(summary), "Every metric of every point", "tables/cells.csv"
        ),
        "distributions": titled(
            tabulate.distributions(summary), "Distributions", "tables/cells.csv"
        ),
        "percentiles": titled(
            percentile_table.percentiles(summary),
            "Percentiles with intervals over repetitions",
            "summary.json",
        ),
        "details": titled(tabulate.details(summary), "Details of each point", "summary.json"),
        "doubts": titled(
            whole.doubts(summary), "Verdicts that are not VALID, by cause", "summary.json"
        ),
        "not_measured": titled(
            tabulate.not_measured(summary), "Points without a result", "tables/tasks.csv"
        ),
        "damage": [
            {**one, "consequence": _sentence(one["consequence"])} for one in summary["damage"]
        ],
        "torn": summary["torn"],
        "metrics": summary["metrics"],
    }


def _method(summary: Mapping[str, Json], room: ReportRoom) -> dict[str, Any]:
    return {
        "methodology": method.terms(summary, room),
        "verdicts": summary["verdicts"],
        "rationale": summary["rationale"],
        "axes": {
            **{k: ", ".join(map(_plain, v)) for k, v in summary["axes"].items()},
            **{
                k: f"{', '.join(map(_plain, v))} (repetitions)"
                for k, v in (summary.get("replicates") or {}).items()
            },
        },
        "excluded": summary["excluded"],
        "inputs": titled(tabulate.inputs(summary), "Inputs", "summary.json"),
    }


def _judged(summary: Mapping[str, Json]) -> dict[str, Any]:
    return {
        "saturation": saturation.sections(summary),
        "bottleneck": bottleneck.sections(summary),
        "comparison": against.section(summary),
        "gates": titled(limits.gates(summary), "Gates of the spec", "summary.json"),
        "gate_points": titled(limits.gate_points(summary), "Gates, point by point", "junit.xml"),
        "series_table": titled(
            limits.series_table(summary), "Points measured by several runs", "summary.json"
        ),
        "series": limits.series(summary),
    }


def _troubles(summary: Mapping[str, Json]) -> dict[str, Any]:
    file = "tables/attempts.csv"
    return {
        "causes": titled(failure_tables.causes(summary), "Failures by cause", file),
        "failures": titled(failure_tables.failures(summary), "Failed tasks", file),
        "interruptions": titled(
            failure_tables.interruptions(summary), "Interruptions by cause", file
        ),
        "interrupted": titled(failure_tables.interrupted(summary), "Interrupted attempts", file),
        "incidents": titled(incident_table(summary), "Fixtures and GPUs", "summary.json"),
        "last_words": failure_tables.last_words(summary),
        "right_sizing": titled(
            sizing_table.right_sizing(summary), "Asked and used", "tables/right_sizing.csv"
        ),
        "pilot": summary.get("pilot"),
        "pilot_checks": titled(sizing_table.checks(summary), "Limits of the pilot", "summary.json"),
    }


def _surroundings(summary: Mapping[str, Json]) -> dict[str, Any]:
    environment = nodes.environment(summary)
    differences = titled(environment["differences"], "What differs between nodes", "summary.json")
    return {
        "environment": {**environment, "differences": differences},
        "runs": summary["runs"],
        "bundles": summary["bundles"],
        "reproduce": summary["reproduce"],
        "again": again.section(summary),
        "dictionary": dictionary.describe(summary),
    }


def _headings(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the sections that have something to say."""
    present = {
        "design": found["axes"]
        or found["rationale"]
        or found["excluded"]
        or found["inputs"]["rows"],
        "saturation": found["saturation"],
        "bottleneck": found["bottleneck"],
        "comparison": found["comparison"],
        "gates": found["gates"]["rows"],
        "series": found["series_table"]["rows"],
        "failures": any(found[name]["rows"] for name in ("failures", "interruptions", "incidents")),
        "resources": found["right_sizing"]["rows"] or found["pilot"],
    }
    return {name: text for name, text in HEADINGS.items() if present.get(name, True)}


def _figure(item: Drawing, load: bool) -> dict[str, Json]:
    over_load = load and item.figure.name.startswith(LOAD_FIGURES)
    return {
        "name": item.figure.name,
        "title": item.figure.title if item.empty is None else f"{item.figure.subject}: no data",
        "subject": item.figure.subject,
        "empty": item.empty,
        "points": item.points,
        "caption": item.caption,
        "note": plot_data.note(item),
        "section": "saturation" if over_load else "results",
        "png": f"plots/{item.figure.name}.png",
        "svg": f"plots/{item.figure.name}.svg",
        "data": plot_data.data_table(item) if item.empty is None else None,
    }


def _plain(value: Json) -> str:
    return visible(value) if isinstance(value, str) else json.dumps(value)


def _sentence(text: str) -> str:
    """Return a text that can stand after a full stop."""
    return text[:1].upper() + text[1:]
