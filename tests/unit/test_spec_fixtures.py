"""Fixtures that a spec states: what of them reaches the jobs of which points."""

from __future__ import annotations

import json
from typing import Any

from studies import plan

from specc.model import Fixture, Plan

SERVER: dict[str, Any] = {
    "type": "server",
    "name": "api",
    "argv": ["serve", "${port:api}"],
    "ports": ["api"],
}


def planned(**blocks: Any) -> Plan:
    return plan("".join(f"{name}: {json.dumps(block)}\n" for name, block in blocks.items()))


def only(made: Plan) -> Fixture:
    ((fixture,),) = [shape.fixtures for shape in made.shapes]
    return fixture


def test_a_server_is_written_out_with_its_defaults_in_seconds() -> None:
    assert only(planned(fixtures=[SERVER])).options == {
        "name": "api",
        "argv": ["serve", "${port:api}"],
        "env": {},
        "ports": ["api"],
        "workdir": "scratch",
        "gpus": "none",
        "healthy": {"tcp": "api"},
        "start_limit_s": 120,
        "stop": {"signal": "TERM", "grace_s": 10},
    }


def test_points_that_start_it_otherwise_have_jobs_of_their_own() -> None:
    argv = ["serve", "--size", "${size}", "$${size}", "${port:api}"]
    made = planned(
        fixtures=[{**SERVER, "argv": argv}], matrix={"axes": {"size": [1, 2], "other": [5, 6]}}
    )
    assert [shape.fixtures[0].options["argv"] for shape in made.shapes] == [
        ["serve", "--size", "1", "${size}", "${port:api}"],
        ["serve", "--size", "2", "${size}", "${port:api}"],
    ]
    assert [sum(len(s.task_ids) for s in shape.shards) for shape in made.shapes] == [2, 2]


def test_a_condition_chooses_the_points() -> None:
    made = planned(fixtures=[{**SERVER, "if": {"size": 2}}], matrix={"axes": {"size": [1, 2]}})
    assert [len(shape.fixtures) for shape in made.shapes] == [0, 1]


def test_mps_is_for_tasks_with_gpus() -> None:
    made = planned(
        fixtures=[{"type": "mps", "active_thread_percentage": 50}],
        matrix={"axes": {"device": ["cpu", "cuda"]}},
        when=[{"if": {"device": "cuda"}, "set": {"task.gpus": 0.5}}],
    )
    cpu, gpu = made.shapes
    assert cpu.fixtures == ()
    assert gpu.fixtures == (
        Fixture(type="mps", options={"active_thread_percentage": 50, "required": False}),
    )


def test_how_long_one_waits_for_a_server_is_no_condition_of_the_measurement() -> None:
    def condition(**changed: Any) -> str:
        return planned(fixtures=[{**SERVER, **changed}]).shapes[0].condition_id

    assert condition(start_limit="1min", stop={"grace": "1s"}) == condition()
    assert condition(argv=["serve", "--fast", "${port:api}"]) != condition()


def test_several_warm_parents_are_one() -> None:
    warm = [{"type": "warm_parent", "imports": ["json", name]} for name in ("csv", "zlib")]
    assert only(planned(fixtures=warm)).options == {"imports": ["json", "csv", "zlib"]}
