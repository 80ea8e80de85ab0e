"""The knee, objectives, Little's law: each number by a second way, each rule by its edge."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import optimize, stats

from specc.analysis.load.curve import curve
from specc.analysis.load.growth import last_growth
from specc.analysis.load.hinge import fit_hinge
from specc.analysis.load.knee import Level, find_knee
from specc.analysis.load.little import audit, seconds_of_rate
from specc.analysis.load.slo import Bounds, answer
from specc.analysis.load.usl import fit_usl, peak_interval
from specc.analysis.student import f_tail

LEVELS = (1, 2, 4, 8, 16, 32, 64, 128)


def law(load: float) -> float:
    return 100 * load / (1 + 0.05 * (load - 1) + 0.0005 * load * (load - 1))


def runs(rate: Callable[[float], float]) -> dict[float, list[float]]:
    """Return five runs at each level, with 4 % noise."""
    chance = np.random.default_rng(3)
    noise = np.exp(0.04 * chance.standard_normal((len(LEVELS), 5)))
    return {n: [rate(n) * float(x) for x in noise[place]] for place, n in enumerate(LEVELS)}


def levels(rate: Callable[[float], float]) -> list[Level]:
    return [Level(load=n, throughputs=tuple(each)) for n, each in runs(rate).items()]


def squares(data: dict[float, list[float]], corner: float) -> float:
    """Return the sum of squares about the best hinge with a corner."""
    rest = [math.log(x / min(n, corner)) for n, each in data.items() for x in each]
    return float(np.var(rest)) * len(rest)


def bounds(*intervals: tuple[float, float]) -> list[Bounds]:
    return [Bounds(load=2.0**n, low=low, high=high) for n, (low, high) in enumerate(intervals)]


@pytest.mark.parametrize(("f", "above", "below"), [(0.3, 1, 4), (2.5, 6, 32), (40.0, 3, 2)])
def test_the_tail_of_f_is_that_of_scipy(f: float, above: int, below: int) -> None:
    assert f_tail(f, above, below) == pytest.approx(stats.f.sf(f, above, below), rel=1e-8)


def test_the_hinge_is_what_a_search_finds() -> None:
    data = runs(lambda n: 100.0 * min(n, 11))
    found = fit_hinge(curve(data))

    best = optimize.minimize_scalar(lambda corner: squares(data, corner), bounds=(9, 14))
    assert found.corner == pytest.approx(best.x, rel=1e-4)


def test_the_hinges_interval_ends_where_the_f_test_rejects() -> None:
    data = runs(lambda n: 100.0 * min(n, 11))
    found = fit_hinge(curve(data))

    least = squares(data, found.corner)
    limit = least * (1 + stats.f.ppf(0.95, 1, 38) / 38)
    assert squares(data, found.low) == pytest.approx(limit, rel=1e-6)
    assert squares(data, found.high) == pytest.approx(limit, rel=1e-6)


def test_the_law_is_what_a_general_least_squares_finds() -> None:
    data = runs(law)

    def misses(p: tuple[float, float, float]) -> list[float]:
        return [
            math.log(x) - p[0] - math.log(n) + math.log(1 + p[1] * (n - 1) + p[2] * n * (n - 1))
            for n, each in data.items()
            for x in each
        ]

    best = optimize.least_squares(misses, (4.0, 0.1, 0.001), xtol=1e-12, ftol=1e-12)
    found = fit_usl(curve(data))
    assert found.peak == pytest.approx(math.sqrt((1 - best.x[1]) / best.x[2]), rel=1e-3)
    assert found.sigma == pytest.approx(best.x[1], rel=1e-2)


def test_a_law_without_a_peak_has_no_upper_bound() -> None:
    data = curve(runs(lambda n: 100 * n / (1 + 0.2 * (n - 1))))
    assert peak_interval(data, fit_usl(data)).high is None


def test_the_peaks_interval_ends_where_the_f_test_rejects() -> None:
    data = curve(runs(law))
    found = fit_usl(data)
    held = peak_interval(data, found)
    assert held.high is not None
    least = found.missed + data.within
    limit = found.missed + least * stats.f.ppf(0.95, 1, 37) / 37
    for end in (held.low, held.high):

        def misses(sigma: float, peak: float = end) -> float:
            n = data.levels
            slowed = 1 + sigma * (n - 1) + (1 - sigma) / peak**2 * n * (n - 1)
            return float(np.var(data.means - np.log(n) + np.log(slowed))) * data.total

        best = optimize.minimize_scalar(misses, bounds=(0, 0.5), method="bounded")
        assert best.fun == pytest.approx(limit, rel=1e-3)


def test_levels_of_one_spread_weigh_as_much_as_they_have_runs() -> None:
    data = curve({n: [100.0, 104.0, 96.0][: 3 if n < 64 else 2] for n in LEVELS})
    assert data.weights.tolist() == [3, 3, 3, 3, 3, 3, 2, 2]


def test_a_spread_that_rises_with_the_load_takes_weight_from_high_levels() -> None:
    data = curve({n: [100.0, 100.0 + n / 10, 100.0 - n / 10] for n in LEVELS})
    # a spread in proportion to the load: its variance follows the square
    assert data.weights[0] / data.weights[-1] == pytest.approx(128**2, rel=0.02)


def test_a_plateau_within_the_last_factor_of_two_is_seen_where_levels_are_dense() -> None:
    """40 to 50 still grows, which the slope from 40 to 80 can't tell from growing at 80."""
    loads = (10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0)
    noise = (0.99, 1.0, 1.01)

    def dense(rate: Callable[[float], float]) -> list[Level]:
        return [Level(load=n, throughputs=tuple(rate(n) * e for e in noise)) for n in loads]

    found = find_knee(dense(lambda load: min(load, 45.0)))
    assert found.verdict == "FOUND"
    assert found.value == pytest.approx(45, rel=0.02)
    assert find_knee(dense(lambda load: load)).verdict == "NOT_REACHED"


