"""Arrange a report's page as a paper: the first page, then sections of blocks.

Pure. Takes what all documents are made from, so that the paper says what the others say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from specc.reporting import blocks
from specc.reporting.blocks import Block
from specc.reporting.tabulate import without_ticks

_MOST_FIGURES = 16
_MOST_FINDINGS = 20
_MOST_CURVES = 12
_MOST_BUNDLES = 5

Page = Mapping[str, Any]


def paper(page: Page) -> dict[str, Any]:
    """Return title, first page and sections; each section a title and its blocks."""
    ids = [bundle["bundle_id"] for bundle in page["bundles"]]
    more = f" and {len(ids) - 1} more" if len(ids) > 1 else ""
    versions = dict.fromkeys(str(bundle["specc_version"]) for bundle in page["bundles"])
    return {
        "title": blocks.cut(page["title"], 120),
        "name": page["name"],
        "kind": page["kind"],
        "purpose": blocks.cut(page["purpose"] or "", 500),
        "bundle": f"{ids[0]}{more}" if ids else "",
        "maker": f"specc {', '.join(versions)}",
        "meta": page["meta"],
        "tiles": page["tiles"],
        "decisions": decisions(page),
        "issues": issues(page),
        "sections": [
            {"title": _TITLES.get(name, title), "blocks": found}
            for name, title in page["headings"].items()
            if (found := list(SECTIONS[name](page)))
        ],
    }


def decisions(page: Page) -> list[dict[str, str]]:
    """Return the numbers to decide by, each with its interval, verdict and reason."""
    return [
        {
            "label": one["label"],
            "text": blocks.cut(one["text"], 160),
            "interval": one["interval"] or "",
            "verdict": one["verdict"] or "",
            "kind": one["kind"],
            "why": blocks.cut(one["why"] or "", 260),
        }
        for one in page["decisions"]
    ]


def issues(page: Page) -> list[str]:
    """Return what a reader must know before believing a number."""
    return [blocks.cut(one["text"], 300) for one in page["issues"]]


def _findings(page: Page) -> Iterator[Block]:
    found = page["findings"][:_MOST_FINDINGS]
    if found:
        yield blocks.listed((one["title"], one["text"]) for one in found)
    else:
        yield blocks.text("No point has a value yet, so there is nothing to say.")
    if page["not_asked"]:
        yield blocks.heading("Not answered by this study")
        yield blocks.listed((one["label"], one["reason"]) for one in page["not_asked"])


def _completeness(page: Page) -> Iterator[Block]:
    yield blocks.text(page["lead"])
    if page["cost"]:
        yield blocks.text(page["cost"])
    yield from _titled(page["states"])
    yield from _titled(page["doubts"], most=20)
    yield from _titled(page["not_measured"], most=25)
    if page["damage"]:
        yield blocks.heading("Damage")
        yield blocks.listed(
            (
                f"{one['file']}:{one['line'] or ''}".rstrip(":"),
                f"{one['message']}. {one['consequence']}.",
            )
            for one in page["damage"][:20]
        )


def _method(page: Page) -> Iterator[Block]:
    terms = page["methodology"]
    yield blocks.listed((one["term"], without_ticks(one["text"])) for one in terms)
    yield blocks.heading("Verdicts")
    yield blocks.listed(page["verdicts"].items())


def _design(page: Page) -> Iterator[Block]:
    why = page["rationale"]
    items = [
        (name, f"{values}. {why[name]}" if name in why else values)
        for name, values in page["axes"].items()
    ]
    items += [(name, words) for name, words in why.items() if name not in page["axes"]]
    for one in page["excluded"]:
        reason = f" ({one['reason']})" if one["reason"] else ""
        items.append(("Excluded", f"{one['points']}{reason}"))
    if items:
        yield blocks.listed(items)
    yield from _titled(page["inputs"], most=20)


def _results(page: Page) -> Iterator[Block]:
    keys = len(page["axes"])
    yield from _figures(page, "results")
    yield from _titled(page["results"], keys=keys)
    yield from _titled(page["percentiles"], keys=keys + 1)
    yield from _titled(page["distributions"], keys=keys + 1)
    yield from _titled(page["details"], keys=keys)


def _figures(page: Page, section: str) -> Iterator[Block]:
    found = [one for one in page["figures"] if one["section"] == section]
    for one in found[:_MOST_FIGURES]:
        yield blocks.figure(one["svg"], one["caption"], f"{one['subject']}: {one['title']}")
    if len(found) > _MOST_FIGURES:
        yield blocks.text(f"{len(found) - _MOST_FIGURES} more plots stand in plots/.")


def _saturation(page: Page) -> Iterator[Block]:
    yield from _figures(page, "saturation")
    for one in page["saturation"][:_MOST_CURVES]:
        yield blocks.heading(one["title"])
        yield from blocks.tables(one["table"], where="summary.json")
        items = [(each["objective"], f"{each['verdict']}. {each['text']}") for each in one["slo"]]
        knee = one["knee"]
        said = knee["text"] or knee["reason"] or ""
        items.append(("Where it saturates", f"{knee['verdict']}. {said}"))
        if one["recommended"]:
            items.append(("Recommended", one["recommended"]))
        yield blocks.listed(items)
    if len(page["saturation"]) > _MOST_CURVES:
        rest = len(page["saturation"]) - _MOST_CURVES
        yield blocks.text(f"{rest} more curves stand in summary.json.")


def _bottleneck(page: Page) -> Iterator[Block]:
    for one in page["bottleneck"][:_MOST_CURVES]:
        sure = f", confidence {one['confidence']}" if one["confidence"] else ""
        yield blocks.heading(f"{one['title']}: {one['answer']}{sure}")
        if one["reason"]:
            yield blocks.text(one["reason"])
        items = [("Evidence", words) for words in one["evidence"]]
        yield blocks.listed([*items, *(("Next", words) for words in one["next_actions"])])


def _comparison(page: Page) -> Iterator[Block]:
    found = page["comparison"]
    yield blocks.listed([("Baseline", found["baseline"]), ("Current", found["current"])])
    if found["primary"]:
        yield blocks.text(str(found["primary"]["text"]))
    if found["settings"]:
        yield blocks.text(found["settings"])
    if found["across"]:
        yield blocks.text(f"Compared across: {', '.join(found['across'])}.")
    if found["why_not"]["rows"]:
        yield from blocks.tables(found["why_not"], where="summary.json")
    if found["rows"]["rows"]:
        yield from blocks.tables(found["rows"], where="summary.json")


def _gates(page: Page) -> Iterator[Block]:
    yield from _titled(page["gates"])
    yield from _titled(page["gate_points"], most=30)


def _series(page: Page) -> Iterator[Block]:
    yield from _titled(page["series_table"], keys=2, most=30)
    for one in page["series"][:_MOST_CURVES]:
        yield blocks.heading(one["title"])
        yield blocks.text(one["text"])
        yield from blocks.tables(one["table"], most=15, where="summary.json")


def _failures(page: Page) -> Iterator[Block]:
    yield from _titled(page["causes"])
    yield from _titled(page["failures"], most=20)
    for one in page["last_words"][:5]:
        yield blocks.text(f"{one['title']} (the last lines of task {one['task_id']}):")
        yield blocks.code(blocks.cut(line, 300) for line in one["lines"])
    yield from _titled(page["interruptions"], most=20)
    yield from _titled(page["incidents"], most=20)


def _resources(page: Page) -> Iterator[Block]:
    if page["pilot"]:
        yield blocks.text(f"The pilot says {page['pilot']['answer']}.")
    yield from _titled(page["pilot_checks"])
    yield from _titled(page["right_sizing"], most=20)


def _environment(page: Page) -> Iterator[Block]:
    found = page["environment"]
    if not found["hosts"]:
        yield blocks.text("No launch has reported yet.")
        return
    items = [("Nodes", ", ".join(found["hosts"]))]
    items += [(one["term"], one["text"]) for one in (*found["common"], *found["more"])]
    yield blocks.listed([*items, ("Packages", found["packages"] or "none")])
    yield from _titled(found["differences"], most=20)


def _reproduce(page: Page) -> Iterator[Block]:
    found = page["again"]
    yield blocks.code(found["commands"])
    for bundle in found["bundles"][:_MOST_BUNDLES]:
        yield blocks.listed((one["term"], one["text"]) for one in bundle["terms"])


def _dictionary(page: Page) -> Iterator[Block]:
    words = page["dictionary"]
    yield blocks.listed((one["name"], without_ticks(one["text"])) for one in words)


def _titled(found: Mapping[str, Any], *, keys: int = 1, most: int | None = None) -> Iterator[Block]:
    """Yield a table with its title; nothing when it has no rows."""
    if found["rows"]:
        yield blocks.heading(found["title"])
        limit = blocks.MOST_ROWS if most is None else most
        yield from blocks.tables(found, keys=keys, most=limit, where=found["file"])


_TITLES = {"one-page": "Findings"}
SECTIONS = {
    "one-page": _findings,
    "completeness": _completeness,
    "method": _method,
    "design": _design,
    "results": _results,
    "saturation": _saturation,
    "bottleneck": _bottleneck,
    "comparison": _comparison,
    "gates": _gates,
    "series": _series,
    "failures": _failures,
    "resources": _resources,
    "environment": _environment,
    "reproduce": _reproduce,
    "dictionary": _dictionary,
}
