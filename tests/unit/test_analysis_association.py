"""Correlations and shares against scipy, statsmodels and the jackknife by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from specc.analysis.association import pearson, ranks, spearman
from specc.analysis.proportions import clustered, wilson

RNG = np.random.default_rng(4)
X = RNG.normal(size=60).round(1)
Y = (X + RNG.normal(size=60)).round(1)
CONFIGURATIONS = [f"lr={k // 6}" for k in range(60)]


def test_rho_and_r_with_ties_are_those_of_scipy() -> None:
    for ours, theirs in ((spearman, stats.spearmanr), (pearson, stats.pearsonr)):
        found, known = ours(X, Y), theirs(X, Y)
        assert found.value == pytest.approx(known.statistic, rel=1e-10)
        assert found.p == pytest.approx(known.pvalue, rel=1e-7)
        assert (found.n, found.clusters) == (60, 60)


def test_ties_share_their_mean_rank() -> None:
    assert ranks(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [3.5, 1.0, 3.5, 2.0]


def test_the_interval_leaves_out_one_configuration_after_the_other() -> None:
    found = pearson(X, Y, clusters=CONFIGURATIONS)
    group = np.repeat(np.arange(10), 6)
    turned = [np.arctanh(stats.pearsonr(X[group != g], Y[group != g])[0]) for g in range(10)]
    error = np.sqrt(9 * np.var(turned))
    centre = np.arctanh(stats.pearsonr(X, Y)[0])
    half = stats.t.ppf(0.975, 9) * error
    assert found.low == pytest.approx(np.tanh(centre - half), rel=1e-9)
    assert found.high == pytest.approx(np.tanh(centre + half), rel=1e-9)
    assert found.p_clustered == pytest.approx(2 * stats.t.sf(centre / error, 9), rel=1e-6)
    assert found.clusters == 10


def test_resembling_seeds_widen_the_interval() -> None:
    effects = RNG.normal(size=(2, 12)).repeat(6, axis=1)
    x, y = effects + 0.1 * RNG.normal(size=(2, 72))
    names = np.arange(12).repeat(6).tolist()
    apart, together = pearson(x, y), pearson(x, y, clusters=names)
    assert together.value == apart.value
    assert together.high - together.low > 1.8 * (apart.high - apart.low)


def test_pairs_without_two_numbers_are_left_out() -> None:
    holed = [*X[:58], float("nan"), None]
    found = spearman(holed, [*Y[:56], float("inf"), *Y[57:]], clusters=CONFIGURATIONS)
    kept = [k for k in range(58) if k != 56]
    assert found.value == pytest.approx(stats.spearmanr(X[kept], Y[kept]).statistic)
    assert (found.n, found.left_out) == (57, 3)


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ([], [], "0 pairs of finite values, an association needs 4"),
        ([1.0, 2.0, 3.0], [1.0, 2.0, 4.0], "3 pairs of finite values, an association needs 4"),
        ([1.0] * 5, [1.0, 2.0, 3.0, 4.0, 5.0], "the first measure never varies"),
        ([1.0, 2.0, 3.0, 4.0, 5.0], [0.1] * 5, "the second measure never varies"),
        ([1.0] * 4, [1.0] * 5, "4, 5 and 4 values don't make pairs"),
    ],
)
def test_no_association_says_why(first, second, reason) -> None:
    for ask in (spearman, pearson):
        found = ask(first, second)
        assert (found.value, found.low, found.p) == (None, None, None)
        assert found.reason == reason


def test_a_perfect_order_has_a_value_but_no_interval() -> None:
    found = spearman([1.0, 2.0, 3.0, 5.0, 9.0], [1.0, 4.0, 5.0, 6.0, 7.0])
    assert found.value == 1
    assert found.low is None
    assert found.reason == "no interval: the order is perfect, so nothing shows its error"


def test_few_configurations_give_no_interval() -> None:
    found = spearman(X[:9], Y[:9], clusters=["a", "b", "c"] * 3)
    assert found.value == pytest.approx(stats.spearmanr(X[:9], Y[:9]).statistic)
    assert found.reason == "no interval: 3 configurations, it needs 4"


@pytest.mark.parametrize(("hits", "trials"), [(0, 24), (1, 7), (10, 100), (200, 216), (216, 216)])
def test_a_share_has_the_interval_of_statsmodels(hits: int, trials: int) -> None:
    found = wilson(hits, trials)
    known = proportion_confint(hits, trials, method="wilson")
    assert (found.low, found.high) == pytest.approx(known, rel=1e-9, abs=1e-12)
    assert found.value == hits / trials


def test_no_trials_have_no_share_and_more_hits_than_trials_are_refused() -> None:
    assert wilson(0, 0).value is None
    assert wilson(0, 0).reason == "no trials"
    with pytest.raises(ValueError, match="3 of 2 is no share"):
        wilson(3, 2)


def test_an_interval_over_groups_covers_where_that_of_independent_trials_does_not() -> None:
    rng = np.random.default_rng(5)
    plain = grouped = 0
    for _ in range(1000):
        # trials of one group correlate by 0.5
        hits = rng.binomial(6, rng.beta(0.9, 0.1, 36)).tolist()
        one, over = wilson(sum(hits), 216), clustered([(hit, 6) for hit in hits])
        assert None not in (one.low, one.high, over.low, over.high)
        plain += one.low <= 0.9 <= one.high
        grouped += over.low <= 0.9 <= over.high
    assert plain < 800
    assert grouped > 920


def test_few_groups_have_no_interval_over_groups() -> None:
    found = clustered([(5, 6), (6, 6), (6, 6)])
    assert (found.low, found.high, found.hits, found.trials) == (None, None, 17, 18)
    assert found.reason == "3 groups, an interval over groups needs 4"


def test_groups_that_all_succeed_count_as_one_trial_each() -> None:
    found = clustered([(6, 6)] * 36)
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.897, abs=1e-3)
