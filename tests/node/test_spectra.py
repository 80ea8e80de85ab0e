"""Fluctuation of losses: noises of known spectrum, scipy and numpy as second methods."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
import scipy.stats

from specc_runtime.ml.running_slope import RunningSlope
from specc_runtime.ml.spectra import fluctuation, tail_share

STEPS = np.arange(1001, 1513)


def noise(exponent: float, count: int = 4096, *, seed: int = 0) -> np.ndarray:
    """Make Gaussian noise whose power falls as frequency**-exponent."""
    random = np.random.default_rng(seed)
    frequency = np.fft.rfftfreq(count)
    frequency[0] = 1.0
    parts = random.normal(size=len(frequency)) + 1j * random.normal(size=len(frequency))
    parts[0] = 0.0
    return np.fft.irfft(parts * frequency ** (-exponent / 2), n=count)


def expected_share(exponent: float, tail: float, count: int = 4096) -> float:
    frequency = np.fft.rfftfreq(count)[1:]
    power = frequency**-exponent
    return float(power[frequency > 0.5 * (1 - tail)].sum() / power.sum())


@pytest.mark.parametrize("tail", [0.1, 0.25, 0.5])
def test_white_noise_has_the_share_of_its_frequencies(tail):
    assert tail_share(noise(0.0), tail) == pytest.approx(tail, rel=0.1)


@pytest.mark.parametrize("exponent", [0.5, 1.0, -1.0])
def test_coloured_noise_has_the_share_of_its_exponent(exponent):
    shares = [tail_share(noise(exponent, seed=seed), 0.5) for seed in range(8)]
    assert np.mean(shares) == pytest.approx(expected_share(exponent, 0.5), rel=0.1)


def test_a_drift_does_not_leak_into_the_tail():
    # without the taper the jump from the last value to the first would give it a share of 0.002
    assert tail_share(np.linspace(0, 1, 500), 0.5) < 1e-6


def test_an_alternating_series_is_all_tail():
    assert tail_share([1.0, -1.0] * 50, 0.1) == pytest.approx(1.0)


@pytest.mark.parametrize("count", [511, 512])
def test_the_share_is_that_of_scipys_periodogram(count):
    series = noise(0.7, 600)[:count] + 3.0
    frequency, density = scipy.signal.periodogram(series, window="hann", detrend="constant")
    expected = density[frequency > 0.3].sum() / density[frequency > 0].sum()
    assert tail_share(series, 0.4) == pytest.approx(expected, rel=1e-9)


def test_a_flat_series_has_no_share():
    assert tail_share([2.5] * 100, 0.5) is None


def test_residual_power_is_the_variance_around_numpys_line():
    losses = 8 * STEPS**-0.4 * np.exp(0.05 * noise(0.0, 512) / noise(0.0, 512).std())
    found = fluctuation(STEPS, losses, tail_fraction=0.5)
    _, rest, *_ = np.polyfit(np.log(STEPS), np.log(losses), 1, full=True)
    assert found.residual_power == pytest.approx(rest[0] / 510, rel=1e-6)
    assert found.residual_power == pytest.approx(0.05**2, rel=0.01)
    assert found.psd_tail == pytest.approx(0.5, abs=0.08)
    assert found.points == 512


def test_a_pure_power_law_does_not_fluctuate():
    found = fluctuation(STEPS, 8 * STEPS**-0.4, tail_fraction=0.5)
    assert found.residual_power < 1e-20
    assert found.psd_tail is None
    assert found.psd_tail_reason == "the losses do not fluctuate"


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 0.0, -1.0])
def test_a_loss_that_has_no_logarithm_gives_a_reason(bad):
    found = fluctuation(STEPS, [1.0, bad] + [1.5] * 510, tail_fraction=0.5)
    assert (found.psd_tail, found.residual_power) == (None, None)
    reason = "1 of the last 512 losses are not positive finite numbers"
    assert found.psd_tail_reason == found.residual_power_reason == reason


@pytest.mark.parametrize("count", [0, 15])
def test_too_few_losses_give_a_reason(count):
    found = fluctuation(range(1, count + 1), [1.0] * count, tail_fraction=0.5)
    assert found.residual_power is None
    assert found.residual_power_reason == f"{count} losses are too few, 16 are needed"


def of(steps, losses, *, cuts=()):
    slope = RunningSlope()
    for x, y in zip(np.split(steps, cuts), np.split(losses, cuts), strict=True):
        slope.add(x, y)
    return slope


def test_the_running_slope_is_that_of_all_points_at_once():
    steps = np.arange(1, 3001)
    losses = 2.3 * steps**-0.31 * np.exp(0.1 * np.random.default_rng(1).normal(size=3000))
    found = of(steps, losses, cuts=(1, 17, 300, 301)).slope()
    second = scipy.stats.linregress(np.log(steps), np.log(losses))
    assert found.value == pytest.approx(second.slope, rel=1e-10)
    assert found.error == pytest.approx(second.stderr, rel=1e-8)
    assert found.value == pytest.approx(-0.31, abs=4 * found.error)
    assert found.points == 3000


def test_a_restored_slope_goes_on_bit_equally():
    steps, losses = np.arange(1, 101), np.linspace(2.0, 1.0, 100)
    one = of(steps[:50], losses[:50])
    two = RunningSlope()
    two.restore(one.saved())
    for slope in (one, two):
        slope.add(steps[50:], losses[50:])
    assert one.slope() == two.slope()


def test_losses_without_a_logarithm_are_skipped_and_counted():
    steps, losses = np.arange(1, 41), np.arange(1, 41) ** -0.5
    losses[[3, 9, 20]] = float("nan"), float("inf"), 0.0
    found = of(steps, losses).slope()
    assert found.value == pytest.approx(-0.5)
    assert (found.points, found.skipped) == (37, 3)


def test_a_slope_too_early_has_a_reason():
    found = of(np.arange(1, 9), np.ones(8)).slope()
    assert (found.value, found.error) == (None, None)
    assert found.reason == "8 losses are too few, 16 are needed"


def test_a_slope_of_one_step_has_a_reason():
    found = of(np.full(20, 5), np.linspace(1, 2, 20)).slope()
    assert found.reason == "all points are of one step"
