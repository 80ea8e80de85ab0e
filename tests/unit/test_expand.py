"""Points become tasks: substitution, overrides, when, resources, checks of filled-in settings."""

from __future__ import annotations

from dataclasses import replace

import pytest
from studies import a_study, argv, tasks

from specc.language.semantics import check_axes_used
from specc.matrix.points import axes_of
from specc.matrix.recipes import Recipes, has_conditional_defaults, schemas_at
from specc.model import Json
from specc.problems import SpecInvalid


def last_argument(text: str) -> list[Json]:
    return [task.settings["argv"][-1] for task in tasks(text)]


def test_whole_placeholder_keeps_the_type() -> None:
    text = "matrix: {axes: {n: [1, 2.5, true, text]}}\n" + argv('"${n}"')
    assert last_argument(text) == [1, 2.5, True, "text"]


def test_embedded_placeholder_is_spelled_as_in_the_source() -> None:
    text = "matrix: {axes: {lr: [1e-4, 0.10, 3, true]}}\n" + argv('"--lr=${lr}"')
    assert last_argument(text) == ["--lr=1e-4", "--lr=0.10", "--lr=3", "--lr=true"]


def test_range_values_are_spelled_plainly() -> None:
    text = "matrix: {axes: {lr: {range: [0.1, 0.2, 0.1]}}}\n" + argv('"x${lr}y"')
    assert last_argument(text) == ["x0.1y", "x0.2y"]


def test_doubled_dollar_is_a_literal_placeholder() -> None:
    text = "matrix: {axes: {n: [1]}}\n" + argv('"$${n} is ${n}"')
    assert last_argument(text) == ["${n} is 1"]


def test_text_that_the_schema_calls_literal_is_left_alone() -> None:
    metrics = "metrics: {t: {from: json_lines, unit: s, better: lower}}"
    text = (
        f"matrix: {{axes: {{n: [1]}}}}\nsettings: {{script: 'echo ${{n}} ${{HOME}}', {metrics}}}\n"
    )
    assert tasks(text)[0].settings["script"] == "echo ${n} ${HOME}"


def test_named_point_overrides_settings_and_task() -> None:
    text = "matrix: {points: {v: {base: {}, big: {settings.stdin: hello, task.memory: 2GiB}}}}\n"
    base, big = tasks(text)
    assert (base.settings["stdin"], base.task.memory_bytes) == (None, None)
    assert (big.settings["stdin"], big.task.memory_bytes) == ("hello", 2 * 1024**3)


def test_overrides_may_hold_placeholders() -> None:
    text = "matrix: {axes: {n: [1, 2]}, points: {v: {base: {}, fed: {settings.stdin: 'n=${n}'}}}}\n"
    assert [t.settings["stdin"] for t in tasks(text)] == [None, "n=1", None, "n=2"]


def test_later_when_rule_wins() -> None:
    text = """matrix: {axes: {n: [1, 2]}}
when:
  - {if: {n: {ge: 1}}, set: {task.cpus: 2}}
  - {if: {n: 2}, set: {task.cpus: 3}}
"""
    assert [task.task.cpus for task in tasks(text)] == [2, 3]


def test_when_chooses_the_environment() -> None:
    text = """matrix: {axes: {d: [cpu, cuda]}}
environment: {cpu: {}, cuda: {accelerator: cu128}}
when:
  - {if: {d: cpu}, set: {environment: cpu}}
  - {if: {d: cuda}, set: {environment: cuda}}
"""
    assert [task.environment for task in tasks(text)] == ["cpu", "cuda"]


def test_single_environment_is_everyones() -> None:
    assert tasks("environment: {accelerator: cpu}\n")[0].environment == "default"


def test_job_follows_from_the_task_where_it_is_silent() -> None:
    (task,) = tasks("task: {gpus: 1.5, cpus: 3, memory: 2GiB, estimate: 1min}\n")
    job = task.job
    assert (job.gpus_per_node, job.cpus_per_node, job.memory_bytes) == (2, 3, 2 * 1024**3)


def test_share_of_a_gpu_asks_for_a_whole_one_and_its_neighbours_cores() -> None:
    (task,) = tasks("task: {gpus: 0.5, cpus: 3, estimate: 1min}\n")
    assert (task.job.gpus_per_node, task.job.cpus_per_node) == (1, 6)


def test_exclusive_job_leaves_cores_to_the_node() -> None:
    (task,) = tasks("job: {exclusive: true}\n")
    assert task.job.cpus_per_node is None


def test_points_of_equal_settings_share_them() -> None:
    first, second = tasks("repetitions: {n: 2}\n")
    assert first.settings is second.settings


