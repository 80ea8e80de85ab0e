"""Whether a run stood still: what is found, what is not, and how fast."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest
from numpy.typing import NDArray

from specc.analysis.dependence import effective_samples, memory
from specc.analysis.outliers import count_outliers, outlier_flags
from specc.analysis.percentiles import describe
from specc.analysis.signs import change
from specc.analysis.steadiness import common_drift, examine

N = 200
PLACE = np.linspace(0, 1, N)


def noisy(shape: NDArray[np.float64], *, seed: int = 1) -> NDArray[np.float64]:
    """Return a shape with 5 % noise."""
    found: NDArray[np.float64] = shape * (1 + 0.05 * np.random.default_rng(seed).normal(size=N))
    return found


def test_a_run_without_movement_stands_still() -> None:
    found = examine(noisy(np.ones(N)))
    assert (found.significant, found.reason, found.warm_up) == (False, None, 0)


def test_a_drift_of_a_fifth_is_found_with_its_size() -> None:
    found = examine(noisy(1 + 0.2 * PLACE))
    assert found.significant
    assert found.drift == pytest.approx(0.2, abs=0.05)
    assert found.reason is not None
    assert found.reason.startswith("drift of +")


def test_a_step_is_found_with_its_place() -> None:
    found = examine(noisy(np.where(PLACE < 0.6, 1.0, 1.3)))
    assert found.changed_at == pytest.approx(120, abs=2)
    assert found.level_change == pytest.approx(0.3, abs=0.04)
    assert found.reason is not None
    assert found.reason.startswith("level changed by +")


def test_a_warm_up_is_found_with_its_length_and_leaves_no_drift() -> None:
    found = examine(noisy(np.where(np.arange(N) < 10, 1.4, 1.0)))
    assert found.warm_up == 10
    assert found.warm_up_change == pytest.approx(0.4, abs=0.08)
    assert found.reason == f"the first 10 of 200 values differ by {change(found.warm_up_change)}"


def test_a_movement_below_the_limit_is_shown_and_not_called_one() -> None:
    found = examine(1 + 0.02 * PLACE)
    assert found.drift == pytest.approx(0.02, abs=0.005)
    assert not found.significant


def test_a_large_movement_of_a_few_dependent_values_is_not_called_one() -> None:
    """A wave that swings once: its halves differ by 60 %, and it is worth a handful of values."""
    found = examine(1 + 0.4 * np.sin(np.linspace(0.3, 5, N)))
    assert not found.significant
    assert found.reason is not None
    assert found.reason.endswith("independent values: steadiness needs 10")


def test_a_smooth_drift_that_all_runs_share_is_told_by_the_runs() -> None:
    """Within one run it could be slow noise; three runs that do the same could not."""
    curve = 1 + 0.15 * (1 - np.exp(-3 * PLACE))
    runs = [examine(curve * scale) for scale in (1.0, 1.1, 0.9)]
    assert not any(run.significant for run in runs)
    assert common_drift([run.drift or 0.0 for run in runs])
    assert not common_drift([0.15, -0.14, 0.16])
    assert not common_drift([0.02, 0.021, 0.02])


def test_values_that_take_turns_are_worth_all_of_themselves() -> None:
    turns = np.tile([1.0, 2.0], 500)
    assert examine(turns).effective_n > 990
    assert examine(turns).significant is False
    assert examine(turns * np.linspace(1.0, 1.3, 1000)).significant is True


def test_one_stall_is_an_outlier_and_no_drift() -> None:
    values = noisy(np.ones(N))
    values[190] = 1000.0
    assert not examine(values).significant


def test_a_drift_through_zero_has_a_size() -> None:
    rng = np.random.default_rng(3)
    found = examine(rng.normal(0, 0.1, N) + 2 * PLACE - 0.5)
    assert found.significant


def test_a_level_of_zero_has_no_shares() -> None:
    values = np.tile([-1.0, 0.0, 1.0], 20)
    assert examine(values).reason == "the level is 0: no change can be a share of it"


def test_equal_values_stand_still() -> None:
    found = examine([7.0] * 40)
    assert (found.drift, found.significant, found.reason) == (0.0, False, None)


def test_a_jump_without_any_noise_is_found() -> None:
    assert examine([1.0] * 30 + [1.2] * 30).significant


def test_a_short_run_says_that_it_is_short() -> None:
    found = examine(np.linspace(1, 1.2, 20))
    assert (found.reason, found.significant) == ("20 values: steadiness needs 30", False)
    assert found.drift == pytest.approx(0.2, abs=0.01)
    assert examine([1.0] * 7).drift is None


def test_the_drift_equals_the_slope_of_scipy() -> None:
    values = noisy(1 + 0.2 * PLACE)
    slope = float(np.polyfit(PLACE, np.log(values), 1)[0])
    assert examine(values).drift == pytest.approx(np.expm1(slope), rel=1e-6)


@pytest.mark.parametrize("phi", [0.0, 0.7, 0.97])
@pytest.mark.parametrize("n", [4, 5, 18, 202, 5000])
def test_effective_samples_equal_the_plain_sum(phi: float, n: int) -> None:
    """By products of few lags and by the spectrum: the same as lag by lag."""
    rng, x, values = random.Random(n), 0.0, []
    for _ in range(n):
        x = phi * x + rng.gauss(0, 1)
        values.append(x)
    centred = np.array(values) - np.mean(values)
    total, power = 0.0, centred @ centred
    for lag in range(1, min(n - 1, 200), 2):
        pair = sum(centred[: n - k] @ centred[k:] for k in (lag, lag + 1)) / power
        if pair <= 0:
            break
        total += pair
    assert memory(centred)[0] == pytest.approx(total, abs=1e-12)
    assert effective_samples(values) == pytest.approx(max(1, min(n, n / (1 + 2 * total))))


def test_arrays_and_sequences_give_the_same_numbers() -> None:
    values = noisy(np.ones(N))
    plain = [float(value) for value in values]
    assert describe(values) == describe(plain)
    assert examine(values) == examine(plain)
    assert count_outliers(values) == sum(outlier_flags(plain))


def test_a_long_run_is_examined_by_batches_and_tells_the_same() -> None:
    """A drift, and a warm-up before it, among a million values with noise of 30 %."""
    rng = np.random.default_rng(0)
    values = rng.lognormal(0, 0.3, 1_000_000) * np.linspace(1, 1.1, 1_000_000)
    assert examine(values).reason == "drift of +10.0 % over the run"
    values[:20_000] *= 1.5
    reason = examine(values).reason
    assert reason is not None
    assert "drift of +" in reason
    assert "of 1000000 values differ by +" in reason


def test_a_million_values_take_well_under_two_seconds() -> None:
    values = np.random.default_rng(0).lognormal(size=1_000_000)
    started = time.process_time()
    describe(values, effective_n=effective_samples(values))
    examine(values)
    count_outliers(values)
    assert time.process_time() - started < 2
