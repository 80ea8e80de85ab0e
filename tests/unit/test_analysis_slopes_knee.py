"""Knees, exponentially weighted means and spectra against brute force, pandas and scipy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import signal
from scipy.optimize import curve_fit

from specc.analysis.slopes.knee import two_segment_knee
from specc.analysis.slopes.points import log_bins
from specc.analysis.slopes.smoothing import ewma
from specc.analysis.slopes.spectrum import psd

RNG = np.random.default_rng(5)
EPOCH = np.arange(1.0, 5001.0) / 100
BROKEN = 2 * EPOCH**-0.3 * np.maximum(EPOCH / 12, 1) ** -0.5 * np.exp(RNG.normal(0, 0.1, 5000))


def test_a_knee_is_where_two_lines_fit_best() -> None:
    found = two_segment_knee(EPOCH, BROKEN)
    bins = log_bins(EPOCH, BROKEN, most=120)
    x, y = np.log(bins.step), np.log(bins.loss)
    (k, *_), _ = curve_fit(
        lambda x, k, a, b, c: a + b * x + c * np.maximum(x - k, 0), x, y,
        p0=(np.log(10), 0.7, -0.3, -0.3), sigma=bins.weight**-0.5,
    )  # fmt: skip
    # 400 places from 0.03 to 49 epochs: 2 % apart
    assert found.value == pytest.approx(np.exp(k), rel=0.02)
    assert found.low < 12 < found.high
    assert found.before == pytest.approx(-0.3, abs=0.01)
    assert found.after == pytest.approx(-0.8, abs=0.02)
    assert found.smooth is False
    assert found.reason is None


def test_one_line_has_no_knee() -> None:
    line = 2 * EPOCH**-0.5 * np.exp(RNG.normal(0, 0.1, 5000))
    found = two_segment_knee(EPOCH, line)
    assert found.value is None
    assert found.low is None
    assert found.reason.startswith("no knee: one line suffices (p = ")
    exact = two_segment_knee(EPOCH, 2 * EPOCH**-0.5)
    assert exact.reason == "no knee: one line fits to 0.1 %"


def test_a_smooth_bend_has_a_wide_knee_and_says_so() -> None:
    bend = 2.3 / (1 + EPOCH / 2) ** 1.2 * np.exp(RNG.normal(0, 0.1, 5000))
    found = two_segment_knee(EPOCH, bend)
    assert found.smooth is True
    assert found.low < 2 < found.high
    assert found.high / found.low > 3


def test_a_knee_outlives_holes_and_refuses_scraps() -> None:
    holed = BROKEN.copy()
    holed[1000:1400] = np.nan
    holed[7] = np.inf
    found = two_segment_knee(EPOCH, holed)
    assert found.low < 12 < found.high
    assert found.left_out == 401
    few = two_segment_knee(EPOCH[:9], BROKEN[:9])
    assert few.reason is not None
    assert "bins hold points, a knee needs 12" in few.reason


def test_ewma_is_that_of_pandas_with_gaps() -> None:
    values = RNG.normal(size=1037)
    values[[0, 1, 20, 21, 22, 500]] = np.nan
    values[700] = np.inf
    known = pd.Series(values).replace(np.inf, np.nan).ewm(span=25).mean().to_numpy()
    np.testing.assert_allclose(ewma(values, 25), known, rtol=1e-12)


def test_ewma_starts_at_the_first_value_and_keeps_the_last() -> None:
    found = ewma([np.nan, 4.0, *[np.nan] * 5000], 3)
    assert np.isnan(found[0])
    assert found[1] == 4
    assert found[-1] == 4
    assert len(ewma([], 5)) == 0
    np.testing.assert_allclose(ewma([1.0, 2.0, 3.0], 1), [1, 2, 3])


def test_a_span_below_1_is_refused() -> None:
    with pytest.raises(ValueError, match=r"span must be at least 1, got 0.5"):
        ewma([1.0], 0.5)


@pytest.mark.parametrize(("n", "segment"), [(3001, 256), (1000, 255), (100, 256), (17, 256)])
def test_a_spectrum_is_that_of_scipy(n: int, segment: int) -> None:
    values = RNG.normal(3, 2, n)
    frequency, power = signal.welch(values, nperseg=min(segment, n))
    found = psd(values, segment=segment)
    np.testing.assert_allclose(found.frequency, frequency, atol=1e-15)
    np.testing.assert_allclose(found.power, power, rtol=1e-9, atol=1e-15)


def test_the_power_of_white_noise_is_its_variance() -> None:
    found = psd(RNG.normal(0, 3, 100_000))
    assert np.sum(found.power) / 256 == pytest.approx(9, rel=0.03)
    # flat: no band has more than its share
    assert np.mean(found.power[1:65]) == pytest.approx(np.mean(found.power[65:-1]), rel=0.05)
    assert found.segments == 780


def test_a_spectrum_bridges_few_gaps_and_refuses_many() -> None:
    values = RNG.normal(size=500)
    values[[3, 4]] = np.nan
    assert psd(values).filled == 2
    assert psd(values).reason is None
    values[:60] = np.inf
    assert psd(values).reason == "60 of 500 values are not finite"
    assert psd([1.0] * 9).reason == "9 finite values, a spectrum needs 16"
