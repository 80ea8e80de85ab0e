"""Numbers that no average survives, and runs that say different things of one metric."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from results import a_bundle, metric, process

from specc.collate.pipeline import collate_data as collate


def cell_of(tmp_path: Path, *rows: list[dict[str, Any]]) -> dict[str, Any]:
    """One point whose repetitions have these rows."""
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=len(rows))
    launch = bundle.run().launch()
    for task, each in zip(bundle.tasks, rows, strict=True):
        launch.complete(task, each)
    launch.end()
    cell: dict[str, Any] = collate([bundle.path], tmp_path / "out").summary["cells"][0]
    return cell


def test_a_metric_in_two_units_has_no_value(tmp_path: Path) -> None:
    found = cell_of(tmp_path, [metric("t", 1.0, unit="s")], [metric("t", 1000.0, unit="ms")])
    value = found["metrics"]["t"]
    assert (value["value"], value["reason"]) == (None, "reported in different units: ms, s")


def test_repetitions_without_a_value_are_told_beside_the_value(tmp_path: Path) -> None:
    gap = metric("t", None, reason="not printed")
    found = cell_of(tmp_path, [metric("t", 2.0)], [gap], [metric("t", 2.0)])["metrics"]["t"]
    assert (found["value"], found["n"]) == (2.0, 2)
    assert found["reason"] == "1 of 3 repetitions have no value: not printed"


@pytest.mark.parametrize("value", [1.7e308, -1.7e308])
def test_a_number_too_large_to_average_is_no_value(tmp_path: Path, value: float) -> None:
    rows = [metric("t", value, index=n) for n in range(3)]
    found = cell_of(tmp_path, rows, rows)["metrics"]["t"]
    assert (found["value"], found["distribution"]) == (None, None)
    assert found["reason"] == "a number beyond 1e+140 can't be averaged"


def test_runs_too_different_for_an_interval_are_not_valid(tmp_path: Path) -> None:
    found = cell_of(tmp_path, [metric("t", 1e-130)], [metric("t", 1e130)])["metrics"]["t"]
    assert (found["low"], found["verdict"]) == (None, "TOO_FEW")
    assert found["verdict_reason"] == "no interval: the runs differ too much"


def test_a_process_without_wall_time_leaves_its_other_numbers(tmp_path: Path) -> None:
    found = cell_of(tmp_path, [{**process(), "wall_s": None}])["metrics"]
    assert found["process.wall_s"]["reason"] == "not measured on this machine"
    assert found["process.max_rss_bytes"]["value"] == 20_000_000


def test_the_order_of_the_paths_changes_nothing(tmp_path: Path) -> None:
    bundles = [a_bundle(tmp_path / name, points=[{name: 1}], repetitions=1) for name in "ab"]
    for bundle in bundles:
        bundle.run().launch().complete(bundle.tasks[0], [metric("t", 1.0)])
    first, second = (bundle.path for bundle in bundles)
    there = collate([first, second], tmp_path / "there").summary
    back = collate([second, first], tmp_path / "back").summary
    assert list(there["axes"]) == list(back["axes"])
    assert there == back