def test_wrong_axis_value_is_blamed_where_it_stands() -> None:
    metrics = "metrics: {t: {from: json_lines, unit: s, better: lower}}"
    text = (
        "matrix: {axes: {w: [scratch, [code]]}}\n".replace("[code]", "12")
        + f"settings: {{argv: [prog], workdir: '${{w}}', {metrics}}}\n"
    )
    with pytest.raises(SpecInvalid) as stopped:
        a_study(text)
    (problem,) = stopped.value.problems
    assert (problem.code, problem.path) == ("E217", "matrix.axes.w")
    assert problem.mark is not None
    assert problem.mark.column == 30
    assert problem.message.startswith("w=12 does not fit settings.workdir:")


def test_wrong_value_in_an_override_is_blamed_there() -> None:
    text = "matrix: {points: {v: {base: {}, odd: {settings.success: []}}}}\n"
    with pytest.raises(SpecInvalid) as stopped:
        a_study(text)
    assert {problem.path for problem in stopped.value.problems} == {
        "matrix.points.v.odd.settings.success"
    }


def test_wrong_resource_from_an_axis_is_blamed_there() -> None:
    text = "matrix: {axes: {m: [1GiB, much]}, points: {v: {a: {task.memory: '${m}'}}}}\n"
    with pytest.raises(SpecInvalid) as stopped:
        a_study(text)
    assert [(p.code, p.path) for p in stopped.value.problems] == [("E218", "matrix.axes.m")]


def test_resources_may_be_placeholders() -> None:
    text = "matrix: {axes: {n: [1, 2]}}\ntask: {cpus: '${n}', estimate: 1min}\n"
    assert [task.task.cpus for task in tasks(text)] == [1, 2]


def test_unknown_environment_from_an_axis_is_blamed_there() -> None:
    text = "environment: {a: {}, b: {}}\nmatrix: {axes: {e: [a, c]}}\n"
    text += "when: [{if: {e: {ne: x}}, set: {environment: '${e}'}}]\n"
    with pytest.raises(SpecInvalid) as stopped:
        a_study(text)
    assert [(p.code, p.path) for p in stopped.value.problems] == [("E215", "matrix.axes.e")]


def test_equal_points_name_both_and_what_does_not_matter() -> None:
    from specc.matrix.point_checks import check_duplicates
    from specc.matrix.points import axes_of, build

    study = a_study("matrix: {axes: {n: [1, 2]}}\n")
    one, two = study.expansion.tasks
    twin = type(two)(one.task_id, *(getattr(two, f) for f in two.__slots__[1:]))
    matrix = build(study.spec.data, axes_of(study.spec.data))
    (problem,) = check_duplicates(study.spec, matrix, (one, twin))
    assert problem.message == "duplicate points: n=1 and n=2 are the same work"
    assert problem.hint == "no setting depends on n: use it in settings, or take it out"


def test_unused_axis_is_a_warning_with_the_placeholder_to_write() -> None:
    spec = a_study("matrix: {axes: {n: [1]}}\n").spec
    (problem,) = check_axes_used(spec.data, spec.settings_schema, spec.document)
    assert (problem.code, problem.severity) == ("W201", "warning")
    assert problem.hint == 'write "${n}" where its value belongs, or take the axis out'


def test_axis_that_a_kind_hands_to_its_program_is_not_unused() -> None:
    assert a_study("matrix: {axes: {n: [1]}}\n").problems == ()


def test_condition_no_point_meets_as_a_whole_is_a_warning() -> None:
    text = """matrix: {axes: {a: [1, 2], b: [1, 2]}, zip: [[a, b]]}
when: [{if: {a: 1, b: 2}, set: {task.cpus: 2}}]
"""
    (problem,) = a_study(text).problems
    assert problem.code == "W202"
    assert problem.message == "a = 1 and b = 2 meets no point: no point has all of these values"


def test_defaults_inside_branches_are_noticed() -> None:
    assert has_conditional_defaults({"oneOf": [{"properties": {"a": {"default": 1}}}]})
    assert not has_conditional_defaults({"properties": {"a": {"default": 1}}})


def test_schemas_of_a_path_follow_every_branch() -> None:
    schema = {"anyOf": [{"items": {"type": "string"}}, {"items": {"type": "number"}}]}
    assert [found["type"] for found in schemas_at(schema, (0,))] == ["string", "number"]


def test_value_deep_in_a_text_is_blamed_on_the_block() -> None:
    text = "matrix: {axes: {n: [1]}}\nsettings: {argv: [prog], env: {'A-${n}': x}}\n"
    with pytest.raises(SpecInvalid) as stopped:
        a_study(text)
    assert "E114" in {problem.code for problem in stopped.value.problems}


