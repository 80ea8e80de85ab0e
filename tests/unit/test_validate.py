"""Schema problems: placeholders, branches, positions, defaults."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from specc.frontend import check_front
from specc.language.defaults import fill_defaults
from specc.problems import Problem
from specc.resources import kinds, schema
from specc.stages.validate import dotted, settings_problems, validate_settings

HEAD = "schema_version: 1\nname: a\nkind: command\n"
GOOD = 'settings: {argv: ["true"]}\n'


def found(tmp_path: Path, text: str) -> tuple[Problem, ...]:
    path = tmp_path / "spec.yaml"
    path.write_text(text, encoding="utf-8")
    return check_front(path)[1]


def told(tmp_path: Path, text: str) -> list[tuple[str, str]]:
    return [(problem.code, problem.path) for problem in found(tmp_path, text)]


def test_a_good_spec_has_no_problems(tmp_path: Path) -> None:
    assert found(tmp_path, HEAD + GOOD) == ()


def test_all_problems_come_sorted_by_position(tmp_path: Path) -> None:
    text = "job: {nodes: 0}\n" + HEAD + GOOD + "zzz: 1\ntask: {cpus: x, gpuz: 1}\n"
    assert told(tmp_path, text) == [
        ("E106", "job.nodes"),
        ("E101", "zzz"),
        ("E103", "task.cpus"),
        ("E101", "task.gpuz"),
    ]


def test_thousands_of_mistakes_end_soon(tmp_path: Path) -> None:
    text = HEAD + GOOD + "".join(f"key_number_{number}: 1\n" for number in range(9000))
    started = time.process_time()
    assert len(found(tmp_path, text)) == 1000
    assert time.process_time() - started < (8 if sys.gettrace() else 2)


def test_unknown_key_marks_the_key_itself(tmp_path: Path) -> None:
    problem = found(tmp_path, HEAD + GOOD + "task: {cpus: 1, gpuz: 12}\n")[0]
    assert problem.mark is not None
    assert (problem.mark.line, problem.mark.column, problem.mark.end_column) == (5, 17, 21)
    assert problem.hint == "did you mean 'gpus'?"


def test_placeholder_stands_for_any_value_in_settings(tmp_path: Path) -> None:
    text = HEAD + 'settings: {argv: ["true"], success: ["${code}"]}\nmatrix: {axes: {code: [0]}}\n'
    assert found(tmp_path, text) == ()


def test_placeholder_for_a_whole_list_or_word_is_tolerated(tmp_path: Path) -> None:
    text = HEAD + 'settings: {argv: "${all}", workdir: "${where}"}\n'
    assert found(tmp_path, text) == ()


def test_placeholder_does_not_hide_other_mistakes(tmp_path: Path) -> None:
    text = HEAD + 'settings: {argv: ["${x}"], wrkdir: "${x}", success: ["${x}", no]}\n'
    assert told(tmp_path, text) == [("E101", "settings.wrkdir"), ("E103", "settings.success[1]")]


def test_resources_may_be_placeholders_but_not_keys(tmp_path: Path) -> None:
    text = HEAD + GOOD + 'task: {cpus: "${n}", gpuz: "${n}"}\nmatrix: {axes: {n: [1]}}\n'
    assert told(tmp_path, text) == [("E101", "task.gpuz")]


def test_values_of_overrides_are_checked_where_they_go(tmp_path: Path) -> None:
    text = (
        HEAD
        + GOOD
        + "when: [{if: {n: 1}, set: {task.memory: 8, job.sbatch.wrap: x, sharing: 2}}]\n"
    )
    assert told(tmp_path, text) == [
        ("E103", "when[0].set.task.memory"),
        ("E112", "when[0].set.job.sbatch.wrap"),
        ("E103", "when[0].set.sharing"),
    ]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("repetitions: {n: '3'}\n", "take the quotes off: 3"),
        ("repetitions: {n: 3h}\n", "Repetitions of each point [repetitions]."),
        ("sharing: off\n", "write false: in YAML 1.2 off is text"),
        ("purpose: 3\n", 'quote it: "3"'),
        ("environment: {python: 3.11}\n", "put it in quotes, e.g. '3.11'"),
        ("job: {time_limit: 30}\n", "give it a unit, e.g. '30min'"),
        ("include: x\nseed: 1\n", "put it in brackets: ['x']"),
        ("task: {memory: 8Gi}\n", "did you mean 8GiB?"),
        ("task: {memory: 8gib}\n", "did you mean 8GiB?"),
        ("repetitions: {block: jib}\n", "did you mean 'job'? (one of: 'job', 'none')"),
        ("job: {sbatch: {contiguous: false}}\n", "write true"),
        ("matrx: {}\nmatrix: {}\n", "did you mean 'matrix'? That key is there already"),
    ],
)
def test_hint(tmp_path: Path, text: str, hint: str) -> None:
    assert [problem.hint for problem in found(tmp_path, HEAD + GOOD + text)] == [hint]


def test_settings_of_a_point_are_checked_in_full() -> None:
    assert validate_settings("command", {"argv": ["true"]}) == []
    errors = validate_settings("command", {"argv": ["true"], "success": ["${code}"]})
    assert [list(each.absolute_path) for each in errors] == [["success", 0]]


def test_checking_a_point_takes_under_a_millisecond() -> None:
    settings = {"argv": ["echo", "1", "2"], "success": [0], "workdir": "scratch"}
    validate_settings("command", settings)
    started = time.process_time()
    for _ in range(200):
        validate_settings("command", settings)
    assert (time.process_time() - started) / 200 < 0.001


def test_problems_of_a_point_may_blame_the_axis(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(HEAD + GOOD + "matrix: {axes: {code: [999]}}\n", encoding="utf-8")
    document, _ = check_front(path)
    blame = document.mark("matrix", "axes", "code", 0)
    settings = {"argv": ["true"], "success": [999]}
    (problem,) = settings_problems("command", settings, document, blame=blame)
    assert (problem.code, problem.path, problem.mark) == ("E106", "settings.success[0]", blame)


def test_kind_without_a_schema_is_not_built_yet(tmp_path: Path) -> None:
    (problem,) = found(tmp_path, "schema_version: 1\nname: a\nkind: evaluation\n")
    assert problem.code == "E110"
    assert problem.hint == f"available: {', '.join(kinds())}"


def test_whole_floats_count_as_integers(tmp_path: Path) -> None:
    assert found(tmp_path, HEAD + GOOD + "task: {cpus: 2.0}\n") == ()


def test_true_is_no_number(tmp_path: Path) -> None:
    assert told(tmp_path, HEAD + GOOD + "task: {cpus: true}\n") == [("E103", "task.cpus")]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("environment: {mode: wheelhous}\n", "environment.mode"),
        ("environment: {cpu: {mode: wheelhous}}\n", "environment.cpu.mode"),
        ("environment: {cpu: {pyton: '3.11'}, gpu: {}}\n", "environment.cpu.pyton"),
        ("environment: {pyton: '3.11'}\n", "environment.pyton"),
        ("inputs: [{name: m, source: {hub: a/b, revison: x}}]\n", "inputs[0].source.revison"),
        ("matrix: {axes: {a: {range: [1]}}}\n", "matrix.axes.a.range"),
        ("matrix: {axes: {a: [[1]]}}\n", "matrix.axes.a[0]"),
        ("on_failure: {timeout: {task.cpus: y2}}\n", "on_failure.timeout.task.cpus"),
        ("cluster: {name: c, partitions: [{name: p, nodes: 1, cores_per_node: 0}]}\n",
         "cluster.partitions[0].cores_per_node"),
        ("cluster: 7\n", "cluster"),
    ],
)  # fmt: skip
def test_inside_alternatives_the_branch_that_was_meant_speaks(
    tmp_path: Path, text: str, path: str
) -> None:
    assert [problem.path for problem in found(tmp_path, HEAD + GOOD + text)] == [path]


@pytest.mark.parametrize(
    "option", ["account", "constraint", "mail-user", "comment", "tmp", "begin"]
)
@pytest.mark.parametrize("value", ['"a\\n#SBATCH --x"', '"a;b"', "'$(id)'", "'`id`'", '"a\\""'])
def test_sbatch_values_that_could_break_out_are_refused(
    tmp_path: Path, option: str, value: str
) -> None:
    text = HEAD + GOOD + f"job: {{sbatch: {{{option}: {value}}}}}\n"
    assert told(tmp_path, text) == [("E105", f"job.sbatch.{option}")]


def test_paths_are_written_as_people_write_them() -> None:
    assert dotted(("matrix", "axes", "lr", 0)) == "matrix.axes.lr[0]"
    assert dotted(("$profile", "partitions", 1, "name")) == "partitions[1].name"
    assert dotted(()) == ""


def test_defaults_are_written_out() -> None:
    data: dict[str, Any] = {"task": {"cpus": 2.0}, "inputs": [{"name": "a", "path": "b"}]}
    filled = fill_defaults(schema("spec"), data)
    assert filled is data
    assert filled["task"] == {"cpus": 2, "gpus": 0, "nodes": 1, "processes_per_node": 1}
    assert type(filled["task"]["cpus"]) is int
    assert filled["inputs"] == [{"name": "a", "path": "b", "at": "desk"}]
    assert filled["repetitions"] == {"n": 1, "order": "random", "block": "job", "seed": 0}
    assert filled["analysis"]["report"] == {"pdf": False, "slides": False}
    assert "code" not in filled
    assert "budget" not in filled


def test_defaults_follow_the_branch_that_a_value_takes() -> None:
    several = {"environment": {"cpu": {}, "gpu": {"accelerator": "cu128"}}}
    filled = fill_defaults(schema("spec"), several)["environment"]
    assert set(filled) == {"cpu", "gpu"}
    assert (filled["cpu"]["accelerator"], filled["gpu"]["accelerator"]) == ("cpu", "cu128")
    one = fill_defaults(schema("spec"), {"environment": {"python": "3.11"}})["environment"]
    assert (one["python"], one["accelerator"]) == ("3.11", "cpu")


def test_defaults_are_not_shared_between_documents() -> None:
    first = fill_defaults(schema("spec"), {})
    first["matrix"]["axes"]["a"] = [1]
    assert fill_defaults(schema("spec"), {})["matrix"]["axes"] == {}


def test_a_filled_spec_is_still_valid(tmp_path: Path) -> None:
    from jsonschema import Draft202012Validator

    data = {"schema_version": 1, "name": "a", "kind": "command", "settings": {"argv": ["x"]}}
    filled = fill_defaults(schema("spec"), data)
    assert list(Draft202012Validator(schema("spec")).iter_errors(filled)) == []


def test_numbers_stay_floats_where_the_schema_says_number() -> None:
    filled = fill_defaults(schema("spec"), {"task": {"gpus": 1.0}, "budget": {"gpu_hours": 2.0}})
    assert type(filled["task"]["gpus"]) is float
    assert type(filled["budget"]["gpu_hours"]) is float


def test_reading_a_spec_loads_no_heavy_library() -> None:
    script = (
        "import sys, specc.frontend, specc.diagnostics\n"
        "print([n for n in ('polars', 'altair', 'jsonschema', 'torch') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_misspelt_settings_are_one_mistake(tmp_path: Path) -> None:
    text = "schema_version: 1\nname: x\nkind: command\nsetings: {argv: [a]}\n"
    assert [(p.code, p.hint) for p in found(tmp_path, text)] == [
        ("E101", "did you mean 'settings'?")
    ]


def test_absent_settings_are_told(tmp_path: Path) -> None:
    text = "schema_version: 1\nname: x\nkind: command\n"
    assert [p.code for p in found(tmp_path, text)] == ["E102"]
