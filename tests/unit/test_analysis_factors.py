"""Nodes, order and order statistics, each against a second way of getting the number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from specc.analysis.client import ClientLoad, client_limited
from specc.analysis.factors import node_effects, order_effect
from specc.analysis.multiplicity import differ, holm
from specc.analysis.order_statistics import within_run
from specc.analysis.outliers import outlier_flags


def a_study(*, nodes: int = 2, jobs: int = 6, points: int = 5, node: float = 0.2) -> Any:
    """Return (values, points, jobs, places, node of each job) of a design with gaps."""
    rng = np.random.default_rng(2)
    rows = []
    for job in range(jobs):
        added = node * (job % nodes) + rng.normal(0, 0.01)
        for place, point in enumerate(rng.permutation(points)):
            if (job, int(point)) != (1, 2):
                value = point + added + rng.normal(0, 0.02)
                rows.append((value, f"p{point}", f"j{job}", place / (points - 1)))
    values, names, of_job, places = zip(*rows, strict=True)
    node_of = {f"j{job}": f"n{job % nodes}" for job in range(jobs)}
    return np.array(values), names, of_job, np.array(places), node_of


def columns(labels: Any) -> Any:
    return np.column_stack([[float(x == one) for x in labels] for one in sorted(set(labels))])


def test_a_node_that_adds_a_fifth_is_found() -> None:
    values, points, jobs, _, node_of = a_study()
    found = node_effects(values, points, jobs, node_of)
    assert [one.node for one in found.effects] == ["n0", "n1"]
    assert found.effects[1].effect == pytest.approx(0.1, abs=0.01)
    assert found.p is not None
    assert found.p < 0.001


def test_node_effects_are_those_of_an_analysis_of_variance_of_job_effects() -> None:
    values, points, jobs, _, node_of = a_study(nodes=3)
    design = np.column_stack((columns(points), columns(jobs)))
    effects = np.linalg.lstsq(design, values, rcond=None)[0][-6:]
    groups = [effects[k::3] for k in range(3)]
    found = node_effects(values, points, jobs, node_of)
    assert found.p == pytest.approx(float(stats.f_oneway(*groups).pvalue), rel=1e-6)
    expected = [group.mean() - np.mean([g.mean() for g in groups]) for group in groups]
    by_node = {one.node: one.effect for one in found.effects}
    assert [by_node[f"n{k}"] for k in range(3)] == pytest.approx(expected, abs=1e-9)


def test_one_job_on_each_node_tells_nothing_of_the_node() -> None:
    values, points, jobs, _, node_of = a_study(jobs=2)
    found = node_effects(values, points, jobs, node_of)
    assert found.effects[0].effect is None
    assert found.effects[0].reason is not None
    assert found.effects[0].reason.startswith("one job on each node")


def test_points_of_different_nodes_are_confounded_with_them() -> None:
    found = node_effects(
        np.array([1.0, 1.1, 2.0, 2.1]), ["a", "a", "b", "b"], ["j0", "j1", "j2", "j3"],
        {"j0": "n0", "j1": "n0", "j2": "n1", "j3": "n1"},
    )  # fmt: skip
    assert found.effects[0].reason is not None
    assert "their effects can't be told apart" in found.effects[0].reason


def test_the_change_over_a_job_is_that_of_least_squares() -> None:
    values, points, jobs, places, _ = a_study()
    values = values + 0.3 * places
    design = np.column_stack((columns(points), columns(jobs), places))
    expected, _, rank, _ = np.linalg.lstsq(design, values, rcond=None)
    found = order_effect(values, points, jobs, places)
    assert found.change == pytest.approx(float(expected[-1]), abs=1e-9)
    variance = float(((values - design @ expected) ** 2).sum()) / (len(values) - rank)
    half = stats.t.ppf(0.975, len(values) - rank) * np.sqrt(
        variance * np.linalg.pinv(design.T @ design)[-1, -1]
    )
    assert found.high == pytest.approx(float(expected[-1] + half), abs=1e-8)


def test_a_fixed_order_tells_nothing_of_the_order() -> None:
    places = np.array([0.0, 1.0, 0.0, 1.0])
    found = order_effect(np.arange(4.0), ["a", "b", "a", "b"], ["j", "j", "k", "k"], places)
    assert found.reason == "every point was measured at the same place of its job"


@pytest.mark.parametrize("n", [6, 100, 368, 2000])
@pytest.mark.parametrize("percent", [50.0, 95.0, 99.0])
def test_bounds_within_a_run_are_those_of_the_binomial(n: int, percent: float) -> None:
    """The tightest ranks with at most 2.5 % on each side, by scipy."""
    ordered = np.arange(1.0, n + 1)
    below = stats.binom(n, percent / 100)
    ranks = np.arange(1, n + 1)
    low = ranks[below.cdf(ranks - 1) <= 0.025]
    high = ranks[below.sf(ranks - 1) <= 0.025]
    expected = (low[-1], high[0]) if len(low) and len(high) else None
    assert within_run(ordered, percent) == expected


def test_dependent_values_have_wider_bounds() -> None:
    ordered = np.arange(1000.0)
    alone, together = (within_run(ordered, 50, effective_n=worth) for worth in (1000, 100))
    assert alone is not None
    assert together is not None
    assert together[1] - together[0] > 2.5 * (alone[1] - alone[0])


def test_outliers_are_those_of_the_median_absolute_deviation_of_scipy() -> None:
    values = np.random.default_rng(4).standard_t(2, 500)
    away = np.abs(values - np.median(values))
    expected = away > 5 * stats.median_abs_deviation(values, scale="normal")
    assert outlier_flags(values) == expected.tolist()
    assert 0 < expected.sum() < 100


def test_holm_equals_the_textbook() -> None:
    # Holm (1979): smallest times 4, next times 3 …, never falling
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_differences_equal_scipy() -> None:
    first, second = [1.0, 1.2, 1.1, 1.3], [1.5, 1.4, 1.7, 1.6]
    welch = stats.ttest_ind(np.log(first), np.log(second), equal_var=False).pvalue
    paired = stats.ttest_rel(np.log(first), np.log(second)).pvalue
    assert differ(first, second, paired=False) == pytest.approx(float(welch))
    assert differ(first, second, paired=True) == pytest.approx(float(paired))


def test_one_run_on_a_side_tests_nothing() -> None:
    assert differ([1.0], [2.0, 2.1], paired=False) is None


def test_sizes_that_never_vary_differ_for_sure() -> None:
    assert differ([8.0, 8.0], [16.0, 16.0], paired=False) == 0.0
    assert differ([8.0, 8.0], [8.0, 8.0], paired=False) == 1.0


def test_equal_runs_of_what_varies_elsewhere_may_be_luck() -> None:
    # two of the six orders of two and two part them; two of four signs of two gaps
    assert differ([8.0, 8.0], [9.0, 9.0], paired=False, varies=True) == pytest.approx(2 / 6)
    assert differ([8.0, 8.0], [9.0, 9.0], paired=True, varies=True) == pytest.approx(2 / 4)
    assert differ([8.0, 8.0], [8.0, 8.0], paired=False, varies=True) == 1.0


@pytest.mark.parametrize(
    ("load", "evidence"),
    [
        (ClientLoad(busiest_thread=0.97), ("the client's busiest thread used 97 % of a core",)),
        (ClientLoad(cpus=0.85), ("the client used 85 % of its CPUs",)),
        (
            ClientLoad(lag_p99_s=0.004, latency_p50_s=0.01),
            ("1 in 100 requests left 4.0 ms late or more, 1.0 ms would do no harm",),
        ),
        (
            ClientLoad(planned_per_s=1000, sent_per_s=800),
            ("the client sent 20 % fewer requests than planned",),
        ),
        (ClientLoad(lag_p99_s=0.004, latency_p50_s=0.2), ()),
        (ClientLoad(busiest_thread=0.5, cpus=0.3, planned_per_s=10, sent_per_s=9.9), ()),
        (ClientLoad(), ()),
    ],
)
def test_a_client_at_its_limit_is_told_by_what_was_measured(
    load: ClientLoad, evidence: tuple[str, ...]
) -> None:
    assert client_limited(load) == evidence
