"""Axes that only repeat a measurement: their values are repetitions, their tasks stay the same."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from results import a_bundle
from training_records import a_sweep, points, rows

from specc.collate.finding.read import read
from specc.collate.finding.replicates import with_replicates
from specc.collate.pipeline import collate, settle
from specc.collate.values import Collated


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Collated:
    """One configuration with three seeds."""
    root = tmp_path_factory.mktemp("seeds")
    bundle = a_sweep(root, points(variants=["base"], lrs=[0.1], seeds=[0, 1, 2]))
    return collate([bundle.path], root / "out")


def test_seeds_of_one_configuration_are_one_point(swept: Collated) -> None:
    (cell,) = swept.summary["cells"]
    assert cell["axes"] == {"variant": "base", "lr": 0.1, "weight_decay": 1e-4}
    assert cell["repetitions"]["expected"] == 3
    loss = cell["metrics"]["best_val_ce"]
    assert (loss["n"], loss["run_repetitions"], loss["verdict"]) == (3, [0, 1, 2], "VALID")
    assert loss["low"] < loss["value"] < loss["high"]


def test_the_summary_and_the_report_say_which_axis_repeats(swept: Collated) -> None:
    assert "seed" not in swept.summary["axes"]
    assert swept.summary["replicates"] == {"seed": [0, 1, 2]}
    text = (swept.out / "report.md").read_text()
    assert "One point over variant (1) x lr (1) x weight decay (1), each with 3 values of seed" in (
        text
    )
    assert "**seed**: 0, 1, 2 (repetitions)" in text


def test_tables_of_tasks_and_of_rows_keep_the_seed(swept: Collated) -> None:
    for name in ("tasks", "quarters"):
        with (swept.out / "tables" / f"{name}.csv").open(newline="") as file:
            found = {(row["repetition"], row["axis_seed"]) for row in csv.DictReader(file)}
        assert found == {("0", "0"), ("1", "1"), ("2", "2")}


def test_a_failed_seed_is_named_by_its_seed(tmp_path: Path) -> None:
    two = points(variants=["base"], lrs=[0.1], seeds=[7, 8])
    bundle = a_bundle(tmp_path, kind="training", points=two, repetitions=1)
    launch = bundle.run().launch()
    launch.complete(bundle.tasks[0], rows(0.5))
    launch.fail(bundle.tasks[1], category="diverged")
    launch.end()
    summary = collate([bundle.path], tmp_path / "out").summary
    (failure,) = summary["failures"]
    assert (failure["axes"]["seed"], failure["repetition"]) == (8, 1)
    assert summary["cells"][0]["repetitions"]["failed"] == 1


def test_seeds_left_out_belong_to_the_point_of_those_that_ran(tmp_path: Path) -> None:
    three = points(variants=["base"], lrs=[0.1], seeds=[0, 1, 2])
    why = {0: "left out by --only"}
    bundle = a_bundle(tmp_path, kind="training", points=three, repetitions=1, not_run=why)
    launch = bundle.run().launch()
    launch.complete(bundle.tasks[1], rows(0.5, seed=1))
    launch.complete(bundle.tasks[2], rows(0.5, seed=2))
    launch.end()
    summary = collate([bundle.path], tmp_path / "out").summary
    (cell,) = summary["cells"]
    counts = cell["repetitions"]
    assert (counts["expected"], counts["completed"], counts["not_run"]) == (3, 2, 1)
    assert cell["condition_id"] is not None
    with (tmp_path / "out/tables/tasks.csv").open(newline="") as file:
        assert {row["cell"] for row in csv.DictReader(file)} == {cell["cell"]}


def test_an_axis_that_changes_more_than_its_own_setting_stays_one(tmp_path: Path) -> None:
    two = points(variants=["base"], lrs=[0.1], seeds=[0, 1])
    bundle = a_bundle(tmp_path, kind="training", points=two, repetitions=1)
    tasks, _, _ = settle(read([bundle.path]))
    assert [task.replicates for task in with_replicates(tasks, ["seed"])] == [("seed",)] * 2
    # in whatever order they come
    turned = with_replicates(tasks[::-1], ["seed"])
    assert [(task.axes["seed"], task.repetition) for task in turned] == [(1, 1), (0, 0)]
    longer = (tasks[0], replace(tasks[1], settings={**tasks[1].settings, "epochs": 9}))
    assert with_replicates(longer, ["seed"]) == longer


def test_the_points_beside_it_are_merged_all_the_same(tmp_path: Path) -> None:
    four = points(variants=["base"], lrs=[0.1, 0.2], seeds=[0, 1])
    bundle = a_bundle(tmp_path, kind="training", points=four, repetitions=1)
    first, *rest = settle(read([bundle.path]))[0]
    poisoned = replace(first, settings={**first.settings, "lr": 1e6})
    found = with_replicates((poisoned, *rest), ["seed"])
    merged = [(task.point, task.repetition) for task in found if task.replicates]
    point = {"variant": "base", "lr": 0.2, "weight_decay": 1e-4}
    assert merged == [(point, 0), (point, 1)]
