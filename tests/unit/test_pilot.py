"""`specc pilot`: which tasks it takes, what it proposes, and where proposals are written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from studies import HEAD, KIND, SETTINGS, a_study

from specc.pilot.apply import apply
from specc.pilot.choose import pilot_tasks
from specc.pilot.places import ByHand, Edit, groups_of, place
from specc.pipeline import check_spec, compile_spec
from specc.problems import SpeccError

TWO = """matrix: {axes: {size: [8, 2, 4], device: [cpu, cuda]}}
when: [{if: {device: cuda}, set: {task.gpus: 1}}]
"""


def chosen(text: str) -> list[tuple[object, ...]]:
    study = a_study(text)
    return [tuple(task.axes.values()) for task in pilot_tasks(study.spec, study.expansion).tasks]


def edits(text: str, *wanted: dict[str, str]) -> list[str]:
    """Return what `place` makes of a wish for each group of tasks, in matrix order."""
    study = a_study(text)
    groups = groups_of(study.expansion)
    for number, (group, wish) in enumerate(zip(groups, wanted, strict=True), 1):
        group.wanted, group.shapes = wish, [f"shape-{number}"]
    found, by_hand = place(study.spec, groups)
    return [each.line for each in (*found, *by_hand)]


def a_spec(folder: Path, text: str) -> Path:
    path = folder / "study.yaml"
    path.write_text(HEAD + KIND + SETTINGS + text, encoding="utf-8")
    return path


def applied(folder: Path, text: str, *changes: Edit) -> str:
    path = a_spec(folder, text)
    apply(path, changes)
    return path.read_text("utf-8").removeprefix(HEAD + KIND + SETTINGS)


def an_edit(field: str, text: str, *at: str | int, condition: object = None) -> Edit:
    return Edit(field=field, text=text, at=at, condition=condition, shapes=("1-cpu",))  # type: ignore[arg-type]


def test_pilot_takes_smallest_and_largest_point_of_each_shape() -> None:
    assert chosen(TWO) == [(8, "cpu"), (8, "cuda"), (2, "cpu"), (2, "cuda")]


def test_pilot_takes_one_repetition() -> None:
    assert chosen("matrix: {axes: {n: [1, 2, 3]}}\nrepetitions: {n: 5}\n") == [(1,), (3,)]


def test_points_without_an_order_count_from_first_to_last() -> None:
    assert chosen("matrix: {axes: {m: [b, a, c], n: [1, 2]}}\n") == [("b", 1), ("c", 2)]


def test_only_point_of_a_shape_is_taken_once() -> None:
    assert chosen("") == [()]


def test_largest_point_is_found_where_the_corner_is_excluded() -> None:
    text = "matrix: {axes: {a: [1, 2, 3], b: [1, 2, 3]}, exclude: [{a: 3, b: 3}]}\n"
    assert chosen(text) == [(1, 1), (3, 2)]


def test_pilot_fills_the_gpus_that_its_tasks_share() -> None:
    points = "matrix: {axes: {n: {range: [1, 9]}}}\n"
    shared = "task: {gpus: 0.5, cpus: 1, memory: 1GiB, estimate: 1s, time_limit: 1min}\n"
    job = "job: {gpus_per_node: 2, time_limit: 1h}\n"
    assert chosen(points + shared + job) == [(1,), (4,), (6,), (9,)]
    assert chosen(points + shared.replace("0.5", "1") + job) == [(1,), (9,)]


def test_pilot_shortens_its_jobs_and_never_lengthens_them() -> None:
    for limit, expected in (("20min", 1200.0), ("9h", 3600.0)):
        study = a_study(f"pilot: {{time_limit: {limit}}}\n")
        (task,) = pilot_tasks(study.spec, study.expansion).tasks
        assert task.job.time_limit_s == expected


def test_pilot_bundle_has_the_ids_and_conditions_of_the_whole(tmp_path: Path) -> None:
    path = a_spec(tmp_path, "matrix: {axes: {n: [1, 2, 3]}}\npilot: {time_limit: 10min}\n")
    found = {}
    for name, shrink in (("whole", None), ("pilot", pilot_tasks)):
        bundle = compile_spec(path, out=tmp_path / name, shrink=shrink).path
        rows = [json.loads(line) for line in (bundle / "tasks.jsonl").read_text().splitlines()]
        predicate = json.loads((bundle / "manifest.json").read_text())["predicate"]
        found[name] = ({row["task_id"] for row in rows}, predicate)
    assert len(found["pilot"][0]) == 2
    assert found["pilot"][0] < found["whole"][0]
    assert (found["pilot"][1].get("pilot"), found["whole"][1].get("pilot")) == (True, None)
    conditions = {each["shapes"][0]["condition_id"] for _, each in found.values()}
    assert len(conditions) == 1


def test_value_is_changed_where_it_is_written() -> None:
    text = "task: {memory: 4GiB}\n"
    assert edits(text, {"task.memory": "1GiB"}) == ["task.memory: 1GiB"]


def test_value_of_a_rule_is_changed_in_the_rule() -> None:
    text = """matrix: {axes: {d: [a, b]}}
task: {memory: 4GiB}
when: [{if: {d: b}, set: {task.memory: 8GiB}}]
"""
    assert edits(text, {}, {"task.memory": "2GiB"}) == ["when[0].set.task.memory: 2GiB"]


def test_value_of_a_named_point_is_changed_there() -> None:
    text = """matrix: {points: {v: {a: {}, b: {task.memory: 8GiB}}}}
