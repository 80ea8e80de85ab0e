"""What must not acquit, or blame: one run twice, lost runs, equal runs, cells of other sizes."""

from __future__ import annotations

from typing import Any

import pytest
from compared import ERRORS, LATENCY, a_side, latencies, steady

from specc.comparing.compare import compare_sides, not_comparable
from specc.comparing.gate import Gate, Gated
from specc.comparing.refusals import NotComparable, OtherStudy, SameRun
from specc.comparing.sides import Side


def a_gate(**asked: Any) -> Gate:
    return Gate(metrics=(Gated(metric="latency_ms", **asked),))


def compared(baseline: Side, current: Side, gate: Gate | None = None) -> dict[str, Any]:
    return compare_sides(baseline, current, gate or a_gate())


def runs(*cells: list[float]) -> Side:
    return a_side([{"latency_ms": values} for values in cells])


def with_lost(side: Side, *, due: int) -> Side:
    cell = side.summary["cells"][0]
    cell["repetitions"] = {**cell["repetitions"], "expected": due}
    return side


def test_one_run_held_against_itself_shows_nothing() -> None:
    side = a_side(latencies(10.0))
    with pytest.raises(SameRun, match="both sides are the same run, which shows nothing: r1"):
        compare_sides(side, side, a_gate(), across={"spec", "host"})


def test_the_same_run_is_undecided_beside_a_report() -> None:
    side = a_side(latencies(10.0))
    with pytest.raises(NotComparable) as caught:
        compared(side, side)
    told = not_comparable(side, side, caught.value, ())
    assert told["gate"] == "INCONCLUSIVE"
    assert told["text"] == "not comparable: both sides are the same run, which shows nothing"


def test_runs_of_one_name_that_began_at_other_times_are_two() -> None:
    assert compared(a_side(latencies(10.0)), a_side(latencies(10.0)))["gate"] == "PASS"


def test_survivors_of_crashed_runs_acquit_nobody() -> None:
    found = compared(a_side(latencies(10.0)), with_lost(runs(steady(10.0, 3)), due=5))
    assert found["gate"] == "INCONCLUSIVE"
    assert found["rows"][0]["note"] == "current: 2 of 5 runs have no value"


def test_survivors_that_are_slower_still_fail() -> None:
    assert compared(runs(steady(10.0)), with_lost(runs(steady(20.0, 3)), due=5))["gate"] == "FAIL"


def test_runs_lost_on_both_sides_alike_are_no_news() -> None:
    old, new = (with_lost(runs(steady(10.0)), due=6) for _ in range(2))
    assert compared(old, new)["gate"] == "PASS"


def test_a_lost_run_in_one_cell_keeps_the_mean_from_a_pass() -> None:
    old, new = (a_side(latencies(10.0, 20.0)) for _ in range(2))
    assert compared(old, with_lost(new, due=6))["gate"] == "INCONCLUSIVE"


@pytest.mark.parametrize(("count", "verdict"), [(2, "INCONCLUSIVE"), (3, "PASS")])
def test_two_equal_runs_agree_by_chance_too_easily(count: int, verdict: str) -> None:
    found = compared(runs([10.0] * count), runs([10.0] * count))
    assert found["gate"] == verdict
    assert found["primary"]["smallest_detectable_pct"] is None
    assert "may well go unseen" not in found["text"]


def test_equal_runs_say_how_many_more_of_them_it_takes() -> None:
    found = compared(runs([10.0] * 2), runs([10.0] * 2))
    assert found["primary"]["needs_more_repetitions"] == 1
    worse = compared(runs([10.0] * 3), runs([90.0] * 3))
    # one of 20 orders of 3 and 3 runs is more than 2.5 %, one of 70 is less
    assert (worse["gate"], worse["primary"]["needs_more_repetitions"]) == ("INCONCLUSIVE", 1)
    assert worse["rows"][0]["note"] == (
        "no run differs from its neighbours, and they are too few to rule out chance"
    )


