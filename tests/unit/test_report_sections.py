"""The parts of a report, each from a summary whose truth is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from load_summaries import a_load_summary

from specc.collate.rooms import report_room
from specc.kinds import KINDS
from specc.reporting import one_page, vega
from specc.reporting.drawings import Drawings
from specc.reporting.front import warnings
from specc.reporting.report import HEADINGS, page, report_files
from specc.reporting.sections import again, method, nodes
from specc.reporting.tabulate import html_code, without_ticks

NOTHING_DRAWN = Drawings(items=(), files={})


def test_what_stands_between_backticks_is_code_on_the_page_and_plain_on_paper() -> None:
    text = "as often as `warmup` & <b>"
    assert html_code(text) == "as often as <code>warmup</code> &amp; &lt;b&gt;"
    assert without_ticks(text) == "as often as warmup & <b>"


def pages(summary: dict[str, Any]) -> dict[str, Any]:
    return page(summary, report_room(summary["kind"]), NOTHING_DRAWN)


def answers(summary: dict[str, Any]) -> dict[str, Any]:
    """Return `one_page` of report.json."""
    files = report_files(summary, report_room(summary["kind"]), NOTHING_DRAWN)
    found: dict[str, Any] = json.loads(files["report.json"])["one_page"]
    return found


def machine(host: str, **changes: Any) -> dict[str, Any]:
    hardware = {
        "cpu": {"model": "a CPU", "cores": 8},
        "gpus": [],
        "memory": {"total_bytes": 2**33},
        **changes.pop("hardware", {}),
    }
    environment = {"name": "default", "mode": "inherit", "packages": {"numpy": "2.0"}}
    found = {
        **{"host": host, "hardware": hardware, "python": "3.11", "network": "isolated"},
        **{"bundle_verified": "full", "launches": [], "environment": environment},
    }
    return {**found, **changes}


def test_the_first_page_answers_a_load_study_in_numbers() -> None:
    found = answers(a_load_summary("plateau"))
    assert found["max_sustainable_concurrency"]["value"] == 32
    assert found["slo"]["verdict"] == "MET"
    assert found["knee"]["value"] == pytest.approx(8, rel=0.1)
    assert found["peak_throughput"]["value"] == pytest.approx(800, rel=0.05)
    assert found["tail_latency_at_peak"]["unit"] == "ms"


def test_where_to_operate_is_told_instead_of_the_point_with_most_throughput() -> None:
    summary = a_load_summary("plateau")
    found = answers(summary)["best_operating_point"]
    assert found["value"] == summary["load"][0]["recommended"]["high"]
    assert found["value"] < summary["load"][0]["peak_throughput"]["level"]
    assert found["why"].startswith("Operate at")


def test_an_objective_names_the_load_up_to_which_it_is_met() -> None:
    assert answers(a_load_summary("plateau"))["slo"]["text"] == "met up to concurrency 32"


def test_answers_of_two_runs_name_their_run() -> None:
    summary = a_load_summary("plateau")
    [curve] = summary["load"]
    summary["load"] = [{**curve, "run_id": run, "axes": {}} for run in ("r1", "r2")]
    labels = [one["label"] for one in pages(summary)["decisions"] if one["key"] == "knee"]
    assert labels == ["Where it saturates (run r1)", "Where it saturates (run r2)"]


def test_an_answer_that_rests_on_doubted_levels_is_not_shown_as_a_good_one() -> None:
    summary = a_load_summary("plateau")
    summary["load"][0]["points"][1]["verdict"] = "CONTAMINATED"
    kinds = {one["key"]: one["kind"] for one in pages(summary)["decisions"]}
    assert kinds["knee"] == kinds["slo"] == "warn"


def test_an_objective_that_no_load_meets_has_no_largest_load() -> None:
    found = answers(a_load_summary("never_meets"))
    assert found["slo"]["verdict"] == "NOT_MET"
    assert found["max_sustainable_concurrency"]["text"] is None


def test_a_refused_knee_says_why_instead_of_a_number() -> None:
    found = answers(a_load_summary("few_levels"))
    assert found["knee"]["text"] is None
    assert found["knee"]["reason"]


def test_a_load_without_an_objective_says_that_none_was_asked_for() -> None:
    summary = a_load_summary("plateau")
    summary["load"][0]["slo"] = []
    assert answers(summary)["slo"] == {"text": None, "reason": "not asked: no SLO in the spec"}


def test_many_curves_are_folded_into_one_answer_each() -> None:
    summary = a_load_summary("plateau")
    curve = summary["load"][0]
    summary["load"] = [{**curve, "curve": f"k{n:02d}", "axes": {"model": n}} for n in range(5)]
    found = answers(summary)
    assert found["slo"]["text"] == "met by 5 of 5 curves"
    assert found["max_sustainable_concurrency"]["text"] == "32 over 5 of 5 curves"


def test_a_study_without_a_load_axis_says_so_once() -> None:
    summary = {**a_load_summary("plateau"), "load": []}
    reasons = [one["reason"] for one in pages(summary)["not_asked"]]
    told = "does not apply: the spec declares no load axis (analysis.load)"
    assert reasons.count(told) == 1


def test_sections_stand_in_one_order_and_only_where_they_say_something() -> None:
    found = list(pages(a_load_summary("plateau"))["headings"])
    assert found == [name for name in HEADINGS if name in found]
    assert {"comparison", "gates", "series", "failures", "bottleneck"} & set(found) == set()
    assert "saturation" in found


def a_gate(role: str, verdict: str) -> dict[str, Any]:
    return {
        **{"role": role, "metric": "latency_ms", "statistic": "p99", "where": None, "op": "le"},
        **{"limit": 100.0, "relative_to": None, "unit": "ms", "verdict": verdict, "reason": None},
        "cells": [{"cell": "c0001", "value": 20.0, "low": 19.0, "high": 21.0, "verdict": verdict}],
        "text": f"of 1 cell 1 {verdict}",
    }


def test_gates_and_objectives_are_told_apart() -> None:
    summary = {**a_load_summary("plateau"), "load": []}
    summary["gates"] = [a_gate("gate", "FAIL"), a_gate("gate", "PASS"), a_gate("slo", "PASS")]
    found = answers(summary)
    assert (found["gates"]["text"], found["gates"]["verdict"]) == ("1 of 2 pass", "FAIL")
    assert (found["slo"]["text"], found["slo"]["verdict"]) == ("1 of 1 are kept", "MET")
    rows = pages(summary)["gates"]["rows"]
    assert [row[0]["text"] for row in rows] == ["p99 of Latency ms ≤ 100 ms"] * 3


def a_comparison(**changes: Any) -> dict[str, Any]:
    side = {"path": "x", "bundle": "study-000000000000", "run": "r1", "name": "study"}
    row = {
        **{"axes": {"size": 1}, "metric": "time_s", "label": "Time", "statistic": "value"},
        **{"unit": "s", "baseline": 1.0, "current": 1.1, "delta_abs": 0.1, "delta_pct": 10.0},
        **{"low_pct": 8.0, "high_pct": 12.25, "verdict": "FAIL", "note": None},
        "effect_text": "+10 % (+8 % to +12.2 %)",
    }
    head = {"finding": "Time: +10 %", "text": "Time: +10 %; worse", "effect_pct": 10.0}
    primary = {**head, "verdict": "FAIL"}
    return {
        **{"baseline": side, "current": {**side, "run": "r2"}, "comparable": True, "why_not": []},
        **{"differences": [], "across": ["driver"], "gate": "FAIL", "primary": primary},
        **{"primaries": [primary], "alarm": 0.0, "tolerate": 5.0, "rows": [row], "text": "FAIL"},
        **changes,
    }


def test_the_comparison_has_its_verdict_on_the_first_page_and_a_row_for_each_point() -> None:
    summary = {**a_load_summary("plateau"), "comparison": a_comparison()}
    shown = pages(summary)
    found = answers(summary)["comparison"]
    assert (found["text"], found["why"], found["verdict"]) == ("Time: +10 %", "worse", "FAIL")
    assert [cell["text"] for cell in shown["comparison"]["rows"]["rows"][0]] == [
        *("size 1", "Time", "1 s", "1.1 s", "+10.0 %", "FAIL", ""),
    ]
    assert shown["comparison"]["across"] == ["driver"]


def test_what_must_not_be_compared_is_listed_and_has_no_number() -> None:
    differs = [{"what": "driver", "baseline": "550", "current": "560"}]
    refused = {"comparable": False, "text": "not comparable: they differ", "rows": []}
    comparison = a_comparison(why_not=differs, primary=None, primaries=[], **refused)
    summary = {**a_load_summary("plateau"), "comparison": comparison}
    found = answers(summary)["comparison"]
    assert found == {"text": None, "reason": "not comparable, they differ in: driver"}
    assert pages(summary)["comparison"]["refused"] == "Not comparable: they differ."
    rows = pages(summary)["comparison"]["why_not"]["rows"]
    assert [cell["text"] for cell in rows[0]] == ["driver", "550", "560"]


def test_a_number_that_is_not_valid_has_its_verdict_beside_it() -> None:
    (row,) = a_comparison()["rows"]
    row |= {"verdict_baseline": "VALID", "verdict_current": "NOT_STEADY"}
    summary = {**a_load_summary("plateau"), "comparison": a_comparison(rows=[row])}
    _, _, baseline, current, *_ = pages(summary)["comparison"]["rows"]["rows"][0]
    assert (baseline["text"], baseline["note"]) == ("1 s", "")
    assert (current["text"], current["note"]) == ("1.1 s", "NOT STEADY")


def test_a_bottleneck_is_told_once_with_its_evidence() -> None:
    summary = a_load_summary("plateau")
    told = {
        **{"class": "gpu_memory", "evidence": ["92 % of 80 GiB at 8"], "confidence": "high"},
        **{"next_actions": ["a larger GPU"], "missing": [], "reason": None, "tied": ["power"]},
    }
    summary["load"] = [{**summary["load"][0], "axes": {"n": n}, "bottleneck": told} for n in (1, 2)]
    (found,) = pages(summary)["bottleneck"]
    assert (found["answer"], found["title"]) == ("gpu memory (with power)", "n 1; n 2")
    assert found["evidence"] == ["92 % of 80 GiB at 8"]


def test_issues_put_failures_before_verdicts_before_warnings() -> None:
    summary = a_load_summary("plateau")
    summary["failures"] = [{"category": "timeout"}] * 2 + [{"category": "oom_gpu"}]
    summary["verdict_groups"] = [
        {"verdict": "CONTAMINATED", "cause": "a foreign process", "cells": ["c0001"], "count": 1}
    ]
    found = one_page.issues(summary, ["Input x is not pinned."])
    assert [one["text"] for one in found] == [
        "3 tasks failed: timeout (2), oom_gpu (1).",
        "CONTAMINATED at 1 point: a foreign process.",
        "Input x is not pinned.",
    ]


def test_nodes_that_are_alike_are_one_row_and_only_differing_facts_are_columns() -> None:
    summary = a_load_summary("plateau")
    other = {"gpus": [{"name": "H100"}, {"name": "H100"}]}
    summary["machines"] = [machine("n1"), machine("n2"), machine("n3", hardware=other)]
    found = nodes.environment(summary)
    table = found["differences"]
    assert [column["name"] for column in table["columns"]] == ["nodes", "GPU"]
    rows = [[cell["text"] for cell in row] for row in table["rows"]]
    assert rows == [["n1, n2", "none"], ["n3", "2 x H100"]]
    assert {"term": "CPU", "text": "a CPU (8 cores)"} in found["common"]


def test_only_packages_that_differ_are_compared() -> None:
    summary = a_load_summary("plateau")
    packages = [{"a": "1", "b": "1"}, {"a": "1", "b": "2", "c": "3"}]
    environments = [{"name": "default", "mode": "venv", "packages": each} for each in packages]
    summary["machines"] = [
        machine(f"n{n}", environment=each) for n, each in enumerate(environments)
    ]
    found = nodes.environment(summary)
    assert found["packages"] == "a 1"
    columns = [column["name"] for column in found["differences"]["columns"]]
    assert columns == ["nodes", "package b", "further packages"]


def test_packages_beyond_the_columns_are_told_below_the_table() -> None:
    summary = a_load_summary("plateau")
    each = [{f"p{n}": version for n in range(6)} for version in ("1", "2")]
    summary["machines"] = [
        machine(f"n{n}", environment={"name": "d", "mode": "venv", "packages": one})
        for n, one in enumerate(each)
    ]
    found = nodes.environment(summary)
    assert len(found["differences"]["columns"]) == 5
    assert found["more"] == [{"term": f"package p{n}", "text": "1; 2"} for n in (4, 5)]


def test_reproducibility_has_the_names_that_programs_look_for() -> None:
    summary = {**a_load_summary("plateau"), "reproduce": ["# on a cluster", "(cd b && sbatch j)"]}
    found = again.document(summary)
    assert found["rerun_command"] == "(cd b && sbatch j)"
    assert (found["recipe_sha256"], found["image"], found["node"]) == (None, None, [])


def test_the_image_of_a_container_stands_in_the_reproduction_with_its_digest() -> None:
    image = {"mode": "container", "image": "images/box.sif", "image_digest": "sha256:0a1b"}
    bundle = {
        **{"bundle_id": "b-000000000000", "manifest_sha256": "0" * 64, "specc_version": "0.1.0"},
        "environments": {"box": {**image, "lock_sha256": None}, "default": {"mode": "inherit"}},
    }
    summary = {**a_load_summary("plateau"), "bundles": [bundle]}
    assert again.document(summary)["image"] == "sha256:0a1b"
    terms = again.section(summary)["bundles"][0]["terms"]
    assert {"term": "Environment box", "text": "container, image images/box.sif (sha256:0a1b)"} in (
        terms
    )


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "specc"


def test_the_chart_script_is_kept_once_with_its_hash(cache: Path) -> None:
    made = vega.vega_script()
    (kept,) = cache.iterdir()
    assert "</script" not in made
    assert vega.vega_script() == made
    kept.write_bytes(kept.read_bytes() + b"evil()")
    assert vega.vega_script() == made


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert "vegaEmbed" in vega.vega_script()


def a_series(change_point: dict[str, Any] | None, text: str) -> dict[str, Any]:
    runs = [
        {"run_id": f"r{n}", "bundle_id": "b", "value": 10.0 + n, "low": 9.0 + n, "high": 11.0 + n}
        for n in range(3)
    ]
    return {
        **{"metric": "latency_ms", "axes": {"concurrency": 1}, "runs": runs, "trend": None},
        **{"change_point": change_point, "text": text},
    }


def test_only_series_that_changed_are_told_run_by_run() -> None:
    summary = a_load_summary("plateau")
    summary["series"] = [a_series({"p": 0.001}, "higher since r1"), a_series(None, "too few runs")]
    shown = pages(summary)
    assert [one["text"] for one in shown["series"]] == ["higher since r1"]
    rows = [[cell["text"] for cell in row] for row in shown["series_table"]["rows"]]
    assert rows == [
        ["concurrency 1", "Latency ms", "3", "10 ms", "12 ms", "yes", "higher since r1"],
        ["concurrency 1", "Latency ms", "3", "10 ms", "12 ms", "not shown", "–"],
    ]
    assert shown["series_table"]["notes"] == ["too few runs"]


def test_the_methodology_says_how_a_study_was_planned() -> None:
    summary = a_load_summary("plateau")
    summary["design"] = {
        **{"points": 8, "analysis": {}},
        "repetitions": {"n": 5, "order": "random", "block": "job", "seed": 3},
    }
    files = report_files(summary, report_room(summary["kind"]), NOTHING_DRAWN)
    found = json.loads(files["report.json"])["methodology"]
    assert found["scenario"] == "8 points over concurrency (8), each measured 5 times."
    assert found["concurrency_model"].startswith("The loop is closed")
    assert "(seed 3)" in found["Order and blocks"]
    assert found["warmup"].startswith("None of ours")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_what_becomes_of_warm_ups(kind: str) -> None:
    summary = a_load_summary("plateau")
    found = method.document(summary, report_room(kind))
    assert found["warmup"] == dict(report_room(kind).methodology())["Warm-up"]


def test_points_too_brief_to_see_neighbours_are_told_before_anybody_relies_on_them() -> None:
    summary = a_load_summary("plateau")
    reason = "sampled once a second: a point must be timed for 3 s and more at a time"
    brief = {"cells": ["c0001", "c0002"], "missing": [f"cpu_util_pct, own_cpu_pct: {reason}"]}
    told = "Whether other programs used the CPUs was not seen at 2 points"
    assert not any(text.startswith(told) for text in warnings(summary))
    assert any(text.startswith(told) for text in warnings({**summary, "bottleneck": [brief]}))


def test_an_objective_that_a_load_curve_answers_is_no_row_of_the_gates() -> None:
    summary = a_load_summary("plateau")
    asked = {key: summary["load"][0]["slo"][0][key] for key in ("metric", "statistic", "op")}
    gate = {**asked, "cells": [], "verdict": "INCONCLUSIVE", "text": "", "role": "slo"}
    limit = summary["load"][0]["slo"][0]["limit"]
    summary["gates"] = [{**gate, "limit": limit}, {**gate, "limit": 7.0}]
    assert len(pages(summary)["gates"]["rows"]) == 1