"""
    assert edits(text, {}, {"task.memory": "2GiB"}) == ["matrix.points.v.b.task.memory: 2GiB"]


def test_value_that_shapes_share_is_changed_when_all_want_the_same() -> None:
    text = """matrix: {axes: {d: [a, b]}}
task: {memory: 4GiB}
when: [{if: {d: b}, set: {task.cpus: 2}}]
"""
    wish = {"task.memory": "1GiB"}
    assert edits(text, wish, wish) == ["task.memory: 1GiB"]


def test_shapes_that_want_different_values_get_rules() -> None:
    text = """matrix: {axes: {d: [a, b, c]}}
task: {memory: 4GiB}
when: [{if: {d: b}, set: {task.cpus: 2}}]
"""
    found = edits(text, {"task.memory": "1GiB"}, {"task.memory": "2GiB"})
    assert found == [
        "when: - {if: {d: {in: [a, c]}}, set: {task.memory: 1GiB}}",
        "when[0].set.task.memory: 2GiB",
    ]


def test_shape_that_no_single_axis_tells_apart_is_left_to_the_author() -> None:
    text = """matrix: {axes: {a: [1, 2], b: [1, 2]}}
task: {memory: 4GiB}
when: [{if: {a: 1, b: 1}, set: {task.cpus: 2}}]
"""
    found = edits(text, {"task.memory": "1GiB"}, {})
    assert found == [
        "task.memory: 1GiB for shape-1 (no single axis tells its points apart: write a `when` rule)"
    ]


def test_value_from_an_axis_is_left_to_the_author() -> None:
    text = 'matrix: {axes: {m: [1GiB]}}\ntask: {memory: "${m}"}\n'
    assert edits(text, {"task.memory": "2GiB"}) == [
        "task.memory: 2GiB for shape-1 (it comes from the axis m)"
    ]


def test_value_from_an_included_file_is_left_to_the_author(tmp_path: Path) -> None:
    (tmp_path / "common.yaml").write_text("task: {memory: 4GiB}\n")
    study = check_spec(a_spec(tmp_path, "include: [common.yaml]\n"))
    (group,) = groups_of(study.expansion)
    group.wanted, group.shapes = {"task.memory": "1GiB"}, ["1-cpu"]
    _, (left,) = place(study.spec, [group])
    assert isinstance(left, ByHand)
    assert "common.yaml" in left.why


def test_apply_keeps_comments_quotes_and_order(tmp_path: Path) -> None:
    text = """# what it needs
task:   # measured
  time_limit: "1h"
  memory: 4GiB     # generous
  estimate: 5min
"""
    found = applied(tmp_path, text, an_edit("task.memory", "1GiB", "task", "memory"))
    assert found == text.replace("4GiB     #", "1GiB     #")


def test_apply_adds_a_key_and_a_rule(tmp_path: Path) -> None:
    text = "matrix: {axes: {d: [a, b]}}\ntask: {cpus: 2}\n"
    found = applied(
        tmp_path,
        text,
        an_edit("task.estimate", "5min", "task", "estimate"),
        an_edit("task.memory", "1GiB", "when", condition={"d": "b"}),
    )
    assert found == text.replace("cpus: 2", "cpus: 2, estimate: 5min") + (
        "when:\n- {if: {d: b}, set: {task.memory: 1GiB}}\n"
    )


def test_apply_writes_gpus_as_a_number(tmp_path: Path) -> None:
    text = "task: {gpus: 1}\njob: {gpus_per_node: 1}\n"
    found = applied(tmp_path, text, an_edit("task.gpus", "0.5", "task", "gpus"))
    assert found.startswith("task: {gpus: 0.5}")


def test_apply_changes_nothing_that_would_not_be_valid(tmp_path: Path) -> None:
    text = "task: {memory: 1GiB, estimate: 1min}\njob: {memory: 2GiB}\n"
    path = a_spec(tmp_path, text)
    before = path.read_bytes()
    with pytest.raises(SpeccError, match="would not be valid: E224"):
        apply(path, [an_edit("task.memory", "4GiB", "task", "memory")])
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["study.yaml"]


def test_apply_changes_no_task(tmp_path: Path) -> None:
    path = a_spec(tmp_path, "")
    with pytest.raises(SpeccError, match="would have other tasks"):
        apply(path, [an_edit("argv", "other", "settings", "argv", 0)])


@pytest.mark.parametrize("ends", [b"\r\n", b"\n"])
def test_apply_keeps_line_ends_and_the_byte_order_mark(tmp_path: Path, ends: bytes) -> None:
    path = a_spec(tmp_path, "task: {memory: 4GiB} # generous\n")
    before = b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", ends)
    path.write_bytes(before)
    apply(path, [an_edit("task.memory", "1GiB", "task", "memory")])
    assert path.read_bytes() == before.replace(b"4GiB", b"1GiB")


def test_apply_writes_what_a_link_points_to(tmp_path: Path) -> None:
    path = a_spec(tmp_path, "task: {memory: 4GiB}\n")
    link = tmp_path / "links" / "study.yaml"
    link.parent.mkdir()
    link.symlink_to(path)
    apply(link, [an_edit("task.memory", "1GiB", "task", "memory")])
    assert link.is_symlink()
    assert "task: {memory: 1GiB}" in path.read_text("utf-8")
    assert [file.name for file in link.parent.iterdir()] == ["study.yaml"]
