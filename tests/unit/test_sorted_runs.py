"""Percentiles of several sorted samples against numpy on all values together."""

from __future__ import annotations

import numpy as np
import pytest

from specc.analysis.outliers import count_outliers
from specc.analysis.percentiles import describe
from specc.analysis.sorted_runs import count_outliers_of_runs, describe_runs, percentile_of_runs

_RNG = np.random.default_rng(7)
SAMPLES = {
    "skewed": [_RNG.lognormal(0, 1, n) for n in (1000, 17, 333)],
    "around zero": [_RNG.normal(0, 1e-3, n) for n in (500, 501)],
    "many equal": [_RNG.integers(0, 4, 300).astype(float), np.zeros(200)],
    "huge and tiny": [np.array([-1e139, 5e-324, 0.0, 1e-300]), np.array([1e139])],
    "one value": [np.array([2.5])],
}


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("level", [0, 12.5, 50, 90, 99, 99.9, 100])
def test_percentiles_agree_with_numpy(name: str, level: float):
    runs = [np.sort(run) for run in SAMPLES[name]]
    expected = np.percentile(np.concatenate(runs), level)
    assert percentile_of_runs(runs, level) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", SAMPLES)
def test_outliers_agree_with_the_whole_sample(name: str):
    runs = [np.sort(run) for run in SAMPLES[name]]
    assert count_outliers_of_runs(runs) == count_outliers(np.concatenate(runs))


def test_runs_are_described_like_the_whole_sample():
    runs = [np.sort(run) for run in SAMPLES["skewed"]]
    found = describe_runs(runs, effective_n=250.0)
    whole = describe(np.concatenate(runs), effective_n=250.0)
    assert found.percentiles == whole.percentiles
    assert found.refused == whole.refused
    assert (found.n, found.min, found.max) == (whole.n, whole.min, whole.max)
    assert found.avg == pytest.approx(whole.avg, rel=1e-12)
