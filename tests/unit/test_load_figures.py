"""Plots of load curves: what they say, what is laid over them, and that they can be drawn."""

from __future__ import annotations

from typing import Any

import pytest
from load_summaries import CASES, a_load_summary

from specc.reporting.drawings import Drawing, themed_svg_png
from specc.reporting.load_figures import load_drawings


def plots(name: str) -> tuple[Drawing, Drawing]:
    throughput, tail = load_drawings(a_load_summary(name))
    return throughput, tail


def marked(drawing: Drawing, kind: str) -> list[dict[str, Any]]:
    """Return the layers of a kind of mark that carry rows of their own."""
    layers = [layer for layer in drawing.document["layer"] if "data" in layer]
    return [layer for layer in layers if layer["mark"]["type"] == kind]


def words(drawing: Drawing) -> list[str]:
    return [layer["data"]["values"][0]["word"] for layer in marked(drawing, "text")]


@pytest.mark.parametrize("name", CASES)
def test_both_plots_of_every_truth_can_be_drawn(name: str) -> None:
    for drawing in plots(name):
        svg, png = themed_svg_png(drawing.document)
        assert svg.startswith(b"<svg")
        assert png.startswith(b"\x89PNG")


def test_titles_say_what_was_found() -> None:
    throughput, tail = plots("usl")
    assert throughput.figure.title.startswith("Throughput peaks at 43.7 (")
    assert tail.figure.title.startswith(
        "p99 of Latency ms stays at most 100 ms up to concurrency 32"
    )


def test_the_knee_is_shaded_over_its_interval() -> None:
    summary = a_load_summary("usl")
    knee = summary["load"][0]["knee"]
    shaded = marked(load_drawings(summary)[0], "rect")[-1]["data"]["values"][0]
    assert (shaded["low"], shaded["high"]) == (knee["low"], knee["high"])


def test_knee_range_and_limit_have_their_words() -> None:
    throughput, tail = plots("plateau")
    assert words(throughput) == ["operate here", "knee 7.74"]
    assert words(tail) == ["operate here", "knee 7.74", "limit 100 ms"]


def test_no_knee_is_drawn_where_none_was_found() -> None:
    throughput, _ = plots("few_levels")
    assert words(throughput) == ["operate here"]
    assert marked(throughput, "line") == []


def test_points_that_the_curve_leaves_out_are_hollow_and_counted() -> None:
    throughput, _ = plots("errors")
    told = throughput.document["title"]["subtitle"]
    assert told == ["Hollow points: left out of the curve (4)"]


def test_geometric_loads_stand_on_a_log_axis_with_every_level() -> None:
    throughput, _ = plots("plateau")
    points = next(each for each in throughput.document["layer"] if "shape" in each["encoding"])
    assert points["encoding"]["x"]["scale"]["type"] == "log"
    assert points["encoding"]["x"]["axis"]["values"] == [1, 2, 4, 8, 16, 32, 64, 128]


def test_a_limit_far_above_is_told_and_not_drawn() -> None:
    summary = a_load_summary("plateau")
    summary["load"][0]["slo"][0]["limit"] = 1e6
    _, tail = load_drawings(summary)
    assert "limit 100 ms" not in words(tail)
    assert tail.document["title"]["subtitle"] == ["The limit of 1 M ms lies far above"]


def test_a_curve_without_a_latency_has_one_plot() -> None:
    summary = a_load_summary("plateau")
    summary["load"][0]["latency"] = None
    assert [each.figure.name for each in load_drawings(summary)] == ["load_throughput_k01"]


def test_a_tail_that_no_point_has_gives_its_reason() -> None:
    summary = a_load_summary("plateau")
    for point in summary["load"][0]["points"]:
        point["tail"] = {"value": None, "low": None, "high": None, "reason": "a run has one value"}
    _, tail = load_drawings(summary)
    assert (tail.empty, tail.points) == ("a run has one value", 0)


def test_other_axes_stand_before_the_finding() -> None:
    summary = a_load_summary("plateau")
    summary["load"][0]["axes"] = {"device": "cpu"}
    assert load_drawings(summary)[0].figure.title.startswith("device cpu: Throughput stops")


def test_a_study_without_load_has_no_such_plot() -> None:
    assert load_drawings({**a_load_summary("plateau"), "load": []}) == ()
