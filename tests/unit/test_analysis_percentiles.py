"""Percentiles, outliers and dependence, each checked by a second way of getting the number."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from specc.analysis.dependence import autocorrelation, effective_samples
from specc.analysis.outliers import outlier_flags
from specc.analysis.percentiles import describe, percentile, samples_needed


def test_p95_of_ten_values_is_linear_and_not_nearest():
    assert percentile([1.0, 2, 3, 4, 5, 6, 7, 8, 9, 10], 95) == pytest.approx(9.55)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 101, 5000])
@pytest.mark.parametrize("level", [0, 12.5, 50, 90, 95, 99, 99.9, 100])
def test_percentile_equals_numpy(n: int, level: float):
    values = sorted(random.Random(n).lognormvariate(0, 1) for _ in range(n))
    assert percentile(values, level) == pytest.approx(float(np.percentile(values, level)))


def test_percentile_of_nothing_is_refused():
    with pytest.raises(ValueError, match="empty sample"):
        percentile([], 50)


@pytest.mark.parametrize(("level", "n"), [(50, 5), (90, 29), (95, 59), (99, 299), (99.9, 2995)])
def test_samples_needed_for_an_upper_bound(level: float, n: int):
    assert samples_needed(level) == n


def test_p95_is_refused_at_58_samples_with_its_reason():
    found = describe([float(i) for i in range(58)])
    assert found.percentiles["p95"] is None
    assert found.refused["p95"] == "needs 59 independent samples, has 58"


def test_p95_is_given_at_59_samples():
    assert describe([float(i) for i in range(59)]).percentiles["p95"] == pytest.approx(55.1)


def test_a_hundred_dependent_samples_are_refused_a_p95():
    assert describe([float(i) for i in range(100)], effective_n=20.0).percentiles["p95"] is None


def test_an_empty_sample_has_no_numbers():
    found = describe([])
    assert (found.n, found.avg, found.min, found.max) == (0, None, None, None)


def test_average_minimum_maximum():
    found = describe([3.0, 1.0, 2.0])
    assert (found.avg, found.min, found.max) == (2.0, 1.0, 3.0)


def test_autocorrelation_equals_numpy():
    values = [random.Random(7).gauss(0, 1) for _ in range(50)]
    values = list(np.cumsum(values))
    centred = np.array(values) - np.mean(values)
    expected = float(centred[:-3] @ centred[3:] / (centred @ centred))
    assert autocorrelation(values, 3) == pytest.approx(expected)


def test_independent_values_are_worth_nearly_all_of_themselves():
    values = [random.Random(3).gauss(10, 1)] + [random.Random(i).gauss(10, 1) for i in range(1999)]
    assert effective_samples(values) > 1600


def test_an_autoregressive_series_is_worth_its_known_share():
    rng, values, x = random.Random(5), [], 0.0
    for _ in range(20_000):
        x = 0.8 * x + rng.gauss(0, 1)
        values.append(x)
    # (1 - 0.8) / (1 + 0.8) of the samples
    assert effective_samples(values) == pytest.approx(20_000 / 9, rel=0.15)


def test_a_series_that_moves_slowly_altogether_is_worth_little():
    rng = np.random.default_rng(1)
    noise, series = rng.normal(size=10_000), np.empty(10_000)
    series[0] = noise[0] / math.sqrt(1 - 0.999**2)
    for place in range(1, len(series)):
        series[place] = 0.999 * series[place - 1] + noise[place]
    # 10,000 * (1 - 0.999) / (1 + 0.999) = 5
    assert effective_samples(series) < 15


def test_a_slight_drift_leaves_a_long_series_its_worth():
    rng = np.random.default_rng(1)
    series = rng.normal(size=100_000) + np.linspace(0, 0.3, 100_000)
    assert effective_samples(series) > 20_000


def test_equal_values_are_worth_their_number():
    assert effective_samples([4.2] * 100) == 100.0


@pytest.mark.parametrize("n", [0, 1, 3])
def test_very_short_series_are_worth_their_number(n: int):
    assert effective_samples([1.0, 5.0, 2.0][:n]) == n


def test_constant_series_has_no_autocorrelation():
    assert autocorrelation([1.0, 1.0, 1.0], 1) == 0.0


def test_one_far_value_is_flagged():
    values = [10.0, 10.1, 9.9, 10.05, 9.95, 30.0]
    assert outlier_flags(values) == [False] * 5 + [True]


def test_without_spread_nothing_is_flagged():
    assert outlier_flags([1.0, 1.0, 1.0, 2.0]) == [False] * 4


def test_no_values_no_flags():
    assert outlier_flags([]) == []
