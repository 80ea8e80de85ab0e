"""Slopes, power laws and the burn-in against numpy, statsmodels, scipy and known truth."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.optimize import curve_fit
from scipy.signal import lfilter

from specc.analysis.slopes.burn_in import burn_in
from specc.analysis.slopes.knee import two_segment_knee
from specc.analysis.slopes.log_slope import loglog_slope
from specc.analysis.slopes.points import log_bins
from specc.analysis.slopes.power_law import power_law
from specc.analysis.slopes.smoothing import ewma

STEP = np.arange(1.0, 4001.0)


def noisy(curve: np.ndarray, spread: float, *, seed: int = 1, r: float = 0.0) -> np.ndarray:
    white = np.random.default_rng(seed).normal(size=len(curve) + 500)
    return curve * np.exp(spread * lfilter([np.sqrt(1 - r * r)], [1, -r], white)[-len(curve) :])


CURVE = noisy(3 * STEP**-0.4, 0.2)


def test_the_slope_and_its_r2_are_those_of_polyfit() -> None:
    found = loglog_slope(STEP, CURVE, window=(100, 3000))
    x, y = np.log(STEP[99:3000]), np.log(CURVE[99:3000])
    slope, intercept = np.polyfit(x, y, 1)
    missed = np.sum((y - slope * x - intercept) ** 2) / np.sum((y - y.mean()) ** 2)
    assert found.value == pytest.approx(slope, rel=1e-10)
    assert found.r_squared == pytest.approx(1 - missed, rel=1e-10)
    assert found.n == 2901


def test_the_error_of_independent_noise_is_that_of_least_squares() -> None:
    found = loglog_slope(STEP, CURVE, window=None)
    plain = sm.OLS(np.log(CURVE), sm.add_constant(np.log(STEP))).fit()
    assert found.value == pytest.approx(plain.params[1], rel=1e-10)
    assert found.r_squared == pytest.approx(plain.rsquared, rel=1e-10)
    assert found.se == pytest.approx(plain.bse[1], rel=0.05)


def test_the_error_of_slow_noise_is_that_of_newey_and_west() -> None:
    slow = noisy(3 * STEP**-0.4, 0.2, r=0.9)
    found = loglog_slope(STEP, slow, window=(200, 4000))
    design = sm.add_constant(np.log(STEP[199:]))
    plain = sm.OLS(np.log(slow[199:]), design).fit()
    robust = plain.get_robustcov_results("HAC", maxlags=60)
    assert found.se == pytest.approx(robust.bse[1], rel=0.25)
    # correlations of 0.9 from step to step: the plain error is (1 + r) / (1 - r) = 19 too sure
    assert found.se == pytest.approx(plain.bse[1] * 19**0.5, rel=0.25)
    assert found.effective_n == pytest.approx(3801 / 19, rel=0.4)


def test_epochs_give_the_slope_of_steps() -> None:
    by_step = loglog_slope(STEP, CURVE, window=(500, 1500))
    by_epoch = loglog_slope(STEP / 100, CURVE, window=(5, 15))
    assert by_epoch.value == pytest.approx(by_step.value, rel=1e-12)
    assert by_epoch.n == by_step.n == 1001


def test_a_slope_leaves_out_what_has_no_logarithm_and_counts_it() -> None:
    holed = CURVE.copy()
    holed[[200, 201, 300, 400]] = [np.nan, np.inf, 0.0, -1.0]
    found = loglog_slope(STEP, holed, window=(101, 1000))
    kept = np.setdiff1d(np.arange(100, 1000), [200, 201, 300, 400])
    assert found.value == pytest.approx(np.polyfit(np.log(STEP[kept]), np.log(CURVE[kept]), 1)[0])
    assert (found.n, found.left_out) == (896, 4)


@pytest.mark.parametrize(
    ("step", "loss", "reason"),
    [
        ([], [], "0 usable points, a fit needs 8"),
        (STEP[:7], CURVE[:7], "7 usable points, a fit needs 8"),
        (STEP[:9], [float("nan")] * 9, r"0 usable points, a fit needs 8 \(9 more are not finite"),
        (STEP[:9], [None] * 9, r"0 usable points"),
        ([*STEP[:20], *STEP[10:30]], CURVE[:40], "steps don't rise: 11 comes after 20"),
        (STEP[:10], CURVE[:9], "don't belong together"),
    ],
)
def test_what_cannot_be_fitted_says_why(step, loss, reason) -> None:
    fits = (
        loglog_slope(step, loss, window=None),
        power_law(step, loss, from_step=None),
        two_segment_knee(step, loss),
        burn_in(step, loss),
    )
    for found in fits:
        assert getattr(found, "value", None) is None
        assert found.reason is not None
        assert re.search(reason, found.reason)


def test_a_constant_loss_has_slope_0_and_no_r2() -> None:
    found = loglog_slope(STEP[:50], [2.0] * 50, window=None)
    assert found.value == pytest.approx(0, abs=1e-12)
    assert found.r_squared is None
    assert power_law(STEP[:50], [2.0] * 50, from_step=None).reason == "the loss never varies"


def test_a_law_is_that_of_curve_fit() -> None:
    curve = noisy(0.05 + 3 * STEP**-0.5, 0.1)
    found = power_law(STEP, curve, from_step=100)
    x, y = STEP[99:], curve[99:]
    (alpha, amplitude, offset), _ = curve_fit(
        lambda s, a, c, o: o + c * s**-a, x, y, p0=(0.5, 3, 0.1), bounds=(0, np.inf)
    )
    # bins are narrow: least squares over their means is least squares over the points
    assert found.alpha == pytest.approx(alpha, rel=0.01)
    assert found.amplitude == pytest.approx(amplitude, rel=0.02)
    assert found.offset == pytest.approx(offset, abs=0.001)


def test_a_law_over_the_same_bins_is_exactly_that_of_curve_fit() -> None:
    curve = noisy(0.05 + 3 * STEP**-0.5, 0.1)
    bins = log_bins(STEP[99:], curve[99:], most=200)
    (alpha, _, offset), _ = curve_fit(
        lambda s, a, c, o: o + c * s**-a, bins.step, bins.loss, p0=(0.5, 3, 0.1),
        sigma=bins.weight**-0.5,
    )  # fmt: skip
    found = power_law(STEP, curve, from_step=100)
    assert found.alpha == pytest.approx(alpha, rel=1e-5)
    assert found.offset == pytest.approx(offset, rel=1e-4)
    assert found.smoothing == "means over 200 log-spaced bins"


def test_a_known_law_is_recovered_from_under_noise() -> None:
    step = np.arange(1.0, 20_001.0)
    found = power_law(step, noisy(0.2 + 5 * step**-0.6, 0.1), from_step=50)
    assert found.alpha == pytest.approx(0.6, abs=0.02)
    assert found.amplitude == pytest.approx(5, rel=0.08)
    assert found.offset == pytest.approx(0.2, abs=0.005)
    assert found.alpha_se is not None
    assert 0.001 < found.alpha_se < 0.01


def test_r2_says_how_much_of_it_is_smoothing() -> None:
    found = power_law(STEP, noisy(0.5 + 3 * STEP**-0.5, 0.15), from_step=20)
    assert found.r_squared > 0.8
    # two thirds of what the raw points do is noise
    assert found.r_squared_raw < 0.4
    assert found.effective_n == pytest.approx(3981, rel=0.1)


def test_a_tail_that_leaves_the_law_shows_in_the_holdout_first() -> None:
    bent = 0.05 + 3 * STEP**-0.5
    good = power_law(STEP, noisy(bent, 0.02), from_step=10)
    bent[3200:] += np.linspace(0, 0.05, 800)
    bad = power_law(STEP, noisy(bent, 0.02), from_step=10)
    assert bad.r_squared > 0.9
    assert bad.r_squared_holdout < -1
    assert good.r_squared_holdout > 0.5
    assert bad.effective_n < good.effective_n / 5


def test_a_rising_loss_is_no_power_law() -> None:
    assert power_law(STEP, 1 + STEP / 4000, from_step=None).reason == "the loss does not fall"
    hardly = power_law(STEP, 3 * STEP**-0.003, from_step=10)
    assert "no exponent from 0.005 to 20 is best: the curve is flatter" in hardly.reason


def test_an_offset_is_never_below_0() -> None:
    # slightly concave in log-log: the best free offset would be negative
    found = power_law(STEP, 3 * STEP**-0.3 - 0.1, from_step=5)
    assert found.offset == 0


def test_burn_in_is_the_first_step_after_the_last_above() -> None:
    loss = np.full(500, 0.5)
    loss[:100], loss[200] = 2.0, 30.0
    smooth = ewma(loss, 10)
    found = burn_in(STEP[:500], loss, 1.0, span=10)
    last_above = max(np.flatnonzero(smooth > 1.0))
    assert 200 <= last_above < 220
    assert found.step == STEP[last_above + 1]
    assert found.loss == pytest.approx(smooth[last_above + 1])
    assert found.smoothing == "EWMA, span 10"


def test_a_run_that_never_comes_down_or_ends_in_nan_has_no_burn_in() -> None:
    assert burn_in(STEP[:100], [2.0] * 100).reason == "the smoothed loss ends at 2, above 1"
    ended = burn_in(STEP[:100], [0.5] * 90 + [float("nan")] * 10)
    assert ended.step is None
    assert ended.reason == "the loss is no number at the end; the last one is at 90"


@pytest.mark.parametrize("seed", range(4))
def test_no_curve_raises_or_gives_a_number_that_is_none(seed: int) -> None:
    rng = np.random.default_rng(seed)
    odd = np.array([np.nan, np.inf, -np.inf, 0, -1, 1e308, 5e-324, 1e160, 1, 2])
    for n in (0, 1, 8, 13, 60, 300):
        curves = [
            rng.choice(odd, n),
            np.full(n, rng.choice(odd)),
            np.exp(rng.normal(0, 50, n)),
            np.tile([1.0, 2.0], n)[:n],
            np.where(np.arange(n) < n // 2, 2.0, rng.choice(odd)),
        ]
        for loss in curves:
            for step in (np.arange(float(n)), 1e15 + np.arange(n), 1e298 * np.arange(n)):
                fits = (
                    loglog_slope(step, loss, window=(1, None)),
                    power_law(step, loss, from_step=None),
                    two_segment_knee(step, loss),
                    burn_in(step, loss),
                )
                for found in fits:
                    values = [getattr(found, name) for name in found.__slots__]
                    numbers = [value for value in values if isinstance(value, float)]
                    assert np.isfinite(numbers).all()
                    assert (values[0] is None) == (found.reason is not None)


def test_the_whole_sweep_takes_seconds() -> None:
    step = np.arange(1.0, 20_001.0)
    curves = [noisy(0.05 + 3 * step**-0.5, 0.1, seed=k, r=0.5) for k in range(8)]
    started = time.process_time()
    for curve in curves:
        start = burn_in(step, curve)
        loglog_slope(step, curve, window=(1950, 5850))
        loglog_slope(step, curve, window=(start.step, None))
        power_law(step, curve, from_step=start.step)
        two_segment_knee(step / 390, curve)
    # 216 runs of 20,000 steps in 10 s of one core
    assert (time.process_time() - started) / len(curves) < 10 / 216
