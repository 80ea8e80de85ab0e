"""Plots: colours that everybody can tell apart, intervals, axes, marks of doubt, files."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import numpy as np
import pytest

from specc.kinds.axes import axis_title
from specc.kinds.base import Figure
from specc.kinds.command.report import figures
from specc.kinds.sentences import interval
from specc.reporting import marks, themes
from specc.reporting.drawings import framed, themed_svg_png
from specc.reporting.figures import drawing

# Machado, Oliveira and Fernandes (2009), severity 1.0, on linear RGB
SIGHT = {
    "full": np.eye(3),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.01182, 0.04294, 0.968881],
        ]
    ),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
}
TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.072175],
        [0.0193339, 0.119192, 0.9503041],
    ]
)


def lab(colour: str, sight: str) -> Any:
    """CIELAB (D65) of a colour as somebody sees it."""
    rgb = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(SIGHT[sight] @ linear, 0, 1) / np.array([0.95047, 1.0, 1.08883])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def distance(colours: tuple[str, ...], sight: str) -> float:
    return min(
        float(np.linalg.norm(lab(a, sight) - lab(b, sight)))
        for a, b in itertools.combinations(colours, 2)
    )


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("page", ["ON_WHITE", "ON_DARK"])
def test_any_two_series_colours_differ_for_everybody(sight: str, page: str):
    # 2.3 is a difference that is just noticed; red and green of equal lightness are below 10
    assert distance(getattr(themes, page), sight) > 15


def test_the_distance_tells_colours_apart_that_some_people_do_not_see():
    assert (
        distance(("#d55e00", "#b8860b"), "full")
        > 30
        > 5
        > distance(("#d55e00", "#b8860b"), "deuteranopia")
    )


def test_colours_shapes_and_dashes_repeat_at_different_steps():
    counts = [len(each) for each in (themes.ON_WHITE, themes.SHAPES, themes.DASHES)]
    assert len(set(counts)) == 3
    assert np.lcm.reduce(counts) == 210


def a_figure(**changes: Any) -> Figure:
    values: dict[str, Any] = {
        "name": "time",
        "subject": "Time",
        "title": "Time is lowest at size 1: 2 s",
        "metrics": (("time_s", ""),),
        "x": "size",
        "colour": ("algo",),
        "log_x": False,
        "y_title": "Time [s]",
    }
    return Figure(**{**values, **changes})


def a_summary(
    sizes: tuple[Any, ...], *, verdict: str = "VALID", algos: int = 2, spread: bool = True
) -> Any:
    cells = [
        {
            "cell": f"c{algo}{at}",
            "bundle_id": "b",
            "run_id": "r1",
            "condition_id": "c",
            "axes": {"algo": f"a{algo}", "size": size},
            "verdict_reason": None,
            "metrics": {
                "time_s": {
                    "value": 2.0 + at + algo,
                    "low": 1.9 + at + algo if spread else None,
                    "high": 2.2 + at + algo if spread else None,
                    "unit": "s",
                    "n": 3,
                    "verdict": verdict if (algo, at) == (0, 0) else "VALID",
                    "reason": None,
                }
            },
        }
        for algo in range(algos)
        for at, size in enumerate(sizes)
    ]
    axes = {"algo": [f"a{algo}" for algo in range(algos)], "size": list(sizes)}
    return {"cells": cells, "axes": axes, "metrics": [{"name": "time_s", "unit": "s"}]}


def kinds_of_marks(document: Any) -> list[str]:
    return [layer["mark"]["type"] for layer in document["layer"]]


def test_few_points_have_bars_and_many_a_band():
    few = drawing(a_figure(), a_summary((1, 2, 3)))
    many = drawing(a_figure(), a_summary(tuple(range(1, 10))))
    assert "errorbar" in kinds_of_marks(few.document)
    assert "area" not in kinds_of_marks(few.document)
    assert "area" in kinds_of_marks(many.document)
    assert "errorbar" not in kinds_of_marks(many.document)
    assert (few.caption, many.caption) == (
        "Points: centre of the repetitions. Bars: 95 % interval over them.",
        "Points: centre of the repetitions. Bands: 95 % interval over them.",
    )


def test_a_plot_of_single_runs_says_that_there_is_no_interval():
    made = drawing(a_figure(), a_summary((1, 2, 3), spread=False))
    assert made.caption == "Points: one run each; no interval without repetitions."


def test_points_that_are_not_valid_are_hollow_and_counted_under_the_title():
    made = drawing(a_figure(), a_summary((1, 2, 3), verdict="NOT_STEADY"))
    hollow = [layer for layer in made.document["layer"] if layer["mark"].get("filled") is False]
    assert [layer["transform"][0]["filter"] for layer in hollow] == ["datum.verdict !== 'VALID'"]
    assert made.document["title"]["subtitle"] == ["Hollow points are not VALID: NOT_STEADY (1)"]


def test_lines_differ_in_dash_and_shape_and_not_only_in_colour():
    svg = themed_svg_png(drawing(a_figure(), a_summary((1, 2, 3))).document)[0].decode()
    lines = re.findall(
        r'<path aria-label="[^"]*" role="graphics-symbol" aria-roledescription="line mark"[^>]*>',
        svg,
    )
    assert len(lines) == 2
    assert len({re.search(r'stroke="([^"]+)"', line)[1] for line in lines}) == 2  # type: ignore[index]
    dashes = [re.findall(r'stroke-dasharray="([^"]+)"', line) for line in lines]
    assert dashes == [["1,0"], ["7,3"]]
    shapes = {
        re.sub(r"[\d.,-]+", "", found)
        for found in re.findall(r'aria-roledescription="point" transform="[^"]*" d="([^"]+)"', svg)
    }
    assert len(shapes) == 2


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("timeout_s", "timeout [s]"),
        ("message_size_kib", "message size [KiB]"),
        ("batch_size", "batch size"),
        ("share_pct", "share [%]"),
        ("s", "s"),
    ],
)
def test_an_axis_shows_the_unit_that_its_name_ends_in(name: str, title: str):
    assert axis_title(name) == title


def test_more_lines_than_can_be_told_apart_are_folded_into_their_median_and_range():
    made = drawing(a_figure(), a_summary((1, 2), algos=13))
    rows = made.document["data"]["values"]
    assert [(row["x"], row["value"], row["low"], row["high"], row["n"]) for row in rows] == [
        (1, 8.0, 2.0, 14.0, 39),
        (2, 9.0, 3.0, 15.0, 39),
    ]
    assert rows[0]["range"] == "2 s to 14 s"
    assert made.caption.startswith("Points: median over algo, of up to 13 points")


def test_ten_thousand_points_become_the_median_and_spread_of_bins():
    made = drawing(a_figure(colour=()), a_summary(tuple(range(1, 10_001)), algos=1))
    rows = made.document["data"]["values"]
    first = rows[0]
    assert len(rows) == 200
    assert sum(row["points"] for row in rows) == 10_000
    # sizes 1 to 50 have the times 2 to 51 s
    assert (first["bin"], first["x"], first["points"]) == ("1 to 50", 25, 50)
    assert (first["low"], first["value"], first["high"]) == pytest.approx((4.45, 26.5, 48.55))
    assert made.document["title"]["subtitle"] == [
        "10,000 points in 200 bins: median, 5th to 95th percentile."
    ]
    assert kinds_of_marks(made.document) == ["area", "line", "point"]


def test_doubts_about_binned_points_are_counted_and_not_drawn():
    made = drawing(a_figure(), a_summary(tuple(range(1, 501)), verdict="NOT_STEADY"))
    assert made.document["title"]["subtitle"] == [
        "1,000 points in 25 bins a line: median, 5th to 95th percentile. NOT_STEADY: 1."
    ]
    assert {row["verdict"] for row in made.document["data"]["values"]} == {"VALID"}


def test_bins_of_a_log_axis_are_as_wide_as_the_axis_shows_them():
    sizes = tuple(sorted({round(1.01**n) for n in range(1400)}))
    made = drawing(a_figure(colour=(), log_x=True), a_summary(sizes, algos=1))
    places = [row["x"] for row in made.document["data"]["values"]]
    late = [after / before for before, after in itertools.pairwise(places[-8:])]
    assert max(late) / min(late) < 1.05


def test_words_beyond_what_can_be_told_apart_are_binned_by_their_places():
    words = tuple(f"w{n:04d}" for n in range(600))
    made = drawing(a_figure(colour=()), a_summary(words, algos=1))
    encoding = made.document["layer"][0]["encoding"]
    assert encoding["x"]["title"] == "size: place among its 600 values"
    assert [row["bin"] for row in made.document["data"]["values"]][:2] == ["1 to 20", "21 to 40"]


def test_long_lines_of_a_crowd_are_binned_together():
    made = drawing(a_figure(), a_summary(tuple(range(1, 601)), algos=13))
    rows = made.document["data"]["values"]
    assert {row["series"] for row in rows} == {""}
    assert sum(row["points"] for row in rows) == 7800


def test_long_names_of_lines_are_cut_and_stay_apart():
    summary = a_summary((1, 2), algos=2)
    for cell in summary["cells"]:
        cell["axes"]["algo"] = "x" * 500 + cell["axes"]["algo"]
    rows = drawing(a_figure(), summary).document["data"]["values"]
    names = {row["series"] for row in rows}
    assert len(names) == 2
    assert max(map(len, names)) == 80


def test_an_axis_of_few_values_stays_as_lines_where_others_are_folded():
    summary = a_summary((1, 2), algos=13)
    for cell in summary["cells"]:
        cell["axes"]["host"] = "left" if int(cell["axes"]["algo"][1:]) < 4 else "right"
    made = drawing(a_figure(colour=("algo", "host")), summary)
    rows = made.document["data"]["values"]
    assert [(row["series"], row["value"]) for row in rows if row["x"] == 1] == [
        ("left", 3.5),
        ("right", 10.0),
    ]


def test_a_spec_chooses_axes_and_metrics_of_its_plots():
    summary = a_summary((1, 2), algos=2)
    metrics = [
        {"name": name, "label": name, "unit": "s", "better": "lower"}
        for name in ("a.b", "a_b", "time_s")
    ]
    report = {"x": "algo", "metrics": ["a_b", "time_s", "a.b"]}
    chosen = figures({**summary, "metrics": metrics, "design": {"analysis": {"report": report}}})
    assert [(one.name, one.x, one.colour) for one in chosen] == [
        ("a_b", "algo", ("size",)),
        ("time_s", "algo", ("size",)),
        ("a_b_2", "algo", ("size",)),
    ]


def test_a_tooltip_says_the_unit_once():
    rows = drawing(a_figure(), a_summary((1, 2))).document["data"]["values"]
    assert (rows[0]["shown"], rows[0]["spread"]) == ("2 s", "1.9 to 2.2 s")
    assert interval({"low": 900.0, "high": 2**21, "unit": "B"}) == "900 B to 2 MiB"


@pytest.mark.parametrize(
    ("least", "most", "ticks"),
    [
        (0.0198, 0.62, [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0]),
        (144, 11_633, [100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4]),
        (1, 1e6, [1, 10, 100, 1e3, 1e4, 1e5, 1e6]),
    ],
)
def test_a_log_axis_ends_at_the_first_label_beyond_the_data(
    least: float, most: float, ticks: list[float]
):
    assert marks.log_ticks(least, most) == ticks


def test_a_log_axis_of_many_decades_has_few_labels():
    assert len(marks.log_ticks(1e-12, 1e30)) <= 12


def test_values_of_many_sizes_are_drawn_on_a_log_axis_that_says_so():
    summary = a_summary((1, 2, 3), algos=1)
    summary["cells"][2]["metrics"]["time_s"].update(value=900.0, low=880.0, high=910.0)
    y = drawing(a_figure(), summary).document["layer"][0]["encoding"]["y"]
    assert (y["title"], y["scale"]["type"]) == ("Time [s], log scale", "log")


def test_a_long_title_is_wrapped_and_never_cut():
    title = "Throughput is highest at " + " and ".join(["device cuda"] * 12)
    import altair as alt

    lines = framed(alt.Chart(alt.NamedData("x")).mark_point(), "Throughput", title)["title"]["text"]
    assert " ".join(lines) == title
    assert max(map(len, lines)) <= 72


def test_words_beyond_what_an_axis_can_show_are_left_out_and_counted():
    words = tuple(f"w{n}" for n in range(60))
    x = drawing(a_figure(), a_summary(words, algos=1)).document["layer"][0]["encoding"]["x"]
    assert x["axis"]["labels"] is False
    assert x["title"] == "size: 60 values in the order of the matrix"


def test_equal_documents_make_equal_files():
    document = drawing(a_figure(), a_summary((1, 2, 4))).document
    assert themed_svg_png(document) == themed_svg_png(json.loads(json.dumps(document)))
