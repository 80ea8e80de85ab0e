"""Comparisons of two runs: verdicts, directions, doubts, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from compared import (
    ERRORS,
    HEAT,
    LATENCY,
    RATE,
    a_cell,
    a_metric,
    a_side,
    a_summary,
    latencies,
    side_of,
    steady,
)

from specc.comparing.compare import compare_sides
from specc.comparing.gate import Gate, Gated, default_gate
from specc.comparing.refusals import NotComparable
from specc.comparing.sides import Side

GATE = Gate(metrics=(Gated(metric="latency_ms"),))


def compared(
    old: Side, new: Side, gate: Gate | None = GATE, across: tuple[str, ...] = ()
) -> dict[str, Any]:
    return compare_sides(old, new, gate, across=across)


def test_equal_runs_pass() -> None:
    found = compared(a_side(latencies(10.0, 20.0)), a_side(latencies(10.0, 20.0)))
    assert (found["gate"], found["primary"]["effect_pct"]) == ("PASS", pytest.approx(0.0))


def test_the_headline_is_the_geometric_mean_over_cells() -> None:
    found = compared(a_side(latencies(10.0, 100.0)), a_side(latencies(12.1, 100.0)))
    assert found["primary"]["effect_pct"] == pytest.approx(10.0)
    assert found["primary"]["text"].startswith("latency, geometric mean over 2 cells: +10 %")
    assert found["gate"] == "FAIL"


def test_a_slow_cell_fails_the_gate_though_the_mean_passes() -> None:
    old = a_side(latencies(*[10.0] * 11, n=8, spread=0.002))
    new = a_side(latencies(10.6, *[9.95] * 10, n=8, spread=0.002))
    found = compared(old, new)
    assert found["primary"]["verdict"] == "PASS"
    assert [row["verdict"] for row in found["rows"]] == ["FAIL", *["PASS"] * 10]
    assert found["gate"] == "FAIL"
    assert "1 cell by itself became worse, most of all size 1: +6 %" in found["text"]


def test_less_of_what_is_better_when_higher_is_worse() -> None:
    old, fast, slow = (a_side([{"rate": steady(v)}], (RATE,)) for v in (100.0, 120.0, 80.0))
    gate = Gate(metrics=(Gated(metric="rate"),))
    assert compared(old, fast, gate)["gate"] == "PASS"
    found = compared(old, slow, gate)
    assert found["gate"] == "FAIL"
    assert found["primary"]["effect_pct"] == pytest.approx(-20.0)
    assert found["rows"][0]["low_pct"] < -20 < found["rows"][0]["high_pct"] < 0


def test_percentages_are_compared_in_points() -> None:
    values = ([0.0, 0.0, 0.1, 0.0, 0.1], [2.0, 2.1, 1.9, 2.2, 2.0], [0.1, 0.0, 0.0, 0.0, 0.1])
    old, many, few = (a_side([{"error_pct": v}], (ERRORS,)) for v in values)
    gate = Gate(metrics=(Gated(metric="error_pct"),))
    found = compared(old, many, gate)
    assert (found["gate"], found["primary"]["effect_pct"]) == ("FAIL", None)
    assert found["primary"]["effect_abs"] == pytest.approx(2.0)
    assert "+2 points" in found["primary"]["text"]
    assert compared(old, few, gate)["gate"] == "PASS"


def test_zeros_of_a_metric_that_is_no_percentage_are_no_ratio() -> None:
    old = a_side([{"latency_ms": [0.0, 1.0, 2.0, 1.0, 1.0]}])
    found = compared(old, a_side([{"latency_ms": [9.0, 10.0, 11.0, 10.0, 10.0]}]))
    assert found["gate"] == "FAIL"
    assert found["primary"]["effect_pct"] == pytest.approx(900.0)


def test_nothing_wrong_on_either_side_passes() -> None:
    old, new = (a_side([{"error_pct": [0.0] * 5}], (ERRORS,)) for _ in range(2))
    gate = Gate(metrics=(Gated(metric="error_pct"),))
    assert compared(old, new, gate)["gate"] == "PASS"


def test_one_run_on_a_side_is_never_enough() -> None:
    found = compared(a_side(latencies(10.0)), a_side(latencies(10.0, n=1)))
    assert found["gate"] == "INCONCLUSIVE"
    assert found["rows"][0]["note"] == "current: one run only, so its spread is unknown"


def test_noise_is_inconclusive_and_says_how_many_runs_it_takes() -> None:
    found = compared(a_side(latencies(10.0, spread=0.1)), a_side(latencies(10.5, spread=0.1)))
    head = found["primary"]
    assert found["gate"] == "INCONCLUSIVE"
    assert head["needs_more_repetitions"] > 20
    assert f"needs {head['needs_more_repetitions']} more repetitions on each side" in head["text"]
    assert 20 < head["smallest_detectable_pct"] < 50
    assert "may well go unseen" in head["text"]


def test_a_proven_slowdown_below_the_alarm_is_let_through() -> None:
    old, new = a_side(latencies(10.0)), a_side(latencies(10.6))
    lenient = Gate(metrics=(Gated(metric="latency_ms", alarm=10.0, tolerate=10.0),))
    assert compared(old, new)["gate"] == "FAIL"
    assert compared(old, new, lenient)["gate"] == "PASS"


def held(side: str, verdict: str, centre: float) -> dict[str, Any]:
    """Compare 10 ms with `centre`; one side has a verdict."""
    about = [(verdict, "2 other processes")]
    metrics = [a_metric(LATENCY, steady(v)) for v in (10.0, centre)]
    metrics[side == "current"] = a_metric(
        LATENCY, steady(centre if side == "current" else 10.0), causes=about
    )
    sides = []
    for metric in metrics:
        cell = a_cell("c0001", {"size": 1}, {"latency_ms": metric["run_values"]}, [LATENCY])
        sides.append(side_of(a_summary([{**cell, "metrics": {"latency_ms": metric}}])))
    return compared(*sides)


@pytest.mark.parametrize("verdict", ["CONTAMINATED", "NOT_STEADY", "CLIENT_LIMITED"])
@pytest.mark.parametrize("side", ["baseline", "current"])
def test_a_number_in_doubt_never_passes(side: str, verdict: str) -> None:
    found = held(side, verdict, 10.0)
    assert found["gate"] == "INCONCLUSIVE"
    assert found["rows"][0]["note"] == f"{side} {verdict}: 2 other processes"


def test_a_neighbour_may_be_to_blame_only_for_the_current_run() -> None:
    assert held("current", "CONTAMINATED", 20.0)["gate"] == "INCONCLUSIVE"
    assert held("baseline", "CONTAMINATED", 20.0)["gate"] == "FAIL"
    assert held("current", "NOT_STEADY", 20.0)["gate"] == "FAIL"


def test_few_samples_alone_do_not_keep_from_a_pass() -> None:
    assert held("current", "TOO_FEW", 10.0)["gate"] == "PASS"


def test_a_point_that_lost_its_value_keeps_from_a_pass() -> None:
    found = compared(a_side(latencies(10.0, 10.0)), a_side([*latencies(10.0), {"latency_ms": []}]))
    assert found["gate"] == "INCONCLUSIVE"
    assert "without a current value" in found["primary"]["note"]


def test_a_contaminated_cell_stays_out_of_the_mean() -> None:
    new = a_side(latencies(10.0, 40.0))
    cell = new.summary["cells"][1]
    cell["metrics"]["latency_ms"] = a_metric(
        LATENCY, steady(40.0), causes=[("CONTAMINATED", "2 other processes")]
    )
    found = compared(a_side(latencies(10.0, 10.0)), new)
    assert found["primary"]["effect_pct"] == pytest.approx(0.0)
    assert found["gate"] == "INCONCLUSIVE"


def test_a_percentile_is_that_of_each_run() -> None:
    sides = []
    for p99 in (20.0, 30.0):
        cell = a_cell("c0001", {"size": 1}, {"latency_ms": steady(10.0)}, [LATENCY])
        cell["metrics"]["latency_ms"] = a_metric(LATENCY, steady(10.0), p99=steady(p99))
        sides.append(side_of(a_summary([cell])))
    found = compared(*sides, Gate(metrics=(Gated(metric="latency_ms", statistic="p99"),)))
    assert (found["gate"], found["primary"]["effect_pct"]) == ("FAIL", pytest.approx(50.0))


def test_only_cells_of_the_condition_are_gated() -> None:
    gate = Gate(metrics=(Gated(metric="latency_ms", where={"size": {"ge": 2}}),))
    found = compared(a_side(latencies(10.0, 20.0)), a_side(latencies(99.0, 20.0)), gate)
    assert (found["gate"], [row["axes"] for row in found["rows"]]) == ("PASS", [{"size": 2}])


def test_what_is_not_gated_is_shown() -> None:
    points = [{"latency_ms": steady(10.0), "heat": steady(300.0)}]
    old, new = a_side(points, (LATENCY, HEAT)), a_side(points, (LATENCY, HEAT))
    rows = compared(old, new)["rows"]
    assert [(row["metric"], row["verdict"]) for row in rows] == [
        ("latency_ms", "PASS"),
        ("heat", "NOT_GATED"),
    ]


def test_every_cell_may_be_asked_to_pass() -> None:
    old, new = a_side(latencies(10.0, 10.0)), a_side(latencies(10.0, 10.0))
    noisy = a_side([*latencies(10.0), *latencies(10.0, spread=0.08)])
    strict = Gate(metrics=(Gated(metric="latency_ms", tolerate=10.0),), passes="every_cell")
    mean = Gate(metrics=strict.metrics)
    assert compared(old, new, strict)["gate"] == "PASS"
    assert [compared(old, noisy, gate)["gate"] for gate in (mean, strict)] == [
        "PASS",
        "INCONCLUSIVE",
    ]


def test_without_a_file_the_first_metric_with_a_direction_is_gated() -> None:
    points = [{"heat": steady(300.0), "rate": steady(9.0), "latency_ms": steady(1.0)}]
    summary = a_side(points, (HEAT, RATE, LATENCY)).summary
    assert default_gate(summary) == Gate(metrics=(Gated(metric="rate"),))
    assert default_gate(a_side([{"heat": [1.0]}], (HEAT,)).summary) is None


def refused(old: Side, new: Side, across: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(NotComparable) as caught:
        compared(old, new, across=across)
    assert caught.value.exit_code == 6
    return [one.what for one in caught.value.found]


def test_other_hardware_is_refused_with_the_list_of_differences() -> None:
    gpu = {"name": "A100", "power_cap_w": 400.0}
    cpu = {"model": "EPYC 7763", "allowed_count": 8}
    old = a_side(latencies(10.0), hardware={"cpu": cpu, "gpus": [gpu], "gpu_driver": {"d": "550"}})
    other = {"cpu": cpu, "gpus": [{**gpu, "name": "H100"}], "gpu_driver": {"d": "560"}}
    new = a_side(latencies(10.0), hardware=other, python="3.12.1", lock="b" * 64, specc="0.2.0")
    assert refused(old, new) == ["specc", "lock", "python", "gpu", "driver"]
    assert refused(old, new, ("gpu", "driver")) == ["specc", "lock", "python"]
    meant = ("gpu", "driver", "specc", "lock", "python")
    found = compared(old, new, across=meant)
    assert (found["gate"], found["across"]) == ("PASS", sorted(meant))
    assert {"what": "gpu", "baseline": "1 x A100", "current": "1 x H100"} in found["differences"]


def test_another_image_of_a_container_is_refused_as_another_lock_is() -> None:
    sides = [a_side(latencies(10.0)) for _ in range(2)]
    for side, digest in zip(sides, ("sha256:0a", "sha256:0b"), strict=True):
        box = {"lock_sha256": None, "image": "box.sif", "image_digest": digest}
        side.summary["bundles"][0]["environments"] = {"box": box}
    assert refused(*sides) == ["lock"]


def test_another_name_of_the_machine_is_told_and_not_refused() -> None:
    new = a_side(latencies(10.0))
    new.summary["runs"][0]["hosts"] = ["node-2"]
    found = compared(a_side(latencies(10.0)), new)
    assert found["gate"] == "PASS"
    assert [one["what"] for one in found["differences"]] == ["host"]


def test_points_that_only_one_has_are_a_difference_of_the_spec() -> None:
    old, new = a_side(latencies(10.0, 10.0)), a_side(latencies(10.0))
    assert refused(old, new) == ["spec"]
    found = compared(old, new, across=("spec",))
    assert (found["gate"], found["unpaired"]["baseline"]) == ("PASS", [{"size": 2}])


def test_equal_axes_with_other_work_are_matched_only_when_asked() -> None:
    new = a_side(latencies(10.0))
    new.summary["cells"][0]["tasks"] = ["f" * 16]
    assert refused(a_side(latencies(10.0)), new) == ["spec"]
    assert compared(a_side(latencies(10.0)), new, across=("spec",))["gate"] == "PASS"


def test_another_kind_or_unit_is_never_comparable() -> None:
    old = a_side(latencies(10.0))
    assert refused(old, a_side(latencies(10.0), kind="inference"), ("spec",)) == ["kind"]
    seconds = {**LATENCY, "unit": "s"}
    assert refused(old, a_side(latencies(10.0), (seconds,)), ("spec",)) == ["unit of latency_ms"]


def test_conditions_that_differ_unseen_are_a_difference() -> None:
    new = a_side(latencies(10.0))
    new.summary["cells"][0]["condition_id"] = "d" * 16
    assert refused(a_side(latencies(10.0)), new) == ["condition"]
    found = compared(a_side(latencies(10.0)), new, across=("condition",))
    assert found["gate"] == "PASS"


def test_nothing_in_common_stays_refused() -> None:
    old, new = a_side(latencies(10.0)), a_side(latencies(10.0))
    cell = new.summary["cells"][0]
    cell["tasks"], cell["axes"] = ["f" * 16], {"size": 9}
    assert refused(old, new, ("spec",)) == ["study"]


def test_a_metric_that_the_baseline_never_had_is_undecided() -> None:
    new = a_side([{"latency_ms": steady(10.0), "rate": steady(1.0)}], (LATENCY, RATE))
    found = compared(a_side(latencies(10.0)), new, Gate(metrics=(Gated(metric="rate"),)))
    assert found["gate"] == "INCONCLUSIVE"
    assert "there is no rate here" in found["rows"][0]["note"]
