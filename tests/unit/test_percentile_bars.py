"""Bars of latency percentiles: which are drawn, what they are called, what is told of them."""

from __future__ import annotations

from typing import Any

import pytest
from load_summaries import LATENCY, a_load_summary

from specc.reporting.drawings import Drawing, themed_svg_png
from specc.reporting.percentile_bars import percentile_drawings


def bars(summary: dict[str, Any]) -> Drawing:
    (drawing,) = percentile_drawings(summary)
    return drawing


def rows(drawing: Drawing) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = drawing.document["data"]["values"]
    return found


def of_runs(summary: dict[str, Any]) -> dict[str, Any]:
    """Return a summary whose p50 and p90 are known for each repetition too: 10 and 20 to 90 ms."""
    for place, cell in enumerate(summary["cells"], start=1):
        for name, value in (("p50", 10.0), ("p90", 10.0 * (place + 1))):
            one = {"value": value, "low": value - 1, "high": value + 1, "n": 5}
            cell["metrics"][LATENCY]["statistics"][name] = one
        cell["metrics"][LATENCY]["distribution"] = None
        del cell["metrics"][LATENCY]["statistics"]["p99"]
    return summary


def test_the_title_says_how_far_the_tail_lies_from_the_median_and_where() -> None:
    drawing = bars(of_runs(a_load_summary("plateau")))
    title = "p90 of Latency ms is at most 9 times its median, at concurrency 128"
    assert drawing.figure.title == title
    assert themed_svg_png(drawing.document)[1].startswith(b"\x89PNG")


@pytest.mark.parametrize("median", [0.0, -1.0])
def test_nothing_is_so_many_times_a_median_that_is_not_above_zero(median: float) -> None:
    summary = of_runs(a_load_summary("plateau"))
    summary["cells"][2]["metrics"][LATENCY]["statistics"]["p50"]["value"] = median
    assert bars(summary).figure.title == "Percentiles of Latency ms over the load"


def test_at_most_six_levels_stand_beside_each_other() -> None:
    drawing = bars(of_runs(a_load_summary("plateau")))
    assert list(dict.fromkeys(row["x"] for row in rows(drawing))) == [
        *("1", "2", "8", "16", "64", "128"),
    ]
    assert "6 of 8 levels" in drawing.caption


def test_each_bar_is_the_centre_over_repetitions_with_its_interval() -> None:
    first, second, *_ = rows(bars(of_runs(a_load_summary("plateau"))))
    assert (first["series"], first["value"], first["low"], first["high"]) == ("p50", 10, 9, 11)
    assert (second["series"], second["value"]) == ("p90", 20)


def test_what_only_all_repetitions_together_have_is_faint_and_without_interval() -> None:
    drawing = bars(a_load_summary("plateau"))
    assert {row["series"] for row in rows(drawing) if row["spread"] == "pooled"} == {
        *("p50", "p90", "p95"),
    }
    assert "Faint: pooled over the repetitions" in drawing.caption


def test_levels_that_are_not_sound_are_named() -> None:
    summary = a_load_summary("plateau")
    summary["load"][0]["points"][1]["verdict"] = "CONTAMINATED"
    assert bars(summary).document["title"]["subtitle"] == ["Read with care: CONTAMINATED at 2"]


@pytest.mark.parametrize("latency", [LATENCY, None])
def test_a_latency_without_percentiles_has_no_bars(latency: str | None) -> None:
    summary = a_load_summary("plateau")
    summary["load"][0]["latency"] = latency
    for cell in summary["cells"]:
        cell["metrics"][LATENCY] |= {"statistics": None, "distribution": None}
    assert percentile_drawings(summary) == ()
