"""CPUs that others keep busy are no bottleneck of what was measured."""

from __future__ import annotations

from dataclasses import replace

from specc.analysis.bottleneck import attribute_curve, attribute_points
from specc.analysis.bottleneck_words import Attribution, Level
from specc.language.defaults import fill_defaults
from specc.resources import schema


def limits() -> dict[str, float]:
    block = schema("spec")["properties"]["analysis"]["properties"]["bottleneck"]
    filled = fill_defaults(block, {})
    assert isinstance(filled, dict)
    return dict(filled["thresholds"])


def a_point(name: str, busy: float, own: float, **more: float) -> Level:
    seen = {"host_memory_pct": 10.0, "cpu_util_pct": busy, "own_cpu_pct": own, **more}
    return Level(name=name, values=seen, absent=frozenset({"gpu_compute"}))


def a_level(load: int, busy: float, own: float) -> Level:
    """A plateau from 8 on."""
    rate = min(100.0 * load, 800.0)
    values = {"host_memory_pct": 10.0, "cpu_util_pct": busy, "own_cpu_pct": own}
    return Level(
        **{"name": f"load {load}", "level": load, "values": values, "throughput": rate},
        **{"tail": 2000 * load / rate, "absent": frozenset({"gpu_compute"})},
    )


def of_points(*points: Level) -> list[tuple[Attribution, list[int]]]:
    return attribute_points(points, limits())


def of_curve(*levels: Level) -> Attribution:
    return attribute_curve(levels, (7.6, 8.4), limits())


def test_a_machine_that_others_filled_is_not_the_studys_own_limit():
    points = [a_point("a", 99.0, 13.0, cpu_wait_pct=95.0), a_point("b", 100.0, 27.0)]
    ((found, places),) = of_points(*points)
    assert (found.kind, found.confidence, places) == ("undetermined", None, [0, 1])
    assert found.reason == (
        "others kept 73 to 86 % of the CPUs busy, this launch 13 to 27 %:"
        " what holds it back by itself is open"
    )
    assert "CPUs busy 99 to 100 % in 2 points (limit 90 %)" in found.evidence
    assert "CPUs kept busy by this launch 13 to 27 % in 2 points (limit 85 %)" in found.evidence
    assert found.next_actions[0] == (
        "Repeat where nothing else runs: other processes kept the CPUs busy."
    )


def test_half_of_the_cpus_is_not_all_of_them_when_others_take_the_rest():
    ((found, _),) = of_points(a_point("a", 99.0, 49.0))
    assert found.kind == "undetermined"


def test_a_launch_that_fills_the_cpus_itself_is_cpu_bound():
    ((found, _),) = of_points(a_point("a", 99.0, 96.0))
    assert found.kind == "cpu-bound"


def test_a_launch_that_nearly_fills_the_cpus_is_cpu_bound_beside_few_others():
    ((found, _),) = of_points(a_point("a", 99.0, 80.0))
    assert found.kind == "cpu-bound"


def test_without_its_own_count_busy_cpus_stay_a_bottleneck():
    busy = Level(name="a", values={"host_memory_pct": 10.0, "cpu_util_pct": 99.0})
    ((found, _),) = of_points(busy)
    assert found.kind == "cpu-bound"


def test_a_limit_of_its_own_counts_however_busy_others_are():
    ((found, _),) = of_points(a_point("a", 99.0, 20.0, cpu_throttled_pct=60.0))
    assert found.kind == "cpu-bound"
    ((found, _),) = of_points(a_point("a", 99.0, 20.0, disk_busy_pct=99.0))
    assert found.kind == "network-io"


def test_disturbed_points_are_told_apart_from_quiet_ones():
    (quiet, places), (disturbed, others) = of_points(a_point("a", 20.0, 15.0), a_point("b", 99, 15))
    assert (quiet.reason, places) == ("no measured resource was at its limit", [0])
    assert str(disturbed.reason).startswith("others kept 84 % of the CPUs busy at b, this launch")
    assert others == [1]


def test_strangers_that_come_at_the_knee_are_not_the_knee():
    calm = [a_level(load, 30.0, 25.0) for load in (1, 2, 4)]
    stormy = [a_level(load, 100.0, 25.0) for load in (8, 16, 32)]
    found = of_curve(*calm, *stormy)
    assert found.kind == "undetermined"
    assert str(found.reason).endswith(
        "; others kept 75 % of the CPUs busy at load 8, this launch 25 %"
    )
    assert found.next_actions[0].startswith("Repeat where nothing else runs")


def test_strangers_on_all_levels_are_no_queue_either():
    found = of_curve(*(a_level(load, 100.0, 25.0) for load in (1, 2, 4, 8, 16, 32)))
    assert found.kind == "undetermined"


def test_a_disturbed_point_names_its_limit_less_surely():
    quiet = a_point("a", 99.0, 96.0)
    ((found, _),) = of_points(quiet)
    assert found.confidence == "medium"
    ((found, _),) = of_points(quiet, replace(quiet, disturbed="2 other processes on the GPU"))
    assert (found.kind, found.confidence) == ("cpu-bound", "low")
    assert found.evidence[-1] == "Disturbed at a: 2 other processes on the GPU"


def test_points_without_load_are_not_told_to_try_another_level():
    answers = of_points(
        a_point("cpu", 99.0, 96.0), a_point("queue", 20.0, 15.0, queue_length=9.0),
        a_point("quiet", 20.0, 15.0),
    )  # fmt: skip
    told = " ".join(text for found, _ in answers for text in found.next_actions)
    assert "level" not in told
    assert "knee" not in told
    assert "recommended range" not in told
