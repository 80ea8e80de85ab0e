"""Load curves of a summary: what is said of truths that are known, word for word."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from load_summaries import CASES, Case, a_load_summary, an_analysis, plateau

from specc.collate.curves.load import load_curves

SCHEMA = Path(__file__).parents[2] / "schema" / "contract" / "summary.schema.json"


def a_curve(name: str = "plateau", **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = a_load_summary(name, **options)["load"][0]
    return found


def judged_anew(summary: Mapping[str, Any], **load: Any) -> dict[str, Any]:
    """Judge a summary of the plateau again, with other words in analysis.load."""
    analysis = an_analysis(CASES["plateau"])
    found: dict[str, Any] = load_curves(
        summary, {**analysis, "load": {**analysis["load"], **load}}
    )[0]
    return found


@pytest.mark.parametrize("name", CASES)
def test_each_truth_gets_its_verdict(name: str) -> None:
    assert a_curve(name)["knee"]["verdict"] == CASES[name].verdict


@pytest.mark.parametrize("name", [name for name in CASES if name != "noisy"])
def test_each_objective_gets_its_answer(name: str) -> None:
    assert a_curve(name)["slo"][0]["answer"] == CASES[name].answer


@pytest.mark.parametrize(("name", "model"), [("plateau", "hinge"), ("usl", "usl")])
def test_the_knee_lies_near_the_truth_and_names_its_model(name: str, model: str) -> None:
    knee = a_curve(name)["knee"]
    truth = CASES[name].knee
    assert truth is not None
    assert knee["model"] == model
    assert knee["value"] == pytest.approx(truth, rel=0.05)
    assert knee["low"] < knee["value"] < knee["high"]


@pytest.mark.parametrize("name", CASES)
def test_curves_have_the_shape_of_the_contract(name: str) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    rule = {**schema["$defs"]["load_curve"], "$defs": schema["$defs"]}
    curve = json.loads(json.dumps(a_curve(name)))
    assert [error.message for error in Draft202012Validator(rule).iter_errors(curve)] == []


def test_a_growing_curve_says_where_to_go_on() -> None:
    assert a_curve("linear")["knee"]["text"] == (
        "Throughput still grows at 128: the knee was not reached; extend beyond 128."
    )


def test_few_levels_are_refused_with_their_number() -> None:
    knee = a_curve("few_levels")["knee"]
    assert knee["reason"] == "3 usable levels of load, a knee needs 5"
    assert (knee["value"], knee["low"], knee["high"]) == (None, None, None)


def test_levels_with_errors_are_left_out_and_named() -> None:
    left_out = a_curve("errors")["knee"]["left_out"]
    assert [each["level"] for each in left_out] == [16, 32, 64, 128]
    assert left_out[0]["reason"] == "8 % of the requests failed"


def test_a_share_of_errors_without_a_unit_is_not_taken_for_percent() -> None:
    summary = a_load_summary("plateau")
    for cell in summary["cells"]:
        cell["metrics"]["error_pct"]["value"] = 0.02
    summary["metrics"][2]["unit"] = "1"
    assert {point["errors"] for point in judged_anew(summary)["points"]} == {2.0}


def test_a_percentile_is_not_met_where_more_requests_fail_than_lie_above_it() -> None:
    slo = a_curve("errors")["slo"][0]
    assert (slo["answer"], slo["fails_from"]) == (8, 16)


def test_an_objective_met_at_the_last_level_is_met_up_to_at_least_there() -> None:
    slo = a_curve("linear")["slo"][0]
    assert slo["at_least"] is True
    assert "up to at least concurrency 128" in slo["text"]


def test_an_objective_that_is_never_met_leaves_no_range() -> None:
    curve = a_curve("never_meets")
    assert curve["slo"][0]["verdict"] == "NOT_MET"
    assert curve["recommended"] is None
    assert curve["recommended_reason"] == "an objective is not shown to be met at any load"


def test_a_range_ends_below_the_knee_where_the_objective_allows_more() -> None:
    assert a_curve("plateau")["recommended"] == {
        "low": 7,
        "high": 7,
        "bound": "below",
        "text": "Operate at 7 (concurrency): below the knee, and with at least 80 % of the"
        " throughput that can be had there.",
    }


def test_a_range_ends_with_the_objective_where_the_knee_allows_more() -> None:
    found = a_curve("usl")["recommended"]
    assert (found["low"], found["high"], found["bound"]) == (16, 32, "objective")


def test_peak_and_tail_are_of_the_same_level() -> None:
    curve = a_curve("usl")
    best = max(curve["points"], key=lambda point: point["throughput"]["value"])
    assert curve["peak_throughput"]["level"] == curve["tail_at_peak"]["level"] == best["level"]
    assert curve["tail_at_peak"]["value"] == best["tail"]["value"]


def test_without_repetitions_neither_knee_nor_objective_is_told() -> None:
    curve = a_curve("plateau", repetitions=1)
    assert curve["knee"]["reason"] == "too few repetitions: the spread between runs is not known"
    assert curve["slo"][0]["verdict"] == "UNDECIDED"


def test_a_client_that_is_the_limit_makes_no_plateau() -> None:
    summary = a_load_summary("plateau")
    for cell in summary["cells"][3:]:
        cell["verdict"] = "CLIENT_LIMITED"
    knee = judged_anew(summary)["knee"]
    assert knee["verdict"] == "REFUSED"
    assert knee["left_out"][0] == {"level": 8, "reason": "the client was the limit"}


def test_growth_up_to_levels_that_failed_is_no_call_to_extend() -> None:
    case = Case(
        curve=plateau,
        levels=(1, 2, 3, 4, 6, 16, 32),
        errors=lambda load: 50.0 if load > 6 else 0.0,
        verdict="REFUSED",
    )
    knee = a_curve(case=case)["knee"]
    assert knee["verdict"] == "REFUSED"
    assert knee["reason"] == "throughput still grows at 6, and the levels beyond are not usable"


def test_times_in_the_wrong_unit_break_littles_law() -> None:
    summary = a_load_summary("plateau")
    for metric in summary["metrics"]:
        if metric["name"] == "latency_ms":
            metric["unit"] = "s"
    curve = judged_anew(summary)
    assert {point["little"]["ok"] for point in curve["points"]} == {False}
    assert curve["knee"]["verdict"] == "REFUSED"
    assert curve["slo"][0]["verdict"] == "UNDECIDED"


def test_an_open_loop_without_requests_in_flight_is_not_audited() -> None:
    curve = judged_anew(a_load_summary("plateau"), loop="open")
    assert curve["points"][0]["little"] == {
        "ratio": None,
        "ok": None,
        "reason": "how many requests were in flight is not known",
    }
    assert curve["knee"]["verdict"] == "FOUND"


def test_a_statistic_that_no_cell_has_is_null_with_its_reason() -> None:
    curve = judged_anew(a_load_summary("plateau"), latency="requests_per_s")
    assert curve["points"][0]["tail"] == {
        "value": None,
        "low": None,
        "high": None,
        "reason": "a run has one value, and no p99 of several",
    }


def test_each_combination_of_the_other_axes_is_a_curve() -> None:
    summary = a_load_summary("plateau")
    doubled = [
        {**cell, "axes": {**cell["axes"], "size": size}}
        for cell in summary["cells"]
        for size in ("small", "large")
    ]
    found = load_curves({**summary, "cells": doubled}, an_analysis(CASES["plateau"]))
    assert [(each["curve"], each["axes"]) for each in found] == [
        ("k01", {"size": "small"}),
        ("k02", {"size": "large"}),
    ]


def test_an_objective_holds_only_where_it_says() -> None:
    summary = a_load_summary("plateau")
    analysis = an_analysis(CASES["plateau"])
    analysis["slo"][0]["where"] = {"concurrency": {"le": 8}}
    found = load_curves(summary, analysis)[0]["slo"][0]
    assert (found["answer"], found["at_least"]) == (8, True)


def test_a_study_without_a_load_has_no_curves() -> None:
    assert load_curves(a_load_summary("plateau"), {}) == []


def test_disturbed_levels_are_named_beside_knee_and_answer() -> None:
    summary = a_load_summary("plateau")
    for cell in summary["cells"][:2]:
        cell["verdict"] = "CONTAMINATED"
    curve = judged_anew(summary)
    for text in (curve["knee"]["text"], curve["slo"][0]["text"]):
        assert text.endswith("Read with care: CONTAMINATED at 1, 2.")