def test_override_below_a_value_of_another_type_is_blamed() -> None:
    with pytest.raises(SpecInvalid) as stopped:
        a_study("matrix: {points: {v: {a: {settings.argv.x: 1}}}}\n")
    (problem,) = stopped.value.problems
    assert problem.path == "matrix.points.v.a.settings.argv.x"
    assert problem.message == "settings.argv: expected a list, got a mapping (at v=a)"


def test_long_rows_of_numbers_are_checked_at_their_ends() -> None:
    from specc.language.settings_check import _telling

    row = tuple(range(100))
    assert _telling(row, {"type": "integer", "minimum": 5}) == (0, 99)
    assert _telling(row, {"type": "integer", "multipleOf": 5}) == row
    assert _telling((1.5, *row), {"type": "number"}) == (1.5, *row)


def test_defaults_of_a_branch_follow_the_axis_that_chooses_it() -> None:
    spec = a_study("matrix: {axes: {k: [a, b]}}\n").spec
    branch = [
        {"properties": {"k": {"const": "a"}, "x": {"default": 1}}},
        {"properties": {"k": {"const": "b"}, "y": {"default": 2}}},
    ]
    schema = {"properties": {"one": {"type": "object", "oneOf": branch}}}
    chosen = replace(
        spec,
        settings_schema=schema,
        data={**spec.data, "settings": {"one": {"k": "${k}"}}},
    )
    recipes = Recipes(chosen, axes_of(chosen.data))
    filled = [recipes.settings(recipes.of((k,)), {"k": k}) for k in ("a", "b")]
    assert filled == [{"one": {"k": "a", "x": 1}}, {"one": {"k": "b", "y": 2}}]


def test_kind_that_measures_runs_one_task_at_a_time_unless_it_shares() -> None:
    text = """kind: inference
matrix: {axes: {batch_size: [1, 2]}}
settings:
  model: {config: {}}
  dataset: {synthetic: {samples: 8, tokens: 16}}
  device: cpu
  batch_size: "${batch_size}"
job: {cpus_per_node: 4}
"""
    assert [shape.slots for shape in a_study(text).plan.shapes] == [1]
    assert [shape.slots for shape in a_study(text + "sharing: true\n").plan.shapes] == [4]


ODD_NUMBERS = "matrix: {axes: {lr: [1e-4, 0.10, 010, 1_000, 0x1F, +5, 3, 0.5]}}\n"
AS_WRITTEN = ["1e-4", "0.10", "010", "1_000", "0x1F", "+5", 3, 0.5]


def test_whole_placeholder_reaches_a_program_as_the_source_spells_it() -> None:
    assert last_argument(ODD_NUMBERS + argv('"${lr}"')) == AS_WRITTEN


def test_parameters_env_and_args_are_spelled_as_in_the_source() -> None:
    settings = "settings: {script: x, args: ['${lr}'], env: {LR: '${lr}'}}\n"
    found = [task.settings for task in tasks(ODD_NUMBERS + settings)]
    assert [one["parameters"]["lr"] for one in found] == AS_WRITTEN
    assert [one["args"][0] for one in found] == AS_WRITTEN
    assert [one["env"]["LR"] for one in found] == AS_WRITTEN


def test_constants_for_a_program_are_spelled_as_in_the_source() -> None:
    settings = "settings: {argv: [prog, 1e-4, 2], env: {A: 0.10}, parameters: {b: 010, c: [1e3]}}\n"
    (task,) = tasks(settings)
    assert task.settings["argv"] == ["prog", "1e-4", 2]
    assert task.settings["env"] == {"A": "0.10"}
    assert task.settings["parameters"] == {"b": "010", "c": [1000.0]}


def test_override_and_included_point_are_spelled_as_in_the_source() -> None:
    text = """matrix:
  axes: {lr: [0.5]}
  points: {v: {a: {settings.argv: [prog, 1e-5, "${lr}"]}}}
  include: [{lr: 2e-3, v: a}]
"""
    assert [t.settings["argv"][1:] for t in tasks(text)] == [["1e-5", 0.5], ["1e-5", "2e-3"]]


def test_numbers_that_are_settings_stay_numbers() -> None:
    settings = (
        "settings: {model: {config: {dim: 8}}, dataset: {synthetic: {samples: 1, tokens: 1}},"
        ' stopping: {min_seconds: "${s}"}}\n'
    )
    found = tasks("kind: inference\nmatrix: {axes: {s: [2.50]}}\n" + settings)
    assert found[0].settings["stopping"]["min_seconds"] == 2.5
    assert found[0].axes == {"s": 2.5}
