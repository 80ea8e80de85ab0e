"""Load curves: what no answer and no range may rest on."""

from __future__ import annotations

from typing import Any

from load_summaries import CASES, LATENCY, THROUGHPUT, Case, a_load_summary, an_analysis

from specc.collate.curves.load import load_curves
from specc.reporting.sections.saturation import sections


def judged(summary: dict[str, Any], *objectives: dict[str, Any], **load: Any) -> dict[str, Any]:
    analysis = an_analysis(CASES["plateau"])
    slo = list(objectives) or analysis["slo"]
    found: dict[str, Any] = load_curves(
        summary, {**analysis, "load": {**analysis["load"], **load}, "slo": slo}
    )[0]
    return found


def rise_and_fall(load: float) -> float:
    """1600 from 16 to 32, and half as much with each doubling beyond."""
    return 100.0 * min(load, 16.0) * min(1.0, 32.0 / load)


def test_a_range_keeps_a_least_throughput() -> None:
    """700 of 800 are enough for the range, and not for the objective: only 8 has them."""
    wanted = {"metric": THROUGHPUT, "ge": 740.0}
    curve = judged(a_load_summary("plateau"), wanted)
    assert curve["slo"][0]["met_from"] == 8
    assert curve["recommended"] is None
    assert curve["recommended_reason"].startswith("an objective is met from 8 on only, which is")
    assert curve["slo"][0]["text"] == (
        "Requests per s is at least 740 requests/s from concurrency 8 on."
    )


def test_a_range_starts_where_a_least_throughput_is_met() -> None:
    curve = judged(a_load_summary("usl"), {"metric": THROUGHPUT, "ge": 950.0})
    assert curve["slo"][0]["met_from"] == 32
    assert curve["recommended"]["low"] == 32


def test_a_throughput_that_falls_below_its_least_again_ends_the_range() -> None:
    case = Case(curve=rise_and_fall, verdict="REFUSED")
    curve = judged(a_load_summary(case=case), {"metric": THROUGHPUT, "ge": 1200.0})
    slo = curve["slo"][0]
    assert (slo["met_from"], slo["answer"], slo["fails_from"]) == (16, 32, 64)
    assert slo["text"].endswith("from concurrency 16 to 32.")
    assert (curve["recommended"]["low"], curve["recommended"]["high"]) == (16, 32)


def test_a_level_that_lost_runs_meets_no_objective() -> None:
    summary = a_load_summary("plateau")
    assert judged(summary)["slo"][0]["answer"] == 32
    level = summary["cells"][5]
    assert level["axes"] == {"concurrency": 32}
    level["repetitions"] = {"expected": 7, "completed": 5, "not_run": 0}
    slo = judged(summary)["slo"][0]
    assert (slo["answer"], slo["unknown"]) == (16, [32])


def test_runs_left_out_on_purpose_are_not_lost() -> None:
    summary = a_load_summary("plateau")
    summary["cells"][5]["repetitions"] = {"expected": 7, "completed": 5, "not_run": 2}
    assert judged(summary)["slo"][0]["answer"] == 32


def test_a_level_that_lost_runs_may_fail() -> None:
    summary = a_load_summary("plateau")
    for cell in summary["cells"][6:]:
        cell["repetitions"] = {"expected": 7, "completed": 5, "not_run": 0}
    assert judged(summary)["slo"][0]["fails_from"] == 64


def test_any_latency_is_that_of_requests_with_an_answer() -> None:
    """Half of the requests fail from 128 on: the first token of the others came in time."""
    summary = a_load_summary("errors")
    for cell in summary["cells"]:
        cell["metrics"]["first_token_ms"] = dict(cell["metrics"][LATENCY])
    summary["metrics"].append({**summary["metrics"][1], "name": "first_token_ms"})
    slo = judged(summary, {"metric": "first_token_ms", "statistic": "p99", "le": 1e6})["slo"][0]
    assert (slo["answer"], slo["fails_from"]) == (8, 16)


def test_the_peak_is_of_a_level_that_answers() -> None:
    curve = a_load_summary("errors")["load"][0]
    assert curve["peak_throughput"]["level"] <= 8
    assert curve["tail_at_peak"]["level"] == curve["peak_throughput"]["level"]


def disturbed(count: int) -> dict[str, Any]:
    summary = a_load_summary("plateau")
    for cell in summary["cells"][:count]:
        cell["verdict"] = "CONTAMINATED"
    return judged(summary)


def test_no_knee_is_told_of_levels_that_other_work_disturbed() -> None:
    curve = disturbed(6)
    assert curve["knee"]["verdict"] == "REFUSED"
    assert curve["knee"]["reason"] == "other work used the machine at 6 of 8 levels"
    doubt = "Read with care: CONTAMINATED at 1, 2, 4, 8 and 2 more."
    assert curve["recommended"]["text"].endswith(doubt)
    assert curve["slo"][0]["text"].endswith(doubt)


def test_three_levels_without_a_neighbour_keep_the_knee() -> None:
    knee = disturbed(5)["knee"]
    assert knee["verdict"] == "FOUND"
    assert "Read with care: CONTAMINATED at 1, 2, 4, 8 and 1 more." in knee["text"]


def test_a_refused_knee_tells_its_reason_once() -> None:
    curve = disturbed(6)
    (shown,) = sections({**a_load_summary("plateau"), "load": [{"curve": "k01", **curve}]})
    assert shown["knee"]["text"].startswith(f"No knee is told: {curve['knee']['reason']}.")
    assert shown["knee"]["reason"] is None


def test_a_knee_beyond_the_levels_tells_the_gain_beside_its_text() -> None:
    (shown,) = sections(a_load_summary("linear"))
    assert shown["knee"]["reason"].startswith("throughput still gains")
