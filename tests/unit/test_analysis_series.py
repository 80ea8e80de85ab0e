"""Change points and trends against brute force and scipy; what too few points say."""

from __future__ import annotations

import numpy as np
import pytest
from compared import LATENCY, a_cell, a_summary, steady
from scipy import stats

from specc.analysis.series.change_point import change_point
from specc.analysis.series.trend import trend
from specc.comparing.series import series

RNG = np.random.default_rng(3)
STEP = RNG.normal(0, 0.02, 16) + np.where(np.arange(16) >= 9, 0.1, 0)
CREEP = RNG.normal(0, 0.02, 16) + 0.01 * np.arange(16)


def test_the_best_split_is_that_of_brute_force() -> None:
    found = change_point(STEP, alpha=0.05)
    tests = [stats.ttest_ind(STEP[:k], STEP[k:]).pvalue for k in range(3, 14)]
    assert found is not None
    assert found.place == 3 + int(np.argmin(tests)) == 9
    assert found.p == pytest.approx(min(tests) * len(tests), rel=1e-3)
    assert found.after - found.before == pytest.approx(STEP[9:].mean() - STEP[:9].mean())


def test_noise_has_no_change_and_equal_values_none_either() -> None:
    assert change_point(RNG.normal(0, 1, 20), alpha=0.01) is None
    assert change_point([3.0] * 12, alpha=0.05) is None


def test_one_outlier_is_no_change() -> None:
    values = [1.0, 1.01, 0.99, 1.0, 1.02, 0.98, 1.0, 1.01, 0.99, 1.0, 1.01, 5.0]
    assert change_point(values, alpha=0.05) is None


def test_a_trend_is_that_of_kendall_and_theil() -> None:
    found = trend(CREEP, alpha=0.05)
    places = np.arange(16)
    assert found is not None
    assert found.tau == pytest.approx(stats.kendalltau(places, CREEP).statistic)
    assert found.slope == pytest.approx(stats.theilslopes(CREEP, places).slope)
    assert found.p < 0.001


def test_fewer_than_ten_points_are_refused() -> None:
    for ask in (change_point, trend):
        with pytest.raises(ValueError, match="9 points"):
            ask([1.0] * 9, alpha=0.05)


def a_study_of(centres: list[float]) -> dict[str, object]:
    cells = [
        a_cell(f"c{k:04d}", {"size": 1}, {"latency_ms": steady(c, 3)}, [LATENCY], run_id=f"r{k}")
        for k, c in enumerate(centres, start=1)
    ]
    return a_summary(cells)


def test_a_study_of_twelve_runs_tells_from_which_on_it_is_slower() -> None:
    rng = np.random.default_rng(1)
    centres = [10 * float(np.exp(x)) for x in rng.normal(0, 0.01, 12) + ([0] * 7 + [0.1] * 5)]
    # in any order: r10 comes after r9
    (found,) = series({**a_study_of(centres)})
    assert [run["run_id"] for run in found["runs"]] == [f"r{k}" for k in range(1, 13)]
    assert found["change_point"]["run_id"] == "r8"
    assert found["change_point"]["worse"] is True
    assert found["change_point"]["change_pct"] == pytest.approx(10.5, abs=1.5)
    assert "from run r8" in found["text"]


def test_three_runs_are_shown_and_not_judged() -> None:
    (found,) = series(a_study_of([10.0, 10.0, 20.0]))
    assert (found["change_point"], found["trend"]) == (None, None)
    assert found["text"].startswith("3 runs: a change or a trend needs at least 10")


def test_two_runs_are_no_series() -> None:
    assert series(a_study_of([10.0, 10.0])) == []
