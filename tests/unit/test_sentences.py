"""Words and numbers of a report."""

from __future__ import annotations

from typing import Any

import pytest

from specc.analysis.signs import change, percent
from specc.kinds import rankings, sentences
from specc.kinds.axes import axes_to_draw, is_geometric


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0"),
        (0.9734, "0.973"),
        (12.345, "12.3"),
        (123.4, "123"),
        (1.0, "1"),
        (12215.2, "12,215"),
        (1.26e8, "126 M"),
        (3.2e-7, "3.2 × 10⁻⁷"),
        (0.000328, "0.000328"),
        (-2.5, "−2.5"),
        (-0.0, "0"),
        (-3e-7, "−3 × 10⁻⁷"),
        (200.0, "200"),
        (5063123, "5.06 M"),
        (1e6, "1 M"),
        (999_999, "999,999"),
        (2e9, "2 G"),
        (3e16, "3 × 10¹⁶"),
        (7 * 10**400, "7 × 10⁴⁰⁰"),
        (float("nan"), "–"),
        (float("-inf"), "–"),
    ],
)
def test_numbers_have_three_digits(value: float | None, text: str):
    assert sentences.number(value) == text


def test_shares_and_changes_are_written_in_one_style():
    assert (percent(0.8), percent(0.0605, 1)) == ("80 %", "6.0 %")
    assert [change(share) for share in (0.061, -0.003, -0.0004)] == ["+6.1 %", "−0.3 %", "+0.0 %"]


@pytest.mark.parametrize(
    ("low", "high", "unit", "text"),
    [
        (177.0, 185.0, "requests/s per core", "177 to 185 requests/s per core"),
        (0.9, 1.1, "kB/s per GPU", "900 B/s per GPU to 1.1 kB/s per GPU"),
        (1.2e3, 1.3e3, "B/s per GPU", "1.2 to 1.3 kB/s per GPU"),
        (2**30, 3 * 2**30, "B", "1 to 3 GiB"),
        (0.5, 0.75, "1", "0.5 to 0.75"),
        (-4.83, -2.93, "ms", "−4.83 to −2.93 ms"),
    ],
)
def test_an_interval_tells_its_unit_once(low: float, high: float, unit: str, text: str):
    assert sentences.interval({"low": low, "high": high, "unit": unit}) == text


def test_a_large_factor_is_no_unit():
    assert [sentences.times(ratio) for ratio in (2.5, 449.2e9)] == ["2.5", "4.49 × 10¹¹"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (652 * 2**20, "652 MiB"),
        (3 * 2**30, "3 GiB"),
        (2048, "2 KiB"),
        (12, "12 B"),
        (None, "– B"),
    ],
)
def test_bytes_get_the_unit_that_reads_best(value: float | None, text: str):
    assert sentences.quantity(value, "B") == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (5.063e6, "kB/s", "5.06 GB/s"),
        (0.5, "MB/s", "500 kB/s"),
        (12, "B/s", "12 B/s"),
        (5.063e6, "numbers/s", "5.06 M numbers/s"),
        (0, "kB/s", "0 B/s"),
        (None, "kB/s", "– kB/s"),
    ],
)
def test_rates_get_the_prefix_that_reads_best(value: float | None, unit: str, text: str):
    assert sentences.quantity(value, unit) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2_870_000, "2.87 MB"),
        (3.2e9, "3.2 GB"),
        (4096, "4.1 kB"),
        (12, "12 bytes"),
        (None, "– bytes"),
    ],
)
def test_counted_bytes_get_a_decimal_prefix(value: float | None, text: str) -> None:
    assert sentences.quantity(value, "bytes") == text


def test_the_x_axis_is_the_first_numeric_one_that_varies():
    axes = {"algo": ["a", "b"], "fixed": [1], "size": [1, 2], "seed": [0, 1]}
    assert axes_to_draw(axes) == ("size", ("algo", "seed"))


def test_without_a_numeric_axis_words_go_on_the_x_side():
    assert axes_to_draw({"algo": ["a", "b"]}) == ("algo", ())


def test_without_axes_there_is_no_x():
    assert axes_to_draw({}) == (None, ())


@pytest.mark.parametrize(
    ("values", "geometric"),
    [
        ([1, 2, 4, 8], True),
        ([10, 20, 30, 40], False),
        ([0, 1, 2], False),
        ([1, 2], False),
    ],
)
def test_geometric_axes_grow_by_factors(values: list[int], geometric: bool):
    assert is_geometric(values) is geometric


