"""The documents of `specc compare`: comparison.md, comparison.html and the plots.

Pure: arranges what comparison.json says.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from specc.kinds.sentences import number, point, quantity
from specc.model import Json
from specc.reporting.forest import forest_files, plot_name
from specc.reporting.report import render
from specc.reporting.sections.against import doubt, refused
from specc.resources import template_folder

_WORDS = {
    "PASS": "Surely no worse than what is tolerated.",
    "FAIL": "Worse than the alarm, beyond chance.",
    "INCONCLUSIVE": "Neither is shown: this data can't tell.",
    "NOT_GATED": "shown, and no part of the gate",
}


def comparison_files(comparison: Mapping[str, Json]) -> dict[str, bytes]:
    """Return path below the output folder -> content, without comparison.json and junit.xml."""
    plots = forest_files(comparison)
    shown = comparison_page(comparison, plots)
    return {
        "comparison.md": render("comparison.md.j2", shown).encode(),
        "comparison.html": render("comparison.html.j2", {**shown, **_assets()}).encode(),
        **plots,
    }


def comparison_page(comparison: Mapping[str, Json], plots: Mapping[str, bytes]) -> dict[str, Any]:
    """Return everything the two documents show, ready to print."""
    sides = [
        f"{side['bundle']}, run {side['run']}"
        for side in (comparison["baseline"], comparison["current"])
    ]
    gated = [row for row in comparison["rows"] if row["gated"]]
    return {
        "baseline": sides[0],
        "current": sides[1],
        "verdict": comparison["gate"] if comparison["comparable"] else "NOT COMPARABLE",
        "verdict_kind": "good" if comparison["gate"] == "PASS" else "warn",
        "verdict_text": refused(comparison) or _WORDS[comparison["gate"]],
        "heads": [_head(head) for head in comparison["primaries"]],
        "plots": _plots(comparison, plots),
        "gated": [_row(row) for row in gated],
        "others": [_row(row) for row in comparison["rows"] if not row["gated"]],
        "differences": comparison["differences"],
        "across": comparison["across"],
        "comparable": comparison["comparable"],
        "method": _method(comparison),
        "change": f"change ({interval_words(comparison)})",
    }


def interval_words(comparison: Mapping[str, Json]) -> str:
    """Return "95 % interval", with the level of this comparison."""
    level = comparison["family_level"]
    return "interval" if level is None else f"{100 * level:g} % interval"


def _head(head: Mapping[str, Json]) -> dict[str, str]:
    return {
        "label": str(head["label"]),
        "verdict": str(head["verdict"]),
        "kind": "good" if head["verdict"] == "PASS" else "warn",
        "text": str(head["text"]),
    }


def _row(row: Mapping[str, Json]) -> dict[str, str]:
    statistic = "" if row["statistic"] == "value" else f", {row['statistic']}"
    runs = row["runs"]
    return {
        "point": point(row["axes"]),
        "metric": f"{row['label']}{statistic}",
        "baseline": quantity(row["baseline"], row["unit"]),
        "baseline_doubt": doubt(row["verdict_baseline"]),
        "current": quantity(row["current"], row["unit"]),
        "current_doubt": doubt(row["verdict_current"]),
        "effect": str(row["effect_text"]),
        "runs": f"{runs[0]} and {runs[1]}",
        "verdict": str(row["verdict"]),
        "kind": "good" if row["verdict"] == "PASS" else "warn",
        "note": row["note"] or "",
    }


def _plots(comparison: Mapping[str, Json], plots: Mapping[str, bytes]) -> list[dict[str, str]]:
    found = []
    for head in comparison["primaries"]:
        file = f"plots/{plot_name(head)}.svg"
        if file in plots:
            data = base64.b64encode(plots[file]).decode()
            source = f"data:image/svg+xml;base64,{data}"
            png = file.removesuffix("svg") + "png"
            found.append({"file": png, "source": source, "text": str(head["text"])})
    return found


def _method(comparison: Mapping[str, Json]) -> list[str]:
    if not comparison["comparable"] or comparison["primary"] is None:
        return []
    level, count = comparison["family_level"], comparison["comparisons"]
    alpha = number(100 * (1 - level) / 2)
    family = (
        f"{count} comparisons are one family: if nothing became worse, the chance that any of them "
        f"says FAIL is at most {alpha} %. The mean has four fifths of it, the cells share the rest "
        "by Holm's steps."
    )
    alone = f"If nothing became worse, the chance of a FAIL is at most {alpha} %."
    return [
        "The unit of replication is the run: one value for each repetition of each cell, compared "
        "by Welch's t test, on logarithms where all values are above 0, as percentage points where "
        "the metric is a percentage itself.",
        "The headline is the mean over cells (of ratios the geometric one), each cell counting the "
        "same. Where repetitions line up, each repetition's mean is one value, so that a slow "
        "repetition counts once.",
        family if count > 1 else alone,
        f"Intervals are two-sided at {100 * level:g} % for each comparison by itself; a FAIL needs "
        "more than an interval above the alarm where several are compared.",
        "Beside a number stands its verdict where it is not VALID; the note tells why.",
        "A number that is CONTAMINATED, NOT_STEADY or CLIENT_LIMITED on either side never leads "
        "to PASS; one that is CONTAMINATED on the current side never to FAIL either.",
    ]


def _assets() -> dict[str, Any]:
    from markupsafe import Markup

    style = (template_folder() / "report" / "report.css").read_text(encoding="utf-8")
    return {"style": Markup(style)}
