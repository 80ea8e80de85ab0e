"""What the compiler knows of commands and of inference benchmarks."""

from __future__ import annotations

from studies import a_study, tasks

from specc.kinds.command import plan as command
from specc.kinds.inference import plan as inference

INFERENCE = """\
kind: inference
settings:
  model: {config: {dim: 64}}
  dataset: {synthetic: {samples: 4, tokens: 8}}
  stopping: {min_seconds: SECONDS}
  energy: {idle_seconds: IDLE}
"""


def warnings(text: str) -> list[str]:
    return [problem.code for problem in a_study(text).problems]


def test_axes_are_parameters_of_a_command_and_part_of_its_settings():
    found = tasks("matrix: {axes: {size: [1, 2], mode: [fast]}}\n")
    assert [task.settings["parameters"] for task in found] == [
        {"size": 1, "mode": "fast"},
        {"size": 2, "mode": "fast"},
    ]


def test_points_of_a_script_that_names_no_axis_have_ids_of_their_own():
    script = "settings: {script: 'echo $SPECC_SIZE', metrics: {}}\nmatrix: {axes: {size: [1, 2]}}\n"
    assert len({task.task_id for task in tasks(script)}) == 2


def test_a_script_keeps_its_own_shell_variables():
    text = "settings: {script: 'echo ${HOME} ${size}', metrics: {}}\nmatrix: {axes: {size: [1]}}\n"
    (task,) = tasks(text)
    assert task.settings["script"] == "echo ${HOME} ${size}"


def test_constants_and_axes_are_one_set_of_parameters():
    assert command.derive({"parameters": {"a": 1}}, {"b": 2}) == {"parameters": {"a": 1, "b": 2}}


def test_a_command_without_metrics_is_warned_about():
    assert warnings("settings: {argv: [prog]}\n") == ["W601"]


def test_commands_share_a_node_and_benchmarks_do_not():
    assert (command.MEASURES, inference.MEASURES) == (False, True)


def test_a_command_needs_no_fixture_and_inference_a_warm_parent():
    assert command.fixtures({}) == ()
    (warm,) = inference.fixtures({})
    assert warm.type == "warm_parent"
    assert "torch" in warm.options["imports"]


def test_the_tokenizer_is_the_checkpoints_own_unless_named():
    model = {"model": {"checkpoint": "input:m"}, "tokenizer": None}
    assert inference.derive(model, {})["tokenizer"] == "input:m"
    named = {**model, "tokenizer": "input:t"}
    assert inference.derive(named, {})["tokenizer"] == "input:t"
    random = {"model": {"config": {}}, "tokenizer": None}
    assert inference.derive(random, {}) == random


def test_short_windows_are_warned_about_where_energy_is_wanted():
    assert warnings(INFERENCE.replace("SECONDS", "0.5").replace("IDLE", "2")) == ["W611"]
    assert warnings(INFERENCE.replace("SECONDS", "0.5").replace("IDLE", "0")) == []
    assert warnings(INFERENCE.replace("SECONDS", "2").replace("IDLE", "2")) == []