def test_file_names_hold_no_odd_characters():
    assert sentences.file_name("a/b: c*") == "a_b_c"


METRIC = {"name": "t", "label": "Time", "unit": "s", "better": "lower"}


def a_summary(*values: tuple[float | None, float | None, float | None]) -> dict[str, Any]:
    """Cells with (value, low, high) of the one metric; two runs 1 % off the value where it has an
    interval."""
    return {
        "cells": [
            {"cell": f"c{n}", "axes": {"n": n}, "metrics": {"t": a_value(v, low, high)}}
            for n, (v, low, high) in enumerate(values)
        ]
    }


def a_value(v: float | None, low: float | None, high: float | None) -> dict[str, Any]:
    runs = [] if v is None else [v] if low is None else [v * 0.99, v * 1.01]
    return {"value": v, "low": low, "high": high, "n": 2, "run_values": runs}


def text_of(*values: tuple[float | None, float | None, float | None], better: str = "lower") -> str:
    found = rankings.best_and_worst(a_summary(*values), {**METRIC, "better": better})
    assert found is not None
    return found.text


def test_a_proven_difference_of_two_points_is_said_to_be_one():
    text = text_of((1, 0.9, 1.1), (2, 1.9, 2.1))
    assert text.endswith("a factor of 2. Their difference is more than chance.")


def test_a_difference_within_the_spread_names_no_best_point():
    text = text_of((1, 0.9, 1.1), (1.01, 0.9, 1.1))
    assert text.startswith("Time ranges from 1 s")
    assert text.endswith("Their difference may be chance.")


def test_the_best_of_three_is_named_when_it_beats_both():
    text = text_of((2, 1.9, 2.1), (1, 0.9, 1.1), (4, 3.9, 4.1))
    assert text.startswith("Time is best with 1 s (0.9 to 1.1, n = 2) at n 1 and worst with 4 s")
    assert text.endswith("It beats each of the 2 others by more than chance.")


def test_a_runner_up_within_chance_leaves_no_best_point():
    text = text_of((1, 0.9, 1.1), (1.01, 0.9, 1.1), (40, 39, 41))
    assert text.endswith(
        "The difference between these two is more than chance. "
        "No point is proven the best: n 1 may be as good."
    )


def test_points_that_chance_alone_can_order_are_not_ranked():
    text = text_of((1, 0.9, 1.1), (1.01, 0.9, 1.1), (1.02, 0.9, 1.1))
    assert text.endswith("may be chance. No point is proven better than another.")


def test_a_title_names_a_point_only_when_it_is_proven_the_best():
    proven = rankings.headline(a_summary((1, 0.9, 1.1), (2, 1.9, 2.1)), METRIC)
    open_ = rankings.headline(a_summary((1, 0.9, 1.1), (1.02, 0.9, 1.1)), METRIC)
    assert proven == "Time is lowest at n 0: 1 s (worst: 2 s)"
    assert open_ == "Time: from 1 s to 1.02 s, no single best point proven"


def test_without_intervals_the_difference_may_be_chance():
    text = text_of((1, None, None), (2, None, None))
    assert text.endswith("there is no interval, so the difference may be chance.")


def test_higher_is_better_turns_the_order_round():
    text = text_of((1, 0.9, 1.1), (2, 1.9, 2.1), better="higher")
    start = "Time is best with 2 s (1.9 to 2.1, n = 2) at n 1 and worst with 1 s"
    assert text.startswith(start)


def test_neither_is_better_gives_a_range():
    text = text_of((1, 0.9, 1.1), (2, 1.9, 2.1), better="none")
    assert text.startswith("Time ranges from 1 s (0.9 to 1.1, n = 2) at n 0 to 2 s")


def test_equal_values_are_no_comparison():
    text = text_of((2, 1.9, 2.1), (2, 1.9, 2.1))
    assert text == "Time is 2 s at every point that has a value."


def test_the_only_value_is_stated_without_a_comparison():
    text = text_of((1, 0.9, 1.1), (None, None, None))
    assert text == "Time is 1 s (0.9 to 1.1, n = 2) at n 0, which alone has a value."


def test_without_a_value_there_is_no_finding():
    nothing = a_summary((None, None, None))
    assert rankings.best_and_worst(nothing, METRIC) is None
    assert rankings.headline(nothing, METRIC) is None


