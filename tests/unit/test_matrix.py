"""Axes become points: order, ranges, zip, named points, include, exclude, --only."""

from __future__ import annotations

import time

import pytest
from studies import a_study, expansion, points, tasks

from specc.matrix.conditions import compile_condition, describe_condition, same
from specc.matrix.points import range_length, range_values
from specc.problems import SpecInvalid


def test_the_last_axis_is_the_fastest() -> None:
    assert points("matrix: {axes: {a: [x, y], b: [1, 2]}}\n") == [
        ("x", 1), ("x", 2), ("y", 1), ("y", 2)]  # fmt: skip


def test_no_matrix_is_a_single_point() -> None:
    assert points("") == [()]


def test_range_includes_both_ends() -> None:
    assert range_values([0, 5]) == (0, 1, 2, 3, 4, 5)


def test_range_is_computed_in_decimals() -> None:
    assert range_values([0.1, 0.3, 0.1]) == (0.1, 0.2, 0.3)


def test_range_may_go_down() -> None:
    assert range_values([8, 2, -3]) == (8, 5, 2)


def test_range_with_a_step_that_leads_away_is_empty() -> None:
    assert range_values([5, 0]) == ()


def test_huge_range_is_cut_before_it_fills_the_memory() -> None:
    assert range_length([0, 10**12]) == 10**12 + 1
    assert range_values([0, 10**12]) == (0,)


def test_product_beyond_the_limit_is_refused_with_its_sizes() -> None:
    with pytest.raises(SpecInvalid) as stopped:
        a_study("matrix: {axes: {a: {range: [1, 2000]}, b: {range: [1, 2000]}}}\n")
    (problem,) = stopped.value.problems
    assert problem.code == "E219"
    assert problem.message == (
        "2,000 a x 2,000 b x 1 repetitions are 4,000,000 tasks; the most is 100,000"
    )


def test_zipped_axes_advance_together_where_the_first_stands() -> None:
    text = "matrix: {axes: {n: [1, 2], dev: [cpu, cuda], b: [8, 16]}, zip: [[n, b]]}\n"
    assert points(text) == [(1, "cpu", 8), (1, "cuda", 8), (2, "cpu", 16), (2, "cuda", 16)]


def test_named_points_are_an_axis_of_their_names() -> None:
    text = "matrix: {axes: {n: [1]}, points: {v: {base: {}, wide: {task.cpus: 2}}}}\n"
    assert points(text) == [(1, "base"), (1, "wide")]


def test_included_points_come_last_and_survive_exclude() -> None:
    text = "matrix: {axes: {n: [1, 2, 3]}, include: [{n: 9}], exclude: [{n: {ge: 2}}]}\n"
    assert points(text) == [(1,), (9,)]


def test_removed_points_are_listed_with_their_reason() -> None:
    text = "matrix: {axes: {d: [cpu, cuda], n: [1, 64]}, exclude: [{d: cpu, n: {ge: 64}}]}\n"
    (removed,) = expansion(text).removed
    assert removed.axes == {"d": "cpu", "n": 64}
    assert removed.reason == "exclude: d = cpu and n >= 64"


def test_an_exclude_entry_can_give_its_own_reason() -> None:
    entry = "{where: {n: {ge: 2}}, reason: takes hours}"
    (removed,) = expansion(f"matrix: {{axes: {{n: [1, 2]}}, exclude: [{entry}]}}\n").removed
    assert (removed.axes, removed.reason) == ({"n": 2}, "takes hours")


def test_the_reason_of_an_exclude_entry_changes_no_task_id() -> None:
    plain = "matrix: {axes: {n: [1, 2]}, exclude: [{n: 2}]}\n"
    reasoned = "matrix: {axes: {n: [1, 2]}, exclude: [{where: {n: 2}, reason: slow}]}\n"
    assert [t.task_id for t in tasks(plain)] == [t.task_id for t in tasks(reasoned)]


def test_a_condition_under_where_needs_no_reason() -> None:
    text = "matrix: {axes: {n: [1, 2]}, exclude: [{where: {n: 2}}]}\n"
    (removed,) = expansion(text).removed
    assert removed.reason == "exclude: n = 2"


def test_axes_may_be_called_where_and_reason() -> None:
    axes = "axes: {where: [1, 2], reason: [a, b]}"
    text = f"matrix: {{{axes}, exclude: [{{where: {{eq: 1}}, reason: a}}]}}\n"
    assert points(text) == [(1, "b"), (2, "a"), (2, "b")]


