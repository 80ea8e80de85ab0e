"""Arrange a report's page as twelve slides: a title, parts in boxes, and a speaker's notes each.

Pure. Twelve for every study: what a study did not ask is said so, on the slide of that question.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from specc.reporting.blocks import cut
from specc.reporting.drawings import Drawing
from specc.reporting.tabulate import without_ticks

Page = Mapping[str, Any]
Part = dict[str, Any]
Slide = dict[str, Any]

PLOTS = 4
_NOT_ASKED = "Not asked in this study"
_MOST_COLUMNS = 6
_MOST_ROWS = 12
_MOST_DECISIONS = 9


def deck(page: Page, drawings: Iterable[Drawing]) -> list[Slide]:
    """Return the twelve slides."""
    results = [_plot(page, one) for one in _shown(drawings)]
    results += _instead(page)[: PLOTS - len(results)]
    return [
        _title(page),
        _question(page),
        _answer(page),
        _whole(page),
        _method(page),
        *results,
        _limits(page),
        _failures(page),
        _again(page),
    ]


def _shown(drawings: Iterable[Drawing]) -> list[Drawing]:
    """Return the plots of the results, in order; without any data, none of their excuses."""
    every = list(drawings)
    full = [one for one in every if one.empty is None]
    chosen = every if len(every) <= PLOTS else full
    return chosen[:PLOTS] if full else []


def _slide(title: str, parts: list[Part], notes: Iterable[str]) -> Slide:
    return {"title": cut(title, 150), "parts": parts, "notes": "\n".join(filter(None, notes))}


def _bullets(items: Iterable[tuple[str, str]], *, place: str = "full") -> Part:
    """Return (term, text) pairs as paragraphs."""
    return {
        "type": "text",
        "place": place,
        "items": [{"term": term, "text": cut(text, 420)} for term, text in items if text],
    }


def _table(columns: list[str], rows: list[list[str]], *, place: str = "full") -> Part:
    return {"type": "table", "place": place, "columns": columns, "rows": rows}


def _bundles(page: Page) -> str:
    ids = [str(one["bundle_id"]) for one in page["bundles"]]
    return f"Bundles: {', '.join(ids[:5])}" + (f" and {len(ids) - 5} more." if ids[5:] else ".")


def _title(page: Page) -> Slide:
    facts = [f"{one['label']}: {one['text']}" for one in page["meta"]]
    parts = [{"type": "subtitle", "text": cut(page["purpose"] or "", 220), "small": facts}]
    return _slide(page["title"], parts, [page["lead"], _bundles(page)])


def _question(page: Page) -> Slide:
    why = page["rationale"]
    items = [("Asked", page["purpose"] or "The spec states no purpose.")]
    items += [
        (f"Varied: {name}", f"{values}. {why[name]}" if name in why else values)
        for name, values in list(page["axes"].items())[:5]
    ]
    measured = ", ".join(dict.fromkeys(str(one["label"]) for one in page["metrics"]))
    items.append(("Measured", measured))
    items += [(name, text) for name, text in why.items() if name not in page["axes"]][:3]
    if page["excluded"]:
        items.append(("Left out", "; ".join(str(one["points"]) for one in page["excluded"][:4])))
    return _slide("The question", [_bullets(items)], [_bundles(page)])


def _answer(page: Page) -> Slide:
    found = page["decisions"]
    if not found:
        reasons = [(one["label"], one["reason"]) for one in page["not_asked"][:6]]
        notes = ["Every number would stand in summary.json.", _bundles(page)]
        return _slide("No number to decide by yet", [_bullets(reasons)], notes)
    rows = [
        [one["label"], cut(one["text"], 120), one["interval"] or "–", one["verdict"] or "–"]
        for one in found[:_MOST_DECISIONS]
    ]
    part = _table(["Question", "Answer", "95 % interval", "Verdict"], rows)
    notes = [
        f"{one['label']}: {one['why']} Cells: {_cells(one['cells'])}."
        for one in found[:_MOST_DECISIONS]
    ]
    return _slide("The answer in numbers", [part], [*notes, _bundles(page)])


def _cells(cells: Iterable[str]) -> str:
    names = list(cells)
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if names[8:] else "") or "none"


def _whole(page: Page) -> Slide:
    items = [("Completeness", page["lead"])]
    items += [(one["label"], one["text"]) for one in page["tiles"][:4]]
    doubts = [one["text"] for one in page["issues"][:6]]
    doubts = doubts or ["none; nothing speaks against the numbers."]
    items += [("" if at else "Before you rely on this", text) for at, text in enumerate(doubts)]
    verdicts = [f"{name}: {text}." for name, text in page["verdicts"].items()]
    title = "Completeness and validity"
    return _slide(title, [_bullets(items)], [*verdicts, _bundles(page)])


def _method(page: Page) -> Slide:
    terms = [(one["term"], cut(without_ticks(one["text"]), 230)) for one in page["methodology"]]
    notes = [f"{one['term']}: {one['text']}" for one in page["methodology"]]
    return _slide("Method", [_bullets(terms[:7])], notes)


def _plot(page: Page, one: Drawing) -> Slide:
    figure = one.figure
    said = _findings_of(page, one)
    parts = [
        {
            "type": "picture",
            "place": "left",
            "document": one.document,
            "alt": cut(f"{figure.subject}: {figure.title}. {one.caption}", 500),
        },
        _bullets(
            [*(("", text["text"]) for text in said[:2]), ("How to read it", one.caption)],
            place="right",
        ),
    ]
    if one.empty is not None:
        parts = [_bullets([("", part) for part in one.empty.split("; ")])]
    cells = dict.fromkeys(cell for text in said for cell in text["cells"])
    defined = {str(m["name"]): str(m["definition"]) for m in page["metrics"]}
    notes = [
        f"Plot: plots/{figure.name}.svg; numbers: tables/cells.csv and summary.json.",
        f"Cells named: {_cells(cells)}.",
        *(f"{name}: {defined[name]}" for name, _ in figure.metrics if name in defined),
        _bundles(page),
    ]
    title = figure.title if one.empty is None else f"{figure.subject}: not measured"
    return _slide(title, parts, notes)


def _findings_of(page: Page, one: Drawing) -> list[Mapping[str, Any]]:
    """Return the findings on the metrics of a plot."""
    drawn = {name for name, _ in one.figure.metrics}
    labels = {str(m["label"]) for m in page["metrics"] if m["name"] in drawn}
    return [found for found in page["findings"] if found["title"] in labels]


def _instead(page: Page) -> list[Slide]:
    """Return what stands in the places of plots that a study has not, most telling first."""
    notes = ["Numbers: tables/cells.csv and summary.json.", _bundles(page)]
    findings = [(one["title"], one["text"]) for one in page["findings"][:6]]
    open_questions = [(one["label"], one["reason"]) for one in page["not_asked"][:8]]
    nothing = [("", "The study has nothing to show here.")]
    return [
        _slide("Results in numbers", [_first_of(page["results"])], notes),
        _slide("Findings", [_bullets(findings or nothing)], notes),
        _slide("Distributions", [_first_of(page["distributions"])], notes),
        _slide(_NOT_ASKED, [_bullets(open_questions or nothing)], notes),
    ]


def _first_of(found: Mapping[str, Any]) -> Part:
    """Return the first rows and columns of a table; a sentence where it has none."""
    if not found["rows"]:
        return _bullets([("", "No point has a value yet.")])
    columns = [str(one["name"]) for one in found["columns"]][:_MOST_COLUMNS]
    rows = [
        [cut(str(entry["text"]), 60) for entry in row[:_MOST_COLUMNS]]
        for row in found["rows"][:_MOST_ROWS]
    ]
    return _table(columns, rows)


def _limits(page: Page) -> Slide:
    """Return what limits the study: saturation, bottleneck, comparison; else why not."""
    items: list[tuple[str, str]] = []
    for one in page["saturation"][:2]:
        knee = one["knee"]["text"] or one["knee"]["reason"] or ""
        items.append((f"{one['title']}: {one['knee']['verdict']}", knee))
        items.append(("Recommended", one["recommended"] or ""))
    for one in page["bottleneck"][:2]:
        said = "; ".join(one["evidence"][:2]) or one["reason"] or ""
        items.append((f"{one['title']}: {one['answer']}", said))
        items += [("Next", action) for action in one["next_actions"][:1]]
    if page["comparison"]:
        primary = page["comparison"]["primary"] or {}
        items.append((f"Baseline: {page['comparison']['gate']}", str(primary.get("text") or "")))
    asked = bool(items)
    items += [(one["label"], one["reason"]) for one in page["not_asked"][: 8 - len(items)]]
    title = "What limits it" if asked else f"What limits it: {_NOT_ASKED.lower()}"
    return _slide(title, [_bullets(items)], ["Numbers: summary.json.", _bundles(page)])


def _failures(page: Page) -> Slide:
    parts = []
    causes = page["causes"]["rows"]
    failed = [
        (f"{row[0]['text']} ({row[1]['text']})", f"{row[3]['text']} → {row[4]['text']}")
        for row in causes[:4]
    ]
    if not failed:
        failed = [("Failures", "No task failed."), ("Tasks", page["lead"])]
    sizing = page["right_sizing"]
    parts.append(_bullets(failed, place="upper" if sizing["rows"] else "full"))
    if sizing["rows"]:
        # what it advises stands in the last column
        kept = [*range(min(_MOST_COLUMNS, len(sizing["columns"])) - 1), -1]
        chosen = {
            "columns": [sizing["columns"][at] for at in kept],
            "rows": [[row[at] for at in kept] for row in sizing["rows"]],
        }
        parts.append({**_first_of(chosen), "place": "lower"})
    notes = [
        "Failures: report.json and tables/attempts.csv; sizes: tables/right_sizing.csv.",
        *(f"{one['title']}" for one in page["last_words"][:3]),
        _bundles(page),
    ]
    return _slide("Failures and right-sizing", parts, notes)


def _again(page: Page) -> Slide:
    commands = [line for line in page["reproduce"] if not line.startswith("#")]
    items = [(one["term"], one["text"]) for one in _terms(page)[:4]]
    actions = dict.fromkeys(act for one in page["bottleneck"] for act in one["next_actions"])
    advice = [("Next", action) for action in [*actions][:2]]
    if page["failures"]["rows"]:
        advice.append(("Next", "Run what failed again: specc rerun on the results."))
    if page["not_measured"]["rows"]:
        advice.append(("Next", "Run the points that have no result yet; the report names them."))
    if page["comparison"] is None:
        advice.append(("Next", "Hold the next change against this run: specc compare."))
    parts: list[Part] = [
        {"type": "code", "place": "upper", "lines": [cut(line, 150) for line in commands[:8]]},
        {**_bullets([*items, *advice[:3]]), "place": "lower"},
    ]
    notes = [*page["reproduce"], "SHA256SUMS vouches for every file of this report."]
    return _slide("Reproducibility and next steps", parts, notes)


def _terms(page: Page) -> list[Mapping[str, str]]:
    bundles = page["again"]["bundles"]
    return list(bundles[0]["terms"]) if bundles else []