@pytest.mark.parametrize(
    ("unit", "value", "low", "high", "text"),
    [
        ("samples/s", 110, 109, 111, "110 samples/s (109 to 111, n = 3)"),
        ("bytes", 1.01e6, 0.99e6, 1.03e6, "1.01 MB (990 kB to 1.03 MB, n = 3)"),
        ("items", 5.1e6, 5.0e6, 5.2e6, "5.1 M items (5 M to 5.2 M, n = 3)"),
        ("", 5.1e6, 5.0e6, 5.2e6, "5.1 M (5 M to 5.2 M, n = 3)"),
        ("s", 3.2e-7, 3.1e-7, 3.3e-7, "3.2 × 10⁻⁷ s (3.1 × 10⁻⁷ to 3.3 × 10⁻⁷, n = 3)"),
        ("items", 1.01e6, 0.99e6, 1.03e6, "1.01 M items (990,000 to 1.03 M, n = 3)"),
    ],
)
def test_an_interval_repeats_no_unit(
    unit: str, value: float, low: float, high: float, text: str
) -> None:
    cell = {"metrics": {"t": {"value": value, "low": low, "high": high, "n": 3}}}
    assert sentences.spread(cell, {**METRIC, "unit": unit}) == text


def test_the_same_point_of_two_runs_is_told_apart() -> None:
    summary = a_summary((1, 0.9, 1.1), (2, 1.9, 2.1))
    for cell, run in zip(summary["cells"], ("r1", "r2"), strict=True):
        cell.update(axes={"n": 0}, run_id=run, condition_id="c")
    found = rankings.best_and_worst(summary, METRIC)
    assert found is not None
    assert "at n 0, run r1 and worst with 2 s (1.9 to 2.1, n = 2) at n 0, run r2" in found.text


def test_a_disturbed_number_is_compared_with_a_warning() -> None:
    summary = a_summary((1, 0.9, 1.1), (2, 1.9, 2.1))
    summary["cells"][1]["metrics"]["t"]["verdict"] = "CONTAMINATED"
    found = rankings.best_and_worst(summary, METRIC)
    assert found is not None
    assert found.text.endswith("more than chance. Read with care: c1 is CONTAMINATED.")


def test_points_measured_on_different_nodes_are_compared_with_a_warning() -> None:
    summary = a_summary((1, 0.9, 1.1), (2, 1.9, 2.1))
    for cell, hosts in zip(summary["cells"], (["n1"], ["n2", "n3"]), strict=True):
        cell["hosts"] = hosts
    found = rankings.best_and_worst(summary, METRIC)
    assert found is not None
    assert found.text.endswith("Read with care: they ran on different nodes (n1 and n2, n3).")


def test_a_job_that_slows_all_its_points_hides_no_difference() -> None:
    """Paired by repetition, 2 % is proven although jobs differ by 40 %."""
    summary = a_summary((1, 0.9, 1.1), (1.02, 0.9, 1.1))
    summary["design"] = {"repetitions": {"block": "job"}}
    for cell, factor in zip(summary["cells"], (1.0, 1.02), strict=True):
        runs = [factor * job for job in (0.8, 1.0, 1.2)]
        runs[1] *= 1.0001
        cell["metrics"]["t"].update(run_values=runs, run_repetitions=[0, 1, 2])
    assert rankings.headline(summary, METRIC) == "Time is lowest at n 0: 1 s (worst: 1.02 s)"
    summary["design"]["repetitions"]["block"] = "none"
    assert "no single best" in (rankings.headline(summary, METRIC) or "")


def test_a_factor_that_no_float_holds_is_left_out() -> None:
    text = text_of((1e-300, 0.9e-300, 1.1e-300), (1e300, 0.9e300, 1.1e300))
    assert "factor" not in text


def test_signs_that_turn_the_direction_of_text_are_spelled_out() -> None:
    assert sentences.point({"mode": "a\u202eb"}) == "mode a\\u202eb"


def test_a_number_without_dimension_has_no_second_number_behind_it() -> None:
    assert sentences.quantity(0.25, "1") == "0.25"


def test_work_per_core_is_written_in_the_unit_that_reads_best() -> None:
    assert sentences.quantity(5.1e6, "kB/s per core") == "5.1 GB/s per core"
