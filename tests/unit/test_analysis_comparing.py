"""Two samples and families of them, each against a second way of getting the number."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from specc.analysis.comparing.family import Question, decide, more_runs, reach
from specc.analysis.comparing.two_samples import (
    Effect,
    TooFewRuns,
    difference,
    mean_over_cells,
)

OLD = [10.0, 10.4, 9.8, 10.1, 10.3]
NEW = [10.9, 11.2, 10.6, 11.4]


def a_question(centre: float, error: float = 0.01, *, freedom: float = 8.0) -> Question:
    worse = Effect(centre=centre, error=error, freedom=freedom, runs=(5, 5))
    return Question(worse=worse, alarm=0.0, tolerate=0.05)


def verdicts(
    *centres: float, mean: float | None = None, error: float = 0.01
) -> tuple[str | None, list[str]]:
    primary = None if mean is None else a_question(mean, error)
    above, cells = decide(primary, [a_question(centre, error) for centre in centres])
    return above and above.verdict, [one.verdict for one in cells]


def test_a_difference_is_that_of_welch() -> None:
    known = stats.ttest_ind(NEW, OLD, equal_var=False)
    found = difference(OLD, NEW)
    assert found.freedom == pytest.approx(known.df)
    assert found.centre / found.error == pytest.approx(known.statistic)
    assert found.p_above(0.0) == pytest.approx(known.pvalue / 2)
    known_low, known_high = known.confidence_interval(0.95)
    assert (found.bound(0.025), found.bound(0.975)) == pytest.approx((known_low, known_high))


def test_one_run_on_a_side_is_refused() -> None:
    with pytest.raises(TooFewRuns):
        difference([1.0], [1.0, 2.0])


def test_repetitions_that_line_up_are_one_value_each() -> None:
    cells = [(OLD[:4], NEW), ([20.0, 21.0, 19.0, 20.5], [22.0, 21.0, 23.0, 20.0])]
    found = mean_over_cells(cells, [(range(4), range(4))] * len(cells))
    sides = [np.mean([cell[side] for cell in cells], axis=0) for side in (0, 1)]
    known = stats.ttest_ind(sides[1], sides[0], equal_var=False)
    assert found.p_above(0.0) == pytest.approx(known.pvalue / 2)


def test_where_repetitions_are_not_known_cells_may_all_go_together() -> None:
    one, two = difference(OLD, NEW), difference(NEW, OLD)
    found = mean_over_cells([(OLD, NEW), (NEW, OLD)], None)
    assert found.centre == pytest.approx(0.0)
    assert found.error == pytest.approx((one.error + two.error) / 2)


def test_errors_of_cells_without_a_repetition_in_common_are_added() -> None:
    one, two = difference([1.0, 3.0], [2.0, 6.0]), difference([5.0, 6.0], [4.0, 9.0])
    found = mean_over_cells(
        [([1.0, 3.0], [2.0, 6.0]), ([5.0, 6.0], [4.0, 9.0])], [((0, 1), (2, 3)), ((2, 3), (0, 1))]
    )
    assert found.error == pytest.approx(math.hypot(one.error, two.error) / 2)


def test_a_lost_run_does_not_hide_that_repetitions_go_together() -> None:
    together = [1.0, 2.0, 3.0, 4.0, 5.0]
    cells = [(together, together)] * 8
    whole = [(range(5), range(5))] * 8
    lost = [(together[1:], together), *cells[1:]]
    found = mean_over_cells(lost, [((1, 2, 3, 4), range(5)), *whole[1:]])
    assert found.error == pytest.approx(mean_over_cells(cells, whole).error, rel=0.05)


def test_equal_runs_prove_as_much_as_their_order() -> None:
    three, five = difference([1.0] * 3, [2.0] * 3), difference([1.0] * 5, [2.0] * 5)
    assert three.p_above(0.0) == pytest.approx(1 / 20)
    assert five.p_above(0.0) == pytest.approx(1 / 252)
    assert difference([1.0] * 3, [1.0] * 3).p_above(0.0) == 1.0


def test_a_single_cell_has_the_whole_error_rate() -> None:
    (one,) = decide(None, [a_question(0.03)])[1]
    assert one.share == pytest.approx(0.025)
    assert one.verdict == "FAIL"


def test_the_mean_has_four_fifths_and_the_cells_share_the_rest() -> None:
    above, cells = decide(a_question(0.0), [a_question(0.0)] * 4)
    assert above is not None
    assert above.share == pytest.approx(0.02)
    assert [one.share for one in cells] == pytest.approx([0.005 / 4] * 4)


def test_a_mean_that_fails_leaves_its_rate_to_the_cells() -> None:
    _, cells = decide(a_question(0.1), [a_question(0.0)] * 4)
    assert cells[0].share == pytest.approx(0.025 / 4)


def test_holm_goes_on_after_a_cell_that_failed() -> None:
    # p of 0.2 at 8 degrees of freedom and an error of 0.01 is far below every step
    _, cells = decide(a_question(0.0), [a_question(0.2), a_question(0.0), a_question(0.2)])
    assert [one.share for one in cells] == pytest.approx([0.005 / 3, 0.005, 0.005 / 2])


def test_several_metrics_share_the_error_rate() -> None:
    (one,) = decide(None, [a_question(0.0)], metrics=5)[1]
    assert one.share == pytest.approx(0.005)


def test_verdicts() -> None:
    assert verdicts(0.0) == (None, ["PASS"])
    assert verdicts(0.1) == (None, ["FAIL"])
    assert verdicts(0.03, mean=0.03, error=0.02) == ("INCONCLUSIVE", ["INCONCLUSIVE"])
    assert verdicts(-0.1, -0.1, mean=-0.1) == ("PASS", ["PASS", "PASS"])


def test_doubted_numbers_neither_acquit_nor_blame() -> None:
    clean, worse = a_question(0.0), a_question(0.1)
    never_pass = Question(worse=clean.worse, alarm=0.0, tolerate=0.05, may_pass=False)
    never_fail = Question(worse=worse.worse, alarm=0.0, tolerate=0.5, may_fail=False)
    _, cells = decide(None, [never_pass, never_fail])
    assert [one.verdict for one in cells] == ["INCONCLUSIVE", "INCONCLUSIVE"]


def test_an_alarm_lets_smaller_worsenings_through() -> None:
    worse = Effect(centre=0.06, error=0.01, freedom=8.0, runs=(5, 5))
    _, (strict,) = decide(None, [Question(worse=worse, alarm=0.0, tolerate=0.1)])
    _, (lenient,) = decide(None, [Question(worse=worse, alarm=0.05, tolerate=0.1)])
    assert (strict.verdict, lenient.verdict) == ("FAIL", "PASS")


def test_so_many_more_runs_settle_it_and_one_less_does_not() -> None:
    question = a_question(0.03, error=0.03)
    more = more_runs(question, 0.025, 0.95)
    assert more is not None

    def width(runs: int) -> float:
        error = 0.03 * math.sqrt(5 / runs)
        return float(2 * stats.t.ppf(0.975, 2 * runs - 2) * error)

    assert width(5 + more) < 0.05 <= width(5 + more - 1)


def test_no_number_of_runs_is_told_where_runs_are_not_what_lacks() -> None:
    worse = a_question(0.0).worse
    doubted = Question(worse=worse, alarm=0.0, tolerate=0.05, may_pass=False)
    assert more_runs(doubted, 0.025, 0.95) is None


def test_the_smallest_worsening_shown_is_found_four_times_in_five() -> None:
    rng = np.random.default_rng(5)
    noise, n = 0.04, 5
    truth = Effect(centre=0.0, error=noise * math.sqrt(2 / n), freedom=8.0, runs=(n, n))
    question = Question(worse=truth, alarm=0.0, tolerate=0.05)
    _, (decision,) = decide(None, [question])
    slower = reach(question, decision).smallest
    old, new = rng.normal(0, noise, (2, 2000, n))
    pairs = zip(old, new + slower, strict=True)
    hits = sum(difference(b, c).p_above(0.0) <= decision.share for b, c in pairs)
    # Welch's degrees of freedom cost a little of the power
    assert 0.75 < hits / 2000 < 0.83
