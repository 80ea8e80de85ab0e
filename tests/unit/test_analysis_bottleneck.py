"""Bottlenecks of known truth: one for each class, and what is missing, tied or high everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from specc.analysis.bottleneck import attribute_curve, attribute_points
from specc.analysis.bottleneck_table import (
    CLASSES,
    NEXT_ACTIONS,
    RESOURCES,
    STATISTICS,
    SYMPTOMS,
)
from specc.analysis.bottleneck_words import Attribution, Level
from specc.language.defaults import fill_defaults
from specc.resources import schema

LOADS = (1, 2, 4, 8, 16, 32)
KNEE = (7.6, 8.4)


def limits() -> dict[str, float]:
    block = schema("spec")["properties"]["analysis"]["properties"]["bottleneck"]
    filled = fill_defaults(block, {})
    assert isinstance(filled, dict)
    return dict(filled["thresholds"])


def idle(share: float) -> dict[str, float]:
    """Everything measured and far from its limits; what grows with the load, grows a little."""
    return {
        "client_cpu_pct": 5 + 10 * share,
        "gpu_util_pct": 10 + 30 * share,
        "gpu_capped_pct": 0.0,
        "gpu_memory_pct": 40.0,
        "cpu_util_pct": 5 + 20 * share,
        "own_cpu_pct": 4 + 20 * share,
        "cpu_wait_pct": 1.0,
        "busiest_thread_pct": 30.0,
        "host_memory_pct": 30.0,
        "major_faults_per_s": 0.0,
        "disk_busy_pct": 2.0,
        "tcp_retransmit_pct": 0.01,
        "queue_length": 0.0,
        "errors_pct": 0.0,
    }


def a_curve(
    changes: Mapping[str, tuple[float, ...]] | None = None,
    *,
    without: tuple[str, ...] = (),
    **fields: Any,
) -> list[Level]:
    """A plateau of 800 from a load of 8 on; changes: statistic -> its value at each level."""
    levels = []
    for place, load in enumerate(LOADS):
        values = idle(min(1.0, load / 8))
        values.update((name, one[place]) for name, one in (changes or {}).items())
        throughput = min(100.0 * load, 800.0)
        level = Level(
            name=f"concurrency {load}",
            level=load,
            values={name: value for name, value in values.items() if name not in without},
            missing=dict.fromkeys(without, "not sampled"),
            throughput=throughput,
            tail=2000 * load / throughput,
            **fields,
        )
        levels.append(level)
    return levels


def rising(top: float) -> tuple[float, ...]:
    """What grows with the load up to the knee at 8 and stays there."""
    return tuple(top * min(1.0, load / 8) for load in LOADS)


def judged(levels: list[Level], knee: tuple[float, float] | None = KNEE) -> Attribution:
    return attribute_curve(levels, knee, limits())


@pytest.mark.parametrize(
    ("changes", "kind", "resource"),
    [
        ({"client_cpu_pct": rising(96)}, "client-limited", "client"),
        ({"gpu_util_pct": rising(98)}, "gpu-bound", "gpu_compute"),
        ({"gpu_capped_pct": rising(90)}, "gpu-bound", "gpu_power"),
        ({"kv_cache_pct": rising(99)}, "memory-bound", "gpu_memory"),
        ({"own_cpu_pct": rising(99), "cpu_util_pct": rising(100)}, "cpu-bound", "cpu"),
        ({"busiest_thread_pct": rising(99)}, "cpu-bound", "cpu"),
        ({"cpu_throttled_pct": (*rising(40)[:2], 0.0, 40, 45, 50)}, "cpu-bound", "cpu"),
        ({"host_memory_pct": rising(98)}, "memory-bound", "host_memory"),
        ({"oom_kills": (0, 0, 0, 1, 2, 2)}, "memory-bound", "host_memory"),
        ({"disk_busy_pct": rising(99)}, "network-io", "disk"),
        ({"tcp_retransmit_pct": (0, 0, 0.1, 3, 4, 5)}, "network-io", "network"),
        ({"queue_length": (0, 0, 0, 3, 9, 20)}, "queueing", "service"),
        ({"errors_pct": (0, 0, 0, 2, 10, 30)}, "queueing", "service"),
        ({}, "queueing", "service"),
    ],
)
def test_each_bottleneck_is_found_where_it_is_the_truth(
    changes: dict[str, tuple[float, ...]], kind: str, resource: str
):
    found = judged(a_curve(changes))
    assert (found.kind, found.resource, found.tied) == (kind, resource, ())
    assert found.next_actions == NEXT_ACTIONS[resource]
    assert found.reason is None


def test_evidence_cites_value_limit_and_the_level_below():
    found = judged(a_curve({"gpu_util_pct": rising(98)}))
    assert found.evidence[0] == (
        "GPU busy 98 % at concurrency 8, against 49 % at concurrency 4 (limit 90 %)"
    )
    assert "CPUs busy 25 % at concurrency 8, against 15 % at concurrency 4" in " | ".join(
        found.evidence
    )
    assert found.confidence == "high"


def test_every_sentence_carries_the_number_that_was_measured():
    """Every value that is told changes its sentence when it changes."""
    one = judged(a_curve({"gpu_util_pct": rising(98)}))
    other = [
        Level(
            name=level.name,
            level=level.level,
            values={name: value * 0.985 + 0.01 for name, value in level.values.items()},
            throughput=(level.throughput or 0) * (1 + 0.01 * (level.level or 0)),
            tail=(level.tail or 0) * (1.1 + 0.01 * (level.level or 0)),
        )
        for level in a_curve({"gpu_util_pct": rising(98)})
    ]
    changed = judged(other)
    assert changed.kind == one.kind
    assert len(changed.evidence) == len(one.evidence) > 6
    assert not set(changed.evidence) & set(one.evidence)


def test_a_gpu_that_is_always_busy_explains_no_knee():
    found = judged(a_curve({"gpu_util_pct": (99.0,) * 6}, without=("queue_length", "errors_pct")))
    assert found.kind == "undetermined"
    assert found.confidence is None
    assert found.reason == (
        "no measured resource reached its limit at concurrency 8 that was below it at concurrency"
        " 4; at its limit at both: GPU compute"
    )
    assert any("GPU busy 99 % at concurrency 8, against 99 %" in e for e in found.evidence)


def test_ties_are_listed_and_lower_the_confidence():
    found = judged(a_curve({"gpu_util_pct": rising(98), "disk_busy_pct": rising(99)}))
    assert (found.kind, found.tied, found.confidence) == ("gpu-bound", ("disk",), "low")
    assert any(one.startswith("Busiest disk busy 99 %") for one in found.evidence)


def test_the_client_comes_before_whatever_else_crosses():
    found = judged(a_curve({"gpu_util_pct": rising(98), "client_cpu_pct": (85.0,) * 6}))
    assert found.kind == "client-limited"
    assert found.evidence[0].startswith("Client CPU busy 85 % at concurrency 8")


def test_a_point_known_to_be_client_limited_cites_why():
    levels = a_curve(client_limited="sends were 31 ms late at the median")
    found = judged(levels)
    assert found.kind == "client-limited"
    assert found.evidence[0] == "At concurrency 8: sends were 31 ms late at the median"


def test_a_spinning_thread_is_no_bottleneck_beside_a_busy_gpu():
    found = judged(a_curve({"gpu_util_pct": rising(98), "busiest_thread_pct": rising(100)}))
    assert (found.kind, found.tied, found.confidence) == ("gpu-bound", (), "high")


def test_failed_requests_are_a_symptom_beside_a_resource():
    found = judged(a_curve({"gpu_util_pct": rising(98), "errors_pct": (0, 0, 0, 5, 9, 9)}))
    assert (found.kind, found.tied) == ("gpu-bound", ())


def test_without_any_sensor_nothing_is_named_and_all_that_is_missing_is_listed():
    names = tuple(one.name for one in STATISTICS)
    found = judged(a_curve(without=names))
    assert found.kind == "undetermined"
    assert str(found.reason).endswith("; not measured: GPU compute, CPU, host memory")
    assert found.missing == (", ".join(names) + ": not sampled",)
    assert found.next_actions == (
        f"Close the gap in the evidence ({len(names)} statistics): not sampled.",
    )


@pytest.mark.parametrize(
    "without", [("gpu_util_pct", "gpu_capped_pct", "gpu_memory_pct"), ("cpu_util_pct",)]
)
def test_waiting_alone_is_no_evidence_where_a_machine_resource_was_not_measured(
    without: tuple[str, ...],
):
    if "cpu_util_pct" in without:
        without += ("own_cpu_pct", "cpu_wait_pct", "busiest_thread_pct")
    found = judged(a_curve(without=without))
    assert found.kind == "undetermined"
    assert found.missing


def test_a_task_without_gpu_needs_no_measurement_of_one():
    gpu = ("gpu_util_pct", "gpu_capped_pct", "gpu_memory_pct")
    found = judged(a_curve(without=gpu, absent=frozenset({"gpu_compute"})))
    assert found.kind == "queueing"


def test_a_winner_while_others_were_not_measured_is_less_sure():
    found = judged(a_curve({"own_cpu_pct": rising(99)}, without=("gpu_util_pct",)))
    assert (found.kind, found.confidence) == ("cpu-bound", "medium")


def test_without_a_knee_the_last_level_is_looked_at_and_confidence_is_low():
    changes = {"gpu_util_pct": (3.0, 6.0, 12.0, 25.0, 50.0, 95.0)}
    found = attribute_curve(a_curve(changes), None, limits(), why_no_knee="Not reached.")
    assert (found.kind, found.confidence) == ("gpu-bound", "low")
    unreached = attribute_curve(a_curve()[:4], None, limits(), why_no_knee="Not reached.")
    assert unreached.kind == "undetermined"
    assert str(unreached.reason).startswith("Not reached. No measured resource")
    assert str(unreached.reason).endswith(".")


@pytest.mark.parametrize("count", [0, 1])
def test_a_curve_of_one_level_can_not_be_compared(count: int):
    assert judged(a_curve()[:count]).reason == "a load curve needs two levels to compare"


def test_limits_are_those_given():
    changes = {"gpu_util_pct": rising(80)}
    assert attribute_curve(a_curve(changes), KNEE, {**limits(), "gpu_util_pct": 75}).kind == (
        "gpu-bound"
    )
    assert judged(a_curve(changes)).kind == "queueing"


def a_point(name: str, **values: float) -> Level:
    return Level(name=name, values={**idle(1.0), **values})


def test_points_with_one_answer_are_told_together():
    points = [
        a_point("batch 1"),
        a_point("batch 8", gpu_util_pct=93.0),
        a_point("batch 64", gpu_util_pct=99.0),
    ]
    (idle_one, idle_places), (busy, busy_places) = attribute_points(points, limits())
    assert (idle_one.kind, idle_places) == ("undetermined", [0])
    assert idle_one.reason == "no measured resource was at its limit"
    assert "GPU busy 40 % at batch 1 (limit 90 %)" in idle_one.evidence
    assert (busy.kind, busy_places, busy.confidence) == ("gpu-bound", [1, 2], "medium")
    assert busy.evidence[0] == "GPU busy 93 to 99 % in 2 points (limit 90 %)"


def test_points_without_measurements_say_so():
    point = Level(name="n 1", values={}, missing={"cpu_util_pct": "no samples"})
    ((found, _),) = attribute_points([point], limits())
    assert found.kind == "undetermined"
    assert found.reason == "nothing was measured that could show a limit"
    assert found.missing == ("cpu_util_pct: no samples",)


def test_a_point_of_a_limited_client_is_the_clients():
    point = Level(name="n 1", values={"gpu_util_pct": 99.0}, client_limited="CPU at 98 %")
    ((found, _),) = attribute_points([point], limits())
    assert (found.kind, found.tied) == ("client-limited", ("gpu_compute",))
    assert found.evidence[0] == "At n 1: CPU at 98 %"


def test_the_tables_and_the_schema_know_the_same_names():
    assert set(limits()) == {one.name for one in STATISTICS} | set(SYMPTOMS)
    assert {one.resource for one in STATISTICS} == set(RESOURCES) == set(NEXT_ACTIONS)
    assert {kind for kind, _ in RESOURCES.values()} | {"undetermined"} == set(CLASSES)
    assert next(one.resource for one in STATISTICS) == "client"


def test_busy_cpus_are_told_beside_what_the_launch_itself_used():
    found = judged(a_curve({"cpu_util_pct": rising(99), "own_cpu_pct": rising(80)}))
    assert found.kind == "cpu-bound"
    assert found.evidence[1] == (
        "CPUs kept busy by this launch 80 % at concurrency 8, against 40 % at concurrency 4"
        " (limit 85 %)"
    )


def test_waiting_alone_is_told_over_the_whole_way_beyond_the_knee_and_less_surely():
    found = judged(a_curve())
    assert (found.kind, found.confidence) == ("queueing", "medium")
    assert found.evidence[:2] == (
        "Throughput 800 at concurrency 32 against 800 at concurrency 8: +0.0 % for each doubling of"
        " the load (flat up to 5 %)",
        "Tail latency 80 at concurrency 32 against 20 at concurrency 8: x2.00 for each doubling of"
        " the load (growing from x1.5 on)",
    )


def test_a_knee_between_two_levels_leaves_a_gain_in_the_step_across_it():
    # the knee at 8.8 gives the step from 8 to 16 ten percent, and those beyond it none
    levels = [replace(one, throughput=min(100.0 * (one.level or 0), 880.0)) for one in a_curve()]
    assert judged(levels, (8.4, 9.2)).kind == "queueing"