def test_growth_is_the_slope_over_the_last_factor_of_two() -> None:
    data = {n: [100.0 * n, 101.0 * n] for n in LEVELS}
    found = last_growth(curve(data))
    assert (found.gain, found.first, found.state) == (pytest.approx(1.0), 64, "growing")


def test_equal_runs_give_the_corner_itself() -> None:
    found = find_knee([Level(load=n, throughputs=(min(n, 8.0),) * 3) for n in LEVELS])
    assert (found.verdict, found.model) == ("FOUND", "hinge")
    assert found.value == pytest.approx(8)


def test_a_flat_curve_has_its_knee_at_or_below_the_first_level() -> None:
    found = find_knee(levels(lambda _: 100.0))
    assert (found.verdict, found.at_or_below, found.low) == ("FOUND", True, 1)


def test_a_peak_beyond_the_last_level_is_not_invented() -> None:
    few = [level for level in levels(law) if level.load <= 16]
    assert find_knee(few).verdict == "NOT_REACHED"


def test_a_curve_of_another_shape_is_refused() -> None:
    dented = {1: 100, 2: 200, 4: 90, 8: 400, 16: 90, 32: 400, 64: 200, 128: 190}
    found = find_knee(levels(lambda n: float(dented[n])))
    assert found.verdict == "REFUSED"
    assert found.reason is not None
    assert found.reason.startswith("neither a hard limit nor a peak")


def test_a_curve_refuses_a_throughput_of_zero() -> None:
    with pytest.raises(ValueError, match="above zero"):
        curve({1: [0.0]})


def test_the_answer_is_the_largest_load_whose_upper_bound_meets_the_limit() -> None:
    found = answer(bounds((8, 9), (9, 10), (9, 11), (12, 14)), "le", 10)
    assert (found.verdict, found.load, found.unsure, found.fails_from) == ("MET", 2, (4,), 8)


def test_a_straddling_level_below_one_that_meets_is_settled_by_it() -> None:
    found = answer(bounds((8, 11), (8, 9)), "le", 10)
    assert (found.load, found.unsure, found.at_least) == (2, (), True)


def test_a_level_that_fails_below_one_that_meets_is_flagged() -> None:
    found = answer(bounds((8, 9), (11, 12), (8, 9)), "le", 10)
    assert (found.load, found.fails_from, found.not_monotone) == (1, 2, (4,))


def test_no_interval_decides_nothing() -> None:
    found = answer([Bounds(load=1, low=None, high=None)], "le", 10)
    assert (found.verdict, found.load) == ("UNDECIDED", None)
    assert (found.unsure, found.unknown) == ((), (1,))


def test_the_lowest_level_failing_is_not_met() -> None:
    assert answer(bounds((11, 12), (13, 14)), "le", 10).verdict == "NOT_MET"


def test_a_least_throughput_is_met_from_some_load_on() -> None:
    found = answer(bounds((8, 9), (11, 12), (15, 16)), "ge", 10, worsens=False)
    assert (found.verdict, found.load, found.not_monotone) == ("MET", 4, ())


def test_littles_law_within_five_percent() -> None:
    assert audit(8, 800.0, "requests/s", 10.2, "ms").ok is True
    assert audit(8, 800.0, "requests/s", 10.6, "ms").ok is False


def test_tokens_are_not_audited() -> None:
    found = audit(8, 800.0, "tokens/s", 10.0, "ms")
    assert (found.ok, found.reason) == (
        None,
        "'tokens/s' does not count requests, of which latency is measured",
    )


@pytest.mark.parametrize(
    ("unit", "over_s"),
    [("1/s", 1.0), ("ops/s", 1.0), ("ops/min", 60.0), ("qps", 1.0), ("B/s", None), ("s", None)],
)
def test_which_rates_count_requests(unit: str, over_s: float | None) -> None:
    assert seconds_of_rate(unit) == over_s


def test_a_rate_per_minute_obeys_littles_law() -> None:
    assert audit(8.0, 48_000.0, "ops/min", 10.0, "ms").ratio == pytest.approx(1.0)
