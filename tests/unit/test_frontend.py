"""Includes and cluster profiles: what wins, and where each value comes from."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from specc.frontend import check_front, parse_spec
from specc.problems import Problem, SpecInvalid

HEAD = 'schema_version: 1\nname: a\nkind: command\nsettings: {argv: ["true"]}\n'


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "spec.yaml"


def problems(path: Path) -> tuple[Problem, ...]:
    with pytest.raises(SpecInvalid) as stopped:
        parse_spec(path)
    return stopped.value.problems


def test_mappings_merge_and_this_file_wins(tmp_path: Path) -> None:
    spec = write(
        tmp_path,
        spec="include: [one.yaml, two.yaml]\ntask: {cpus: 3}\nlist: [9]\n",
        one="task: {cpus: 1, gpus: 1, nodes: 1}\nlist: [1, 2, 3]\n",
        two="task: {gpus: 2}\n",
    )
    assert parse_spec(spec).data == {"task": {"cpus": 3, "gpus": 2, "nodes": 1}, "list": [9]}


def test_a_value_knows_the_file_it_comes_from(tmp_path: Path) -> None:
    spec = write(tmp_path, spec="include: [one.yaml]\nlist: [9]\n", one="# one\ntask: {cpus: 1}\n"
                 "list: [1, 2]\n")  # fmt: skip
    document = parse_spec(spec)
    mark = document.mark("task", "cpus")
    assert mark is not None
    assert (mark.file, mark.line, mark.column) == (str(tmp_path / "one.yaml"), 2, 14)
    assert ("list", 1) not in document.value_marks
    assert set(document.sources) == {str(spec), str(tmp_path / "one.yaml")}


def test_a_value_replaces_a_mapping_and_its_marks(tmp_path: Path) -> None:
    spec = write(tmp_path, spec="include: [one.yaml]\na: 1\n", one="a: {b: 2}\n")
    document = parse_spec(spec)
    assert document.data == {"a": 1}
    assert ("a", "b") not in document.key_marks


def test_includes_start_at_the_file_that_names_them(tmp_path: Path) -> None:
    spec = write(
        tmp_path,
        spec="include: [sub/one.yaml]\n",
        sub__one="include: [two.yaml]\n",
        sub__two="a: 1\n",
    )
    assert parse_spec(spec).data == {"a": 1}


def test_the_same_file_twice_is_no_loop(tmp_path: Path) -> None:
    spec = write(
        tmp_path,
        spec="include: [one.yaml, two.yaml]\n",
        one="include: [base.yaml]\n",
        two="include: [base.yaml]\n",
        base="a: 1\n",
    )
    assert parse_spec(spec).data == {"a": 1}


def test_a_loop_by_way_of_a_link_is_found(tmp_path: Path) -> None:
    spec = write(tmp_path, spec="include: [link.yaml]\n")
    (tmp_path / "link.yaml").symlink_to(spec)
    assert [problem.code for problem in problems(spec)] == ["E024"]


def test_includes_that_double_at_every_level_end_soon(tmp_path: Path) -> None:
    files = {f"f{i}": f"include: [f{i + 1}.yaml, f{i + 1}.yaml]\n" for i in range(40)}
    spec = write(tmp_path, spec="include: [f0.yaml]\n", f40="a: 1\n", **files)
    started = time.monotonic()
    assert "E025" in [problem.code for problem in problems(spec)]
    assert time.monotonic() - started < 2


def test_problems_of_several_includes_come_together(tmp_path: Path) -> None:
    spec = write(tmp_path, spec="include: [one.yaml, two.yaml]\n", one="a: .nan\n", two="- a\n")
    assert [problem.code for problem in problems(spec)] == ["E021", "E023"]


def test_an_include_that_is_no_list_is_left_to_the_schema(tmp_path: Path) -> None:
    spec = write(tmp_path, spec=HEAD + "include: one.yaml\n")
    _, found = check_front(spec)
    assert [(problem.code, problem.path) for problem in found] == [("E103", "include")]
    assert found[0].hint == "put it in brackets: ['one.yaml']"


PROFILE = "name: mine\npartitions:\n  - {name: p, nodes: 1, cores_per_node: 8}\n"


def test_profile_beside_the_spec_comes_before_a_shipped_one(tmp_path: Path) -> None:
    spec = write(tmp_path, spec=HEAD + "cluster: meluxina\n", clusters__meluxina=PROFILE)
    document, found = check_front(spec)
    assert found == ()
    assert document.profile is not None
    assert document.profile["name"] == "mine"
    mark = document.mark("$profile", "partitions", 0, "nodes")
    assert mark is not None
    assert (Path(mark.file).name, mark.line, mark.column) == ("meluxina.yaml", 3, 22)


@pytest.mark.parametrize("name", ["meluxina", "desk"])
def test_shipped_profile_is_valid(tmp_path: Path, name: str) -> None:
    document, found = check_front(write(tmp_path, spec=HEAD + f"cluster: {name}\n"))
    assert found == ()
    assert document.profile is not None
    assert document.profile["name"] == name


def test_profile_may_be_a_path(tmp_path: Path) -> None:
    spec = write(tmp_path, spec=HEAD + "cluster: sites/here.yaml\n", sites__here=PROFILE)
    assert check_front(spec)[0].profile is not None


def test_inline_profile_is_the_one_in_the_spec(tmp_path: Path) -> None:
    spec = write(tmp_path, spec=HEAD + "cluster: {name: x, partitions: []}\n")
    document, found = check_front(spec)
    assert document.profile == {"name": "x", "partitions": []}
    assert [problem.path for problem in found] == ["cluster.partitions"]


def test_no_cluster_means_no_profile(tmp_path: Path) -> None:
    assert parse_spec(write(tmp_path, spec=HEAD)).profile is None


def test_problem_in_a_profile_file_points_into_it(tmp_path: Path) -> None:
    spec = write(tmp_path, spec=HEAD + "cluster: c.yaml\n", c=PROFILE + "modules: [a b]\n")
    _, found = check_front(spec)
    assert [(p.code, p.path, Path(p.mark.file).name) for p in found if p.mark] == [
        ("E105", "modules[0]", "c.yaml")
    ]


def test_front_end_of_a_spec_of_forty_lines_takes_under_60_ms(tmp_path: Path) -> None:
    axes = "".join(f"    a{i}: [1, 2, 3]\n" for i in range(25))
    text = HEAD + "cluster: meluxina\ntask:\n  cpus: 2\n  memory: 8GiB\nmatrix:\n  axes:\n" + axes
    spec = write(tmp_path, spec=text + "  exclude:\n    - {a0: {ge: 3}}\n")
    check_front(spec)  # imports and schemas, once in a process
    best = min(_seconds(spec) for _ in range(5))
    assert best < 0.06


def _seconds(spec: Path) -> float:
    started = time.process_time()
    check_front(spec)
    return time.process_time() - started
