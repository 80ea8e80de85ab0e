"""What a run of training comes to from its burn-in on, and what stands beside its R²."""

from __future__ import annotations

import csv
import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
from results import ABundle, a_bundle
from training_records import STEPS_PER_EPOCH, points, rows

from specc.collate.pipeline import collate
from specc.kinds.training import decisions, hypotheses, report
from specc.kinds.training.definitions import METRICS
from specc.kinds.training.pairing import Run

ONE = points(variants=["base"], lrs=[0.1], seeds=[0])


def a_run(root: Path, records: list[dict[str, Any]], **fields: Any) -> ABundle:
    bundle = a_bundle(root, kind="training", points=ONE, repetitions=1)
    launch = bundle.run().launch()
    launch.complete(bundle.tasks[0], records, **fields)
    launch.end()
    return bundle


def metrics_of(root: Path, records: list[dict[str, Any]]) -> dict[str, Any]:
    summary = collate([a_run(root, records).path], root / "out").summary
    found: dict[str, Any] = summary["cells"][0]["metrics"]
    return found


def bent(*, knee_step: int, start: float) -> list[dict[str, Any]]:
    """A run that is flat up to step 40, then falls to `start` and bends at `knee_step`."""
    rng = random.Random(1)
    records = rows(0.5)
    for record in records:
        if record["type"] == "batch":
            step = record["step"]
            slope = -0.2 if step < knee_step else -1.2
            level = start * (step / knee_step) ** slope if step > 40 else 2.3
            record["loss_train_nats"] = level * rng.lognormvariate(0, 0.02)
    return records


def test_the_knee_is_looked_for_from_the_burn_in_on(tmp_path: Path) -> None:
    # a plateau at ln 10 is left at step 40: of the whole curve that would be the knee
    found = metrics_of(tmp_path, bent(knee_step=160, start=0.5))
    assert 40 / STEPS_PER_EPOCH <= found["burn_in_epoch"]["value"] < 4
    assert found["knee_epoch"]["value"] == pytest.approx(160 / STEPS_PER_EPOCH, rel=0.15)


def test_without_a_burn_in_there_is_no_knee_and_no_full_slope(tmp_path: Path) -> None:
    found = metrics_of(tmp_path, bent(knee_step=160, start=4.0))
    for name in ("knee_epoch", "alpha_full"):
        assert found[name]["value"] is None
        assert "no burn-in: the smoothed loss" in found[name]["reason"]
    assert found["r_squared"]["value"] is not None


def test_r_squared_has_its_smoothing_its_worth_and_the_raw_one_beside_it(tmp_path: Path) -> None:
    noisy = rows(0.5, noise=0.3)
    found = {name: metric["value"] for name, metric in metrics_of(tmp_path, noisy).items()}
    # 400 batches less the burn-in, one bin for 16 of them
    assert 15 <= found["r_squared_bins"] <= 24
    assert found["r_squared_raw"] < 0.8 < found["r_squared"]
    assert 50 < found["r_squared_effective_n"] <= 400


def test_every_metric_of_a_smoothed_curve_says_how_it_was_smoothed() -> None:
    told = {metric.name: metric.definition for metric in METRICS}
    assert "means over r_squared_bins bins" in told["r_squared"]
    assert "16 batches" in told["r_squared_bins"]
    assert "span windows.smoothing_steps" in told["burn_in_epoch"]
    assert "from the burn-in" in told["knee_epoch"]
    method = dict(report.methodology())
    assert "one for 16 batches" in method["Power law"]
    assert "exponentially weighted mean" in method["Burn-in and knee"]


def test_the_first_hypothesis_tells_smoothed_and_unsmoothed_fits_apart() -> None:
    values = {
        **dict.fromkeys(hypotheses.METRICS), "r_squared": 0.99, "r_squared_raw": 0.5,
        "r_squared_bins": 30.0, "r_squared_effective_n": 41.2,
    }  # fmt: skip
    found = hypotheses.power_law([Run("c1", {}, values)] * 3)
    assert (found["hits"], found["raw_hits"], found["raw_runs"]) == (3, 0, 3)
    summary = {"cells": [], "across": {"hypotheses": {"power_law": found}}}
    why = decisions.power_law(summary).why
    assert "(means over 30 bins, worth 41 independent points)" in why
    assert "unsmoothed 0 of 3 runs reach it" in why


