"""The documents of a comparison: what stands beside a number, and why two runs were refused."""

from __future__ import annotations

from typing import Any

import pytest
from compared import LATENCY, RATE, a_cell, a_metric, a_side, a_summary, latencies, side_of, steady

from specc.comparing.compare import compare_sides, not_comparable
from specc.comparing.gate import Gate, Gated
from specc.comparing.refusals import OtherStudy
from specc.reporting.comparison_page import comparison_files

GATE = Gate(metrics=(Gated(metric="latency_ms"),))
NEIGHBOUR = ("CONTAMINATED", "other programs used 2.1 CPUs")


def beside_a_neighbour() -> dict[str, Any]:
    """Return a comparison whose current side was measured beside another program."""
    cell = a_cell("c0001", {"size": 1}, latencies(20.0)[0], [LATENCY])
    cell["metrics"]["latency_ms"] = a_metric(LATENCY, steady(20.0), causes=[NEIGHBOUR])
    current = side_of(a_summary([cell]))
    return compare_sides(a_side(latencies(10.0)), current, GATE, across=())


def test_each_side_of_a_row_carries_its_verdict() -> None:
    (row,) = beside_a_neighbour()["rows"]
    assert (row["verdict_baseline"], row["verdict_current"]) == ("VALID", "CONTAMINATED")


def test_a_verdict_stands_beside_its_number_on_both_pages() -> None:
    files = comparison_files(beside_a_neighbour())
    assert b"| 10 ms | 20 ms (CONTAMINATED) |" in files["comparison.md"]
    assert b'20 ms<small class="warn">CONTAMINATED</small>' in files["comparison.html"]
    assert files["comparison.md"].startswith(b"# INCONCLUSIVE\n")


def test_valid_numbers_stand_alone() -> None:
    found = compare_sides(a_side(latencies(10.0)), a_side(latencies(10.0)), GATE, across=())
    assert b"| 10 ms | 10 ms |" in comparison_files(found)["comparison.md"]


def test_a_page_of_two_studies_says_that_they_are_two() -> None:
    old, new = a_side(latencies(10.0)), a_side(latencies(10.0))
    new.summary["name"] = "storage"
    new.summary["cells"][0].update(axes={"clients": 1}, tasks=["f" * 16])
    with pytest.raises(OtherStudy) as caught:
        compare_sides(old, new, GATE)
    page = comparison_files(not_comparable(old, new, caught.value, ()))["comparison.md"].decode()
    assert "Not comparable: they are different studies." in page
    assert "| study | study (command over size;" in page


def test_one_comparison_is_no_family() -> None:
    page = comparison_files(beside_a_neighbour())["comparison.md"].decode()
    assert "- If nothing became worse, the chance of a FAIL is at most 2.5 %.\n" in page
    assert "one family" not in page


def test_what_was_held_against_several_runs_is_told_once() -> None:
    cell = a_cell("c0001", {"size": 1}, latencies(20.0)[0], [LATENCY])
    causes = [("CONTAMINATED", f"other programs used {cpus} CPUs") for cpus in ("2.1", "3.4")]
    cell["metrics"]["latency_ms"] = a_metric(LATENCY, steady(20.0), causes=causes)
    found = compare_sides(a_side(latencies(10.0)), side_of(a_summary([cell])), GATE)
    assert found["rows"][0]["note"] == "current CONTAMINATED: other programs used 2.1 to 3.4 CPUs"


def test_each_gated_row_carries_the_thresholds_it_was_held_against() -> None:
    gate = Gate(metrics=(Gated(metric="latency_ms", alarm=3.0, tolerate=7.0),))
    points = [{**latencies(10.0)[0], "rate": steady(5.0)}]
    old, new = (a_side(points, (LATENCY, RATE)) for _ in range(2))
    rows = compare_sides(old, new, gate)["rows"]
    found = {row["metric"]: (row["alarm"], row["tolerate"]) for row in rows}
    assert found == {"latency_ms": (3.0, 7.0), "rate": (None, None)}
