"""Defaults, environments by name, the cluster profile: what `resolve` writes out."""

from __future__ import annotations

import pytest
from studies import a_study, argv

from specc.model import Json


def data(text: str) -> dict[str, Json]:
    return a_study(text).spec.data


def test_constant_defaults_are_written_out() -> None:
    found = data("")
    assert found["repetitions"] == {"n": 1, "order": "random", "block": "job", "seed": 0}
    assert found["task"] == {
        "estimate": "1min", "gpus": 0, "cpus": 1, "nodes": 1, "processes_per_node": 1}  # fmt: skip
    assert found["job"] == {"nodes": 1, "exclusive": False, "time_limit": "1h", "sbatch": {}}


def test_settings_get_the_defaults_of_their_kind() -> None:
    assert data("")["settings"]["workdir"] == "scratch"


def test_the_document_stays_as_written() -> None:
    study = a_study("")
    assert "repetitions" not in study.spec.document.data
    assert "workdir" not in study.spec.document.data["settings"]


def test_environment_without_a_name_is_called_default() -> None:
    assert list(data("environment: {accelerator: cpu}\n")["environment"]) == ["default"]


def test_environment_of_variables_alone_is_one_environment() -> None:
    found = data("environment: {variables: {A: b}}\n")["environment"]
    assert found["default"]["variables"] == {"A": "b"}


@pytest.mark.parametrize(
    ("environment", "mode"),
    [
        ("{}", "inherit"),
        ("{requirements: [numpy]}", "wheelhouse"),
        ("{image: base.sif}", "container"),
        ("{mode: inherit, requirements: [numpy]}", "inherit"),
    ],
)
def test_mode_follows_from_what_is_asked_for(environment: str, mode: str) -> None:
    text = f"environment: {environment}\n"
    assert data(text)["environment"]["default"]["mode"] == mode


def test_profile_gets_its_defaults() -> None:
    profile = a_study("cluster: desk\n").spec.profile
    assert profile is not None
    assert profile["name"] == "desk"
    assert profile["partitions"][0]["gpus_per_node"] == 0
    assert profile["partitions"][0]["max_array_size"] == 1001


def test_no_cluster_is_no_profile() -> None:
    assert a_study("").spec.profile is None


def test_pattern_of_names_that_differ_in_more_than_case_is_fine() -> None:
    assert a_study("environment: {a: {}, b: {}}\nwhen: []\n".replace("b: {}", "")).problems == ()


def test_input_named_through_an_axis_counts_as_used() -> None:
    text = "inputs: [{name: a, path: x}, {name: b, path: y}]\n"
    assert a_study(text + "matrix: {axes: {m: ['input:a', 'input:b']}}\n").problems == ()


def test_input_name_put_together_from_an_axis_counts_as_used() -> None:
    text = "inputs: [{name: a, path: x}]\nmatrix: {axes: {m: [a]}}\n"
    assert a_study(text + argv("'input:${m}'")).problems == ()


def test_cure_without_a_cap_is_fine() -> None:
    text = "on_failure: {oom_host: {task.memory: x2}, timeout: {task.time_limit: 2h}}\n"
    assert a_study(text).problems == ()


def test_cures_are_compared_with_their_caps_by_value() -> None:
    text = "cluster: desk\non_failure: {timeout: {task.time_limit: 121min}}\n"
    assert [p.code for p in a_study(text).problems] == ["W205"]


def test_environment_may_be_called_like_a_field_of_one() -> None:
    found = a_study("environment: {python: {variables: {A: b}}}\n").spec.data["environment"]
    assert found["python"]["variables"] == {"A": "b"}
    assert found["python"]["accelerator"] == "cpu"