def test_an_unknown_axis_under_where_is_named_with_its_place() -> None:
    text = "matrix: {axes: {n: [1]}, exclude: [{where: {m: 1}, reason: slow}]}\n"
    with pytest.raises(SpecInvalid) as caught:
        points(text)
    (problem,) = caught.value.problems
    assert (problem.code, problem.path) == ("E202", "matrix.exclude[0].where.m")


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        ("{eq: 2}", [1, 3, 4]),
        ("{ne: 2}", [2]),
        ("{lt: 2}", [2, 3, 4]),
        ("{le: 2}", [3, 4]),
        ("{gt: 2}", [1, 2]),
        ("{ge: 2}", [1]),
        ("{in: [1, 4]}", [2, 3]),
        ("{gt: 1, lt: 4}", [1, 4]),
    ],
)
def test_exclude_operators(wanted: str, kept: list[int]) -> None:
    text = f"matrix: {{axes: {{n: [1, 2, 3, 4]}}, exclude: [{{n: {wanted}}}]}}\n"
    assert [point[0] for point in points(text)] == kept


def test_true_is_not_one() -> None:
    assert not same(True, 1)
    assert same(1, 1.0)


def test_text_and_numbers_have_no_order() -> None:
    assert not compile_condition({"n": {"lt": 5}}, ["n"])(("abc",))
    assert compile_condition({"n": {"lt": "b"}}, ["n"])(("a",))


def test_condition_is_described_as_a_person_would_write_it() -> None:
    text = describe_condition({"flag": True, "x": None, "n": {"in": [1, "two"]}})
    assert text == "flag = true and x = null and n in [1, two]"


def test_flag_and_one_are_two_values() -> None:
    assert points("matrix: {axes: {n: [1, true]}}\n") == [(1,), (True,)]


def test_only_keeps_the_others_as_not_run() -> None:
    study = a_study(
        "matrix: {axes: {d: [cpu, cuda]}}\n", only={"d": ("cpu",)}, reason="no CUDA device"
    )
    assert [task.not_run for task in study.expansion.tasks] == [None, "no CUDA device"]
    assert [len(shard.task_ids) for shard in study.plan.shapes[0].shards] == [1]


def test_only_says_itself_when_no_reason_is_given() -> None:
    study = a_study("matrix: {axes: {d: [cpu, cuda]}}\n", only={"d": ("cpu",)})
    assert study.expansion.tasks[1].not_run == "left out by --only d=cpu"


@pytest.mark.parametrize(
    ("only", "message"),
    [
        ({"dev": ("cpu",)}, "--only names 'dev', but there is no such axis"),
        ({"d": ("gpu",)}, "--only d=gpu: the axis has no such value"),
    ],
)
def test_only_names_what_there_is(only: dict[str, tuple[str, ...]], message: str) -> None:
    with pytest.raises(SpecInvalid) as stopped:
        a_study("matrix: {axes: {d: [cpu, cuda]}}\n", only=only)
    assert [problem.message for problem in stopped.value.problems] == [message]


def test_indices_count_tasks_in_matrix_order() -> None:
    text = "matrix: {axes: {n: [1, 2]}}\nrepetitions: {n: 2}\n"
    found = [(task.index, task.axes["n"], task.repetition) for task in tasks(text)]
    assert found == [(0, 1, 0), (1, 1, 1), (2, 2, 0), (3, 2, 1)]


@pytest.mark.parametrize(
    "bounds", ["0, 1e12", "0, 1e300", "0, 1, 1e-300", "-1e300, 1e300, 5e-324", "0, 1e12, 0.1"]
)
def test_range_of_any_size_is_refused_at_once_and_in_few_words(bounds: str) -> None:
    text = f"matrix: {{axes: {{n: {{range: [{bounds}]}}, m: [1, 2]}}, zip: [[n, m]]}}\n"
    started = time.process_time()
    with pytest.raises(SpecInvalid) as stopped:
        a_study(text)
    assert time.process_time() - started < 2
    assert {problem.code for problem in stopped.value.problems} == {"E203", "E219"}
    assert all(len(problem.message) < 200 for problem in stopped.value.problems)


def test_expected_number_of_any_size_is_compared() -> None:
    with pytest.raises(SpecInvalid) as stopped:
        a_study("matrix: {axes: {n: [1, 2]}, expect_points: 10000000000000000000000}\n")
    assert [problem.code for problem in stopped.value.problems] == ["E210"]