def test_a_curve_that_is_no_power_law_is_foretold_badly_however_well_it_is_fitted() -> None:
    fits = [(0.98, -6.8), (0.98, 0.4), (0.98, None)]
    made = [
        Run(
            f"c{at}", {"lr": at},
            {**dict.fromkeys(hypotheses.METRICS), "r_squared": fit, "r_squared_holdout": held},
        )
        for at, (fit, held) in enumerate(fits)
    ]  # fmt: skip
    found = hypotheses.power_law(made)
    assert (found["hits"], found["held_out_runs"], found["foretold"]) == (3, 2, 1)
    summary = {"cells": [], "across": {"hypotheses": {"power_law": found}}}
    told = "on the held-out last fifth 0 of 2, which the law foretells better than its mean in 1."
    assert told in decisions.power_law(summary).why


def test_what_a_run_said_of_itself_and_its_final_weights_are_tables(tmp_path: Path) -> None:
    slope = {
        "type": "slope", "step": 5, "epoch": 0.25, "loss_slope": -0.5, "loss_slope_error": 0.1,
        "loss_slope_points": 5, "loss_slope_skipped": 0,
    }  # fmt: skip
    collate([a_run(tmp_path, [*rows(0.5), slope]).path], tmp_path / "out")
    found = {}
    for name in ("slopes", "weights"):
        with (tmp_path / "out/tables" / f"{name}.csv").open(newline="") as file:
            (found[name],) = csv.DictReader(file)
    assert (found["slopes"]["loss_slope"], found["slopes"]["loss_slope_points"]) == ("-0.5", "5")
    assert found["weights"]["sha256"] == "0" * 64
    assert float(found["weights"]["loss_val_all_nats"]) == pytest.approx(4 / math.sqrt(400) + 0.2)


def test_callbacks_count_as_often_as_they_failed(tmp_path: Path) -> None:
    # rows are written for the 1st, 2nd and 4th time
    failed = [
        {"type": "warning", "step": n, "callback": "curvature", "message": "no", "times": n}
        for n in (1, 2, 4)
    ]
    other = {"type": "warning", "step": 9, "callback": "noise", "message": "no", "times": 1}
    summary = collate([a_run(tmp_path, [*rows(0.5), *failed, other]).path], tmp_path / "o").summary
    assert summary["cells"][0]["details"]["warnings"] == 5


def test_tasks_at_the_same_time_are_told(tmp_path: Path) -> None:
    start = {
        "type": "attempt", "epoch_ns": 1, "pid": 1, "slot": 0,
        "neighbours": ["a" * 16, "b" * 16],
    }  # fmt: skip
    bundle = a_run(tmp_path, [start, *rows(0.5)])
    collate([bundle.path], tmp_path / "out")
    page = json.loads((tmp_path / "out/report.json").read_text())
    (told,) = [one for one in page["findings"] if one["title"].startswith("Resources of base")]
    assert "other tasks: up to 2 beside a run, one after the other or at once" in told["text"]
    assert "GPU utilisation and memory: not measured: its tasks ask for no GPU" in told["text"]


def test_the_cost_of_the_sweep_is_told_with_its_failures(tmp_path: Path) -> None:
    two = points(variants=["base"], lrs=[0.1], seeds=[0, 1])
    bundle = a_bundle(tmp_path, kind="training", points=two, repetitions=1)
    launch = bundle.run().launch()
    launch.complete(bundle.tasks[0], rows(0.5))
    launch.fail(bundle.tasks[1], category="diverged")
    launch.end()
    collate([bundle.path], tmp_path / "out")
    page = json.loads((tmp_path / "out/report.json").read_text())["one_page"]
    text = page["sweep_cost"]["text"]
    assert "from start to end" in text
    assert text.endswith("no GPU; 1 of 2 attempts failed (50 %)")


def test_a_rival_with_one_seed_does_not_take_the_best_ones_interval(tmp_path: Path) -> None:
    four = points(variants=["base"], lrs=[0.1, 0.2], seeds=[0, 1])
    bundle = a_bundle(tmp_path, kind="training", points=four, repetitions=1)
    launch = bundle.run().launch()
    for at, alpha in enumerate((0.5, 0.51, 0.4)):
        launch.complete(bundle.tasks[at], rows(alpha, seed=at, epochs=16))
    launch.end()
    collate([bundle.path], tmp_path / "out")
    answer = json.loads((tmp_path / "out/report.json").read_text())["one_page"][
        "best_operating_point"
    ]
    assert "n = 2" in answer["interval"]
    assert "It is not proven better than" in answer["why"]
