"""Gates as JUnit XML, which every CI shows: one test case for each decision.

Pure. FAIL is a failure, INCONCLUSIVE an error (nothing was shown), SKIPPED skipped, PASS passed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree as Xml

from specc.comparing import say
from specc.comparing.limits import answered_by_curve, judged_by_point
from specc.kinds.sentences import point
from specc.model import Json
from specc.reporting.sections.load_answers import curve_name, objective

_OBJECTIVES = "objectives"
_OF_ANSWERS = {"MET": "PASS", "NOT_MET": "FAIL", "UNDECIDED": "INCONCLUSIVE"}
_NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One decision."""

    suite: str
    name: str
    verdict: str
    text: str


def junit(cases: Iterable[Case], *, name: str) -> str:
    """Return the document. Without a clock: durations are left out."""
    suites: dict[str, list[Case]] = {}
    for case in cases:
        suites.setdefault(case.suite, []).append(case)
    root = Xml.Element("testsuites", name=_clean(name))
    for suite, members in suites.items():
        counts = {
            "tests": len(members),
            "failures": sum(case.verdict == "FAIL" for case in members),
            "errors": sum(case.verdict == "INCONCLUSIVE" for case in members),
            "skipped": sum(case.verdict == "SKIPPED" for case in members),
        }
        about = {key: str(count) for key, count in counts.items()}
        below = Xml.SubElement(root, "testsuite", {"name": _clean(suite), **about})
        for case in members:
            _add(below, case)
    Xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, "unicode") + "\n"


def _add(suite: Xml.Element, case: Case) -> None:
    about = {"classname": _clean(case.suite), "name": _clean(case.name)}
    made = Xml.SubElement(suite, "testcase", about)
    tag = {"FAIL": "failure", "INCONCLUSIVE": "error"}.get(case.verdict)
    if case.verdict == "SKIPPED":
        Xml.SubElement(made, "skipped", message=_clean(case.text))
    elif tag is None:
        Xml.SubElement(made, "system-out").text = _clean(case.text)
    else:
        Xml.SubElement(made, tag, message=_clean(case.text), type=case.verdict)


def comparison_cases(comparison: Mapping[str, Json]) -> list[Case]:
    """Return the cases of a comparison: each gated metric's mean, then its cells."""
    cases = [
        Case(suite=_named(head), name="all cells", verdict=head["verdict"], text=head["text"])
        for head in comparison["primaries"]
    ]
    for row in comparison["rows"]:
        if row["gated"]:
            told = f"{row['effect_text']}. {row['note'] or ''}".rstrip()
            name = point(row["axes"])
            cases.append(Case(suite=_named(row), name=name, verdict=row["verdict"], text=told))
    return cases


def limit_cases(summary: Mapping[str, Json]) -> list[Case]:
    """Return the cases of a spec's own limits: each gate, and each objective or load curve's answer
    to one.
    """
    return [*map(_limit_case, judged_by_point(summary)), *_answers(summary)]


def _limit_case(one: Mapping[str, Json]) -> Case:
    suite = _OBJECTIVES if one.get("role") == "slo" else "gates"
    return Case(suite=suite, name=say.limit(one), verdict=one["verdict"], text=one["text"])


def _answers(summary: Mapping[str, Json]) -> Iterator[Case]:
    for curve, one in answered_by_curve(summary):
        named = ", ".join(filter(None, (objective(one, summary), curve_name(curve, summary))))
        verdict = _OF_ANSWERS[one["verdict"]]
        yield Case(suite=_OBJECTIVES, name=named, verdict=verdict, text=one["text"])


def _named(row: Mapping[str, Json]) -> str:
    return str(
        row["metric"] if row["statistic"] == "value" else f"{row['metric']} {row['statistic']}"
    )


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