def test_zeros_that_stay_zeros_are_no_worse() -> None:
    assert compared(runs([0.0] * 5), runs([0.0] * 5))["gate"] == "PASS"


def test_a_zero_somewhere_does_not_let_large_cells_hide_small_ones() -> None:
    old = runs([0.0, 0.0, 0.1, 0.0, 0.0], steady(1.0), steady(1000.0))
    new = runs([0.0, 0.1, 0.0, 0.0, 0.0], steady(10.0), steady(1000.0))
    found = compared(old, new, a_gate(alarm=20.0))
    small = found["rows"][1]
    assert (small["verdict"], found["gate"]) == ("FAIL", "FAIL")
    assert small["delta_pct"] == pytest.approx(900.0, rel=0.01)


def test_values_on_both_sides_of_zero_have_no_percentages() -> None:
    old, new = runs([-1.0, 1.0, -1.1, 1.1, 0.1]), runs([-1.0, 1.2, -1.1, 1.1, 0.1])
    row = compared(old, new)["rows"][0]
    assert row["delta_pct"] is None
    assert row["delta_abs"] == pytest.approx(0.04)


def test_less_of_what_is_below_zero_has_its_sign() -> None:
    found = compared(runs([-10.0, -10.1, -9.9, -10.0]), runs([-8.0, -8.1, -7.9, -8.0]))
    assert found["gate"] == "FAIL"
    assert found["primary"]["effect_pct"] == pytest.approx(20.0)


def test_few_samples_and_shared_nodes_are_told_though_they_decide_nothing() -> None:
    new = a_side(latencies(10.0))
    metric = new.summary["cells"][0]["metrics"]["latency_ms"]
    metric["verdict_causes"] = [{"verdict": "SHARED_NODE", "reason": "not exclusive"}]
    found = compared(a_side(latencies(10.0)), new)
    assert found["gate"] == "PASS"
    assert found["rows"][0]["note"] == "current SHARED_NODE: not exclusive"


def test_percentages_from_zero_are_points() -> None:
    old = a_side([{"error_pct": [0.0] * 5}], (ERRORS, LATENCY))
    new = a_side([{"error_pct": [50.0, 60.0, 50.0, 40.0, 50.0]}], (ERRORS, LATENCY))
    found = compared(old, new, Gate(metrics=(Gated(metric="error_pct"),)))
    assert found["gate"] == "FAIL"
    assert found["primary"]["effect_abs"] == pytest.approx(50.0)


def other_study(name: str, *, axis: str, **about: Any) -> Side:
    """Return a side of one point that shares no task with those of `compared`."""
    side = a_side(latencies(10.0), **about)
    side.summary["name"] = name
    side.summary["axes"] = {axis: []}
    side.summary["cells"][0].update(axes={axis: 1}, tasks=["f" * 16])
    return side


def told_apart(new: Side, across: tuple[str, ...] = ()) -> OtherStudy:
    with pytest.raises(OtherStudy) as caught:
        compare_sides(a_side(latencies(10.0)), new, a_gate(), across=across)
    return caught.value


def test_different_studies_are_named_and_no_difference_is_offered_as_meant() -> None:
    found = told_apart(other_study("storage", axis="clients", kind="inference"))
    assert str(found) == (
        "these are different studies, without a point in common:"
        " study (command over size; bundle study-0123456789ab)"
        " and storage (inference over clients; bundle study-0123456789ab)"
    )
    assert found.hint == "compare two runs of one study"
    assert found.exit_code == 6
    assert found.told == "not comparable: they are different studies"


def test_no_across_makes_different_studies_comparable() -> None:
    assert told_apart(other_study("storage", axis="clients"), ("spec",)).hint is not None


def test_points_of_another_name_are_matched_by_their_axes_when_asked() -> None:
    new = other_study("renamed", axis="size")
    hint = "compare two runs of one study; where both specs mean the same points: --across spec"
    assert told_apart(new).hint == hint
    found = compare_sides(a_side(latencies(10.0)), new, a_gate(), across=("spec",))
    assert found["gate"] == "PASS"
