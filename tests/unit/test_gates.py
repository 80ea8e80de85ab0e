"""Gate files with their mistakes, the limits of a spec, and what CI reads of both."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from compared import HEAT, LATENCY, RATE, a_cell, a_metric, a_summary, latencies, steady
from load_summaries import a_load_summary

from specc.comparing.absolute import declared, gates_verdict
from specc.comparing.gate import Gate, Gated, read_gate
from specc.comparing.junit import junit, limit_cases
from specc.problems import SpecInvalid
from specc.reporting.sections.limits import gates

SUMMARY = a_summary(
    [a_cell("c0001", {"size": 1}, {"latency_ms": [1.0]}, [LATENCY])], (LATENCY, RATE, HEAT)
)


def read(tmp_path: Path, text: str) -> Gate:
    path = tmp_path / "gate.yaml"
    path.write_text(f"schema_version: 1\n{text}", encoding="utf-8")
    return read_gate(path, SUMMARY)


def mistakes(tmp_path: Path, text: str) -> list[tuple[str, int, int]]:
    with pytest.raises(SpecInvalid) as caught:
        read(tmp_path, text)
    found = [(one.code, one.mark) for one in caught.value.problems]
    return [(code, mark.line, mark.column) for code, mark in found if mark]


def test_a_gate_file_is_read_with_its_headline_first(tmp_path: Path) -> None:
    text = (
        "metrics:\n  - {metric: rate, tolerate: 3}\n"
        "  - {metric: latency_ms, statistic: p99, alarm: 2, where: {size: 1}}\n"
        "primary: latency_ms\npasses: every_cell\nlevel: 0.9\n"
    )
    latency = Gated(metric="latency_ms", statistic="p99", alarm=2, where={"size": 1})
    wanted = (latency, Gated(metric="rate", tolerate=3))
    assert read(tmp_path, text) == Gate(metrics=wanted, passes="every_cell", level=0.9)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("metrics: [{metric: latncy_ms}]\n", ("E701", 2, 20)),
        ("metrics: [{metric: heat}]\n", ("E702", 2, 20)),
        ("metrics:\n  - {metric: rate, alarm: 5, tolerate: 2}\n", ("E703", 3, 40)),
        ("metrics: [{metric: rate, where: {sise: 1}}]\n", ("E704", 2, 34)),
        ("metrics: [{metric: rate}]\nprimary: latency_ms\n", ("E705", 3, 10)),
        ("metrics: [{metric: rate, alrm: 5}]\n", ("E101", 2, 26)),
    ],
)
def test_a_mistake_is_told_with_its_place(
    tmp_path: Path, text: str, found: tuple[str, int, int]
) -> None:
    assert mistakes(tmp_path, text) == [found]


def study(*centres: float, n: int = 5, spread: float = 0.01) -> dict[str, Any]:
    cells = [
        a_cell(f"c{k}", {"size": k}, runs, [LATENCY])
        for k, runs in enumerate(latencies(*centres, n=n, spread=spread), start=1)
    ]
    return a_summary(cells)


def judged(summary: dict[str, Any], *limits: dict[str, Any], **analysis: Any) -> list[Any]:
    gates = declared(summary, {"gates": list(limits), **analysis}, None)["gates"]
    return [(gate["verdict"], [cell["verdict"] for cell in gate["cells"]]) for gate in gates]


def test_a_limit_is_kept_broken_or_undecided() -> None:
    limit = {"metric": "latency_ms", "le": 15.0}
    assert judged(study(10.0, 10.0), limit) == [("PASS", ["PASS", "PASS"])]
    assert judged(study(10.0, 20.0), limit) == [("FAIL", ["PASS", "FAIL"])]
    assert judged(study(15.0), limit) == [("INCONCLUSIVE", ["INCONCLUSIVE"])]
    assert judged(study(10.0), {"metric": "latency_ms", "ge": 15.0}) == [("FAIL", ["FAIL"])]


def test_one_run_decides_no_limit() -> None:
    limit = {"metric": "latency_ms", "le": 15.0}
    assert judged(study(1.0, n=1), limit) == [("INCONCLUSIVE", ["INCONCLUSIVE"])]


def test_a_contaminated_cell_keeps_no_limit() -> None:
    summary = study(10.0)
    metric = a_metric(LATENCY, steady(10.0), causes=[("CONTAMINATED", "a neighbour")])
    summary["cells"][0]["metrics"]["latency_ms"] = metric
    for limit in ({"le": 15.0}, {"le": 5.0}):
        assert judged(summary, {"metric": "latency_ms", **limit})[0][0] == "INCONCLUSIVE"


def test_survivors_of_crashed_runs_keep_no_limit_and_may_break_it() -> None:
    summary = study(10.0)
    summary["cells"][0]["repetitions"]["expected"] += 2
    for limit, verdict in ({"le": 15.0}, "INCONCLUSIVE"), ({"le": 5.0}, "FAIL"):
        assert judged(summary, {"metric": "latency_ms", **limit})[0][0] == verdict


def test_two_equal_runs_decide_no_limit_and_three_do() -> None:
    limit = {"metric": "latency_ms", "le": 15.0}
    assert judged(study(10.0, n=2, spread=0.0), limit)[0][0] == "INCONCLUSIVE"
    assert judged(study(20.0, n=2, spread=0.0), limit)[0][0] == "INCONCLUSIVE"
    assert judged(study(10.0, n=3, spread=0.0), limit)[0][0] == "PASS"
    assert judged(study(20.0, n=3, spread=0.0), limit)[0][0] == "FAIL"


def test_where_chooses_the_cells() -> None:
    limit = {"metric": "latency_ms", "le": 15.0, "where": {"size": 1}}
    assert judged(study(10.0, 20.0), limit) == [("PASS", ["PASS"])]


def test_a_ratio_to_the_reference_leaves_the_reference_out() -> None:
    limit = {"metric": "latency_ms", "le": 1.5, "relative_to": "reference"}
    found = judged(study(10.0, 12.0, 20.0), limit, reference={"size": 1})
    assert found == [("FAIL", ["PASS", "FAIL"])]


class OldStudy:
    """A baseline that was given."""

    def __init__(self, *centres: float) -> None:
        self.cells = study(*centres)["cells"]

    def against(self, summary: Any) -> dict[str, Any]:
        return {"seen": [gate["verdict"] for gate in summary["gates"]]}


def test_a_ratio_to_the_baseline_needs_one() -> None:
    limit = {"metric": "latency_ms", "le": 1.1, "relative_to": "baseline"}
    alone = declared(study(10.0), {"gates": [limit]}, None)
    assert alone["gates"][0]["verdict"] == "INCONCLUSIVE"
    assert "no baseline was given (--baseline)" in alone["gates"][0]["text"]
    found = declared(study(10.0, 15.0), {"gates": [limit]}, OldStudy(10.0, 10.0))
    assert [cell["verdict"] for cell in found["gates"][0]["cells"]] == ["PASS", "FAIL"]
    assert found["comparison"] == {"seen": ["FAIL"]}


def test_an_objective_is_told_and_decides_nothing() -> None:
    limit = {"metric": "latency_ms", "le": 5.0}
    (found,) = declared(study(10.0), {"slo": [limit]}, None)["gates"]
    assert (found["role"], found["verdict"]) == ("slo", "FAIL")
    assert gates_verdict([found]) is None
    assert gates_verdict([{**found, "role": "gate"}]) == "FAIL"


def test_an_unknown_metric_is_undecided_with_the_reason() -> None:
    (found,) = declared(study(10.0), {"gates": [{"metric": "x", "le": 1}]}, None)["gates"]
    assert found["verdict"] == "INCONCLUSIVE"
    assert found["reason"] == "there is no metric x"


def test_junit_has_a_case_for_each_gate() -> None:
    limits = [{"metric": "latency_ms", "le": le} for le in (5.0, 10.0, 15.0)]
    gates = declared(study(10.0), {"gates": limits}, None)["gates"]
    root = Xml.fromstring(junit(limit_cases({"gates": gates}), name="study \x00"))
    (suite,) = root
    counts = {key: suite.attrib[key] for key in ("tests", "failures", "errors")}
    assert counts == {"tests": "3", "failures": "1", "errors": "1"}
    assert [[child.tag for child in case] for case in suite] == [
        ["failure"],
        ["error"],
        ["system-out"],
    ]
    assert suite[0].attrib["name"] == "latency_ms ≤ 5 ms"


def on_a_curve(**objective: Any) -> dict[str, Any]:
    """Return a load study whose objective p99 ≤ 100 ms is met up to a concurrency of 32."""
    summary = a_load_summary("plateau")
    gates = [{"metric": "latency_ms", "statistic": "p99", "le": 100.0, **objective}]
    for cell in summary["cells"]:
        cell["repetitions"]["not_run"] = 0
    return {**summary, **declared(summary, {"slo": gates}, None)}


def test_an_objective_that_a_curve_answers_is_one_case_with_the_answer() -> None:
    (case,) = limit_cases(on_a_curve())
    assert (case.suite, case.name) == ("objectives", "p99 of Latency ms ≤ 100 ms")
    assert case.verdict == "PASS"
    assert "up to concurrency 32" in case.text


def test_reports_terminal_and_junit_leave_out_the_same_objectives() -> None:
    summary = on_a_curve()
    assert (summary["gates"][0]["verdict"], gates(summary)["rows"]) == ("FAIL", [])
    other = on_a_curve(le=90.0)
    assert [case.name for case in limit_cases(other)] == [
        "latency_ms p99 ≤ 90 ms",
        "p99 of Latency ms ≤ 100 ms",
    ]
    assert len(gates(other)["rows"]) == 1


def test_objectives_that_differ_in_their_points_alone_are_two() -> None:
    summary = on_a_curve()
    (answer,) = summary["load"][0]["slo"]
    answer["where"] = {"concurrency": {"le": 8}}
    assert [case.name for case in limit_cases(summary)] == [
        "latency_ms p99 ≤ 100 ms",
        "p99 of Latency ms ≤ 100 ms for concurrency <= 8",
    ]


def test_a_missed_objective_fails_in_junit_and_decides_nothing() -> None:
    found = declared(study(10.0), {"slo": [{"metric": "latency_ms", "le": 5.0}]}, None)["gates"]
    (case,) = limit_cases({"gates": found})
    assert (case.suite, case.verdict, gates_verdict(found)) == ("objectives", "FAIL", None)


def test_an_objective_without_a_statistic_is_that_of_the_curve() -> None:
    assert len(limit_cases(on_a_curve(statistic=None))) == 1
