"""The shipped sweep: its two shapes, its pilot, and numbers that can be checked by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from specc.pilot.choose import pilot_tasks
from specc.pipeline import check_spec

SPECS = Path(__file__).parents[2] / "specs"
CLUSTER = """
cluster:
  name: four
  partitions: [{name: main, nodes: 4, cores_per_node: 8, memory_per_node: 8GiB, max_time: 1h}]
"""


def solve(problem: str, resolution: int, waves: int, *options: str) -> dict[str, float]:
    asked = {"SPECC_PROBLEM": problem, "SPECC_RESOLUTION": resolution, "SPECC_WAVES": waves}
    ended = subprocess.run(
        [sys.executable, "solve.py", *options],
        cwd=SPECS / "sweep",
        env={**os.environ, **{name: str(value) for name, value in asked.items()}},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found: dict[str, float] = json.loads(ended.stdout)
    return found


def relative_error(problem: str, resolution: int, waves: int) -> float:
    return solve(problem, resolution, waves)["relative_error"]


def test_sweep_has_two_shapes_of_24_points() -> None:
    shapes = check_spec(SPECS / "command-sweep.yaml").plan.shapes
    tasks = [sum(len(shard.task_ids) for shard in shape.shards) for shape in shapes]
    assert [(shape.name, shape.slots, shape.task.cpus) for shape in shapes] == [
        ("1-cpu", 4, 1),
        ("2-cpu", 2, 2),
    ]
    assert tasks == [24, 24]


def test_sweep_fits_a_cluster_and_its_pilot_has_four_tasks(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    text = (SPECS / "command-sweep.yaml").read_text(encoding="utf-8")
    path.write_text(text + CLUSTER, encoding="utf-8")
    (tmp_path / "sweep").symlink_to(SPECS / "sweep")
    checked = check_spec(path)
    assert [problem.code for problem in checked.problems] == []
    taken = [task.axes for task in pilot_tasks(checked.spec, checked.expansion).tasks]
    ends = [(16, 1), (96, 4)]
    assert taken == [
        {"problem": problem, "resolution": resolution, "waves": waves}
        for problem in ("integral", "plate")
        for resolution, waves in ends
    ]


@pytest.mark.parametrize("problem", ["integral", "plate"])
def test_twice_the_resolution_is_a_quarter_of_the_error(problem: str) -> None:
    coarse, fine = (relative_error(problem, resolution, 2) for resolution in (16, 32))
    assert 3.9 < coarse / fine < 4.1


def test_finer_shapes_have_larger_errors() -> None:
    assert relative_error("plate", 16, 4) > relative_error("plate", 16, 1)


def test_a_point_works_as_long_as_asked_and_reports_its_shortest_time() -> None:
    started = time.monotonic()
    found = solve("integral", 16, 1, "--seconds", "1")
    assert time.monotonic() - started >= 1.0
    # all of them together took at least that second
    assert found["seconds"] < 1.0
