"""Intervals over runs: against scipy, and against truth that was simulated."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from scipy import stats

from specc.analysis.intervals import geometric_mean, over_runs
from specc.analysis.student import t_cdf, t_quantile


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 9, 29, 100, 10_000, 1_000_000])
@pytest.mark.parametrize("probability", [0.5, 0.6, 0.9, 0.975, 0.995, 0.025])
def test_t_quantile_equals_scipy(freedom: int, probability: float):
    expected = float(stats.t.ppf(probability, freedom))
    assert t_quantile(probability, freedom) == pytest.approx(expected, rel=1e-8, abs=1e-9)


def test_t_cdf_equals_scipy_on_both_sides():
    found = [t_cdf(-1.5, 7), t_cdf(1.5, 7)]
    assert found == pytest.approx([float(stats.t.cdf(-1.5, 7)), float(stats.t.cdf(1.5, 7))])


def test_t_cdf_far_out_is_one():
    assert t_cdf(1e200, 3) == 1.0


def test_t_quantile_refuses_a_probability_of_one():
    with pytest.raises(ValueError, match="between 0 and 1"):
        t_quantile(1.0, 3)


def test_interval_of_positive_values_is_t_on_logs():
    values = [10.0, 11.0, 12.5, 9.5, 10.2]
    found = over_runs(values)
    logs = np.log(values)
    low, high = stats.t.interval(0.95, 4, loc=logs.mean(), scale=stats.sem(logs))
    assert (found.low, found.high) == pytest.approx((math.exp(low), math.exp(high)))


def test_centre_of_positive_values_is_the_geometric_mean():
    assert over_runs([1.0, 100.0]).centre == pytest.approx(10.0)


def test_interval_of_signed_values_is_t():
    values = [-1.0, 0.5, 2.0]
    low, high = stats.t.interval(0.95, 2, loc=np.mean(values), scale=stats.sem(values))
    found = over_runs(values)
    assert (found.method, found.low, found.high) == ("t", pytest.approx(low), pytest.approx(high))


def test_one_run_has_a_centre_and_no_interval():
    found = over_runs([7.0])
    assert (found.centre, found.low, found.high) == (7.0, None, None)
    assert found.reason == "one run: an interval needs at least two repetitions"


def test_no_run_has_nothing():
    assert (over_runs([]).centre, over_runs([]).reason) == (None, "no run has a value")


def test_equal_byte_counts_keep_their_last_digit():
    found = over_runs([20_000_000, 20_000_000, 20_000_000])
    assert (found.low, found.centre, found.high) == (20_000_000,) * 3


def test_wildly_different_runs_get_no_infinite_interval():
    assert over_runs([1e-30, 1e30]).reason == "the runs differ too much"


def test_geometric_mean_refuses_zero():
    with pytest.raises(ValueError, match="above zero"):
        geometric_mean([1.0, 0.0])


def test_geometric_mean_equals_scipy():
    values = [0.5, 3.0, 8.0]
    assert geometric_mean(values) == pytest.approx(float(stats.gmean(values)))


def test_the_interval_covers_the_truth_in_95_of_100_studies():
    """5 runs with a 4 % run-to-run effect, 2000 simulated studies."""
    rng, truth, covered = random.Random(11), 12.0, 0
    for _ in range(2000):
        found = over_runs([truth * rng.lognormvariate(0, 0.04) for _ in range(5)])
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= truth <= found.high
    # three standard errors of a share of 0.95 in 2000 trials
    assert covered / 2000 == pytest.approx(0.95, abs=0.015)
