"""Of 216 runs some never came, some are damaged, one has no slope: exactly they are named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from results import a_bundle
from training_records import SLOPES, rows

from specc.collate.pipeline import collate
from specc.collate.values import Collated

MISSING, DAMAGED, DIVERGED, ENDLESS = (3, 50, 215), (10, 120), 77, 30


def a_short_run(alpha: float, seed: int) -> list[dict[str, Any]]:
    """Every second batch of 16 epochs, without what this test does not look at."""
    wanted = ("model", "batch", "quarter", "epoch")
    found = [row for row in rows(alpha, seed=seed, epochs=16) if row["type"] in wanted]
    return [row for row in found if row["type"] != "batch" or row["step"] % 2 == 0]


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Collated:
    """All 216 points: 3 missing, 2 damaged, 1 failed, and 1 whose loss is no number at the end."""
    root = tmp_path_factory.mktemp("full")
    points = [
        {"variant": variant, "lr": lr, "weight_decay": decay, "seed": seed}
        for variant in SLOPES
        for lr in (0.05, 0.1, 0.2)
        for decay in (1e-4, 1e-3, 1e-2)
        for seed in range(6)
    ]
    bundle = a_bundle(root, kind="training", points=points, repetitions=1)
    launch = bundle.run().launch()
    segments = {}
    for at, task in enumerate(bundle.tasks):
        if at in MISSING:
            continue
        if at == DIVERGED:
            launch.fail(task, category="diverged")
            continue
        axes = task["axes"]
        records = a_short_run(SLOPES[axes["variant"]] - 0.1 * axes["lr"], axes["seed"])
        if at == ENDLESS:
            last = [row for row in records if row["type"] == "batch"][-20:]
            for row in last:
                row["loss_train_nats"] = None
        segments[at] = launch.complete(task, records)
    launch.end()
    data = bytearray(launch.records.read_bytes())
    for at in DAMAGED:
        data[segments[at]["offset"] + 400] ^= 1
    launch.records.write_bytes(bytes(data))
    return collate([bundle.path], root / "out")


def page_of(swept: Collated) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads((swept.out / "report.json").read_text())
    return found


def test_each_state_has_its_count(swept: Collated) -> None:
    done = swept.completeness
    counts = {
        name: done[name] for name in ("expected", "completed", "failed", "missing", "invalid")
    }
    assert counts == {"expected": 216, "completed": 210, "failed": 1, "missing": 3, "invalid": 2}


def test_exactly_those_runs_are_named(swept: Collated) -> None:
    told = swept.completeness["tasks"]
    named = [one["task_id"] for state in ("failed", "missing", "invalid") for one in told[state]]
    with (swept.out / "tables/tasks.csv").open() as file:
        head, *lines = file.read().splitlines()
    at = head.split(",").index("task_id")
    ids = [line.split(",")[at] for line in lines]
    assert sorted(named) == sorted(ids[n] for n in (*MISSING, *DAMAGED, DIVERGED))


def test_the_sweep_is_not_complete_without_every_slope(swept: Collated) -> None:
    answer = page_of(swept)["one_page"]["sweep_complete"]
    assert answer["text"] == "210 of 216 runs, 209 with R² and both slopes"
    assert (answer["verdict"], answer["why"]) == ("NOT_MET", "1 failed, 3 missing, 2 invalid.")


def test_a_run_without_a_slope_is_told_with_its_reason(swept: Collated) -> None:
    title = "Completed runs without R² or a slope"
    (found,) = [one for one in page_of(swept)["findings"] if one["title"] == title]
    assert "alpha_full 1 (" in found["text"]
    assert "the loss is no number at the end" in found["text"]
    (cell,) = [one for one in swept.summary["cells"] if one["cell"] in found["cells"]]
    # the run at place 30: base, the last of three decays at lr 0.1
    assert cell["axes"] == {"variant": "base", "lr": 0.1, "weight_decay": 0.01}


def test_the_best_configuration_is_told_with_its_rivals(swept: Collated) -> None:
    answer = page_of(swept)["one_page"]["best_operating_point"]
    assert answer["text"].startswith("variant adamw, lr 0.05")
    assert "n = 6" in answer["interval"]
    assert "Without repetitions" not in answer["why"]


def test_both_hypotheses_count_every_completed_run(swept: Collated) -> None:
    found = swept.summary["across"]["hypotheses"]
    assert found["power_law"]["trials"] == 210
    assert found["early_slope"]["spearman"]["clusters"] == 36
