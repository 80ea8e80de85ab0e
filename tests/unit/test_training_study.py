"""What collate says of a training study: metrics of runs, hypotheses, use of GPUs, plots."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from results import a_bundle
from training_records import GIB, a_sweep, alpha_of, points, rows

from specc.collate.pipeline import collate
from specc.kinds.training import acceptance, hypotheses
from specc.kinds.training.pairing import Run

ONE = points(variants=["base"], lrs=[0.1], seeds=[0])


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collated study of 16 runs: 4 variants, 2 rates, 2 seeds."""
    root = tmp_path_factory.mktemp("sweep")
    collate([a_sweep(root).path], root / "out")
    return root / "out"


@pytest.fixture(scope="module")
def summary(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "summary.json").read_text())
    return found


def of_one(tmp_path: Path, records: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
    """Return the metrics of a study of one run."""
    bundle = a_bundle(tmp_path, kind="training", points=ONE, repetitions=1, **options)
    bundle.run().launch().complete(bundle.tasks[0], records)
    summary = collate([bundle.path], tmp_path / "out").summary
    metrics: dict[str, Any] = summary["cells"][0]["metrics"]
    return metrics


def runs(values: list[tuple[str, float, float, float | None]]) -> list[Run]:
    """Return runs from (configuration, alpha_early, best_val_ce, r_squared)."""
    return [
        Run(
            f"c{at}",
            {"variant": name[0], "lr": name, "seed": at},
            {
                **dict.fromkeys(hypotheses.METRICS),
                **{"alpha_early": slope, "best_val_ce": loss, "r_squared": fit},
                "r_squared_holdout": fit,
            },
        )
        for at, (name, slope, loss, fit) in enumerate(values)
    ]


def test_a_power_law_gives_its_exponent_as_slope(summary: dict[str, Any]) -> None:
    cell = next(
        c for c in summary["cells"] if (c["axes"]["variant"], c["axes"]["lr"]) == ("base", 0.1)
    )
    # the first of its seeds
    values = {name: (metric["run_values"] or [None])[0] for name, metric in cell["metrics"].items()}
    assert values["alpha_early"] == pytest.approx(-0.5, abs=0.03)
    assert values["alpha_full"] == pytest.approx(-0.5, abs=0.02)
    assert values["r_squared"] > 0.98
    # 4 / sqrt(step) is 1.0 at step 16, and an average of span 10 lags some five steps behind
    assert 0.8 < values["burn_in_epoch"] < 1.2
    assert values["best_val_ce"] == pytest.approx(4 / 400**0.5 + 0.1)
    assert values["best_val_epoch"] == 20
    assert values["duration_min"] == pytest.approx(10)
    assert values["callback_share_pct"] == pytest.approx(25)
    assert (values["lambda_max_final"], values["hutchinson_trace_final"]) == (14.0, 50.0)
    assert values["final_val_ce"] == pytest.approx(4 / 400**0.5 + 0.2)
    assert values["final_val_accuracy"] == 0.8


def test_what_could_not_be_measured_has_its_reason(tmp_path: Path) -> None:
    found = of_one(tmp_path, rows(0.5, epochs=8))
    early, memory = found["alpha_early"], found["gpu_memory_bytes"]
    assert (early["value"], memory["value"]) == (None, None)
    assert "ends at epoch 8, before the window does (15)" in early["reason"]
    assert "the task runs on the CPU" in memory["reason"]


def test_a_run_without_rows_has_reasons_and_no_numbers(tmp_path: Path) -> None:
    found = of_one(tmp_path, [rows(0.5)[0]])
    assert [metric["value"] for metric in found.values()] == [None] * len(found)
    assert "no batch was recorded" in found["r_squared"]["reason"]


def test_losses_that_are_null_leave_the_rest_of_the_curve(tmp_path: Path) -> None:
    records = rows(0.5)
    for record in records[:50:7]:
        if record["type"] == "batch":
            record["loss_train_nats"] = None
    assert of_one(tmp_path, records)["alpha_full"]["value"] == pytest.approx(-0.5, abs=0.02)


def test_the_share_of_good_fits_has_wilsons_interval() -> None:
    found = hypotheses.power_law(runs([("a", -1.0, 0.1, 0.99)] * 9 + [("a", -1.0, 0.1, None)]))
    assert (found["hits"], found["trials"], found["without_fit"]) == (9, 10, 1)
    assert found["low"] == pytest.approx(0.5958, abs=1e-3)
    assert found["verdict"] == "UNDECIDED"


@pytest.mark.parametrize(("fit", "verdict"), [(0.98, "MET"), (0.97, "NOT_MET"), (None, "NOT_MET")])
def test_hundred_runs_decide_the_first_hypothesis(fit: float | None, verdict: str) -> None:
    assert hypotheses.power_law(runs([("a", -1.0, 0.1, fit)] * 100))["verdict"] == verdict


def test_runs_that_diverged_or_are_missing_could_have_been_misses() -> None:
    fits = runs([("a", -1.0, 0.1, 0.99)] * 195)
    assert hypotheses.power_law(fits)["verdict"] == "MET"
    found = hypotheses.power_law(fits, 21)
    # 195 of 216 are 90.3 %, and Wilson's interval begins at 85.6 %
    assert (found["without_result"], found["verdict"]) == (21, "UNDECIDED")
    assert found["worst"] == pytest.approx(0.9028, abs=1e-4)
    misses = runs([("a", -1.0, 0.1, 0.5)] * 90)
    assert hypotheses.power_law(misses, 9)["verdict"] == "NOT_MET"
    assert hypotheses.power_law(misses, 900)["verdict"] == "UNDECIDED"


def test_seeds_that_fail_together_are_no_independent_runs() -> None:
    bad = [("c00", -1.0, 0.1, 0.5)] * 6
    good = [(f"c{at:02d}", -1.0, 0.1, 0.99) for at in range(1, 36) for _ in range(6)]
    together = hypotheses.power_law(runs(bad + good))
    # 210 of 216: Wilson's interval of as many independent runs begins at 94.1 %
    assert together["low"] == pytest.approx(0.941, abs=1e-3)
    assert together["clustered"]["low"] == pytest.approx(0.851, abs=2e-3)
    assert together["verdict"] == "UNDECIDED"


def test_slopes_and_losses_that_rise_together_meet_the_second_hypothesis() -> None:
    values = [
        (f"{name}{lr}", -1 + 0.1 * at + 0.01 * lr + 0.002 * seed,
         0.1 + 0.2 * at + 0.03 * lr - 0.004 * seed, 0.99)
        for at, name in enumerate("abcd")
        for lr in range(3)
        for seed in range(3)
    ]  # fmt: skip
    found = hypotheses.early_slope(runs(values))
    assert found["verdict"] == "MET"
    assert (found["spearman"]["n"], found["spearman"]["clusters"]) == (36, 12)
    assert set(found["by_variant"]) == set("abcd")
    turned = [(name, -slope, loss, fit) for name, slope, loss, fit in values]
    assert hypotheses.early_slope(runs(turned))["verdict"] == "NOT_MET"


def test_spread_is_shared_out_among_variants_configurations_and_seeds() -> None:
    values = [("a1", 1.0), ("a1", 3.0), ("a2", 3.0), ("a2", 5.0), ("b1", 7.0), ("b1", 9.0)]
    found = hypotheses.spread(runs([(name, -1.0, loss, 0.99) for name, loss in values]))
    # by hand: mean 28/6; variants 3 and 8; configurations 2, 4 and 8
    total = sum((loss - 28 / 6) ** 2 for _, loss in values)
    assert found["variants_pct"] == pytest.approx(
        100 * (4 * (3 - 28 / 6) ** 2 + 2 * (8 - 28 / 6) ** 2) / total
    )
    assert found["configurations_pct"] == pytest.approx(100 * 4 / total)
    assert found["seeds_pct"] == pytest.approx(100 * 6 / total)
    assert found["seed_sd"] == pytest.approx((6 / 3) ** 0.5)


def test_seeds_of_one_configuration_share_out_no_variance() -> None:
    found = hypotheses.spread(runs([("a1", -1.0, 1.0, 0.99), ("a1", -1.0, 3.0, 0.99)]))
    assert found["reason"] == "all runs with a value are of one configuration"
    found = hypotheses.spread(runs([("a1", -1.0, 1.0, 0.99), ("a2", -1.0, 3.0, 0.99)]))
    assert found["reason"] == "no configuration has two runs with a value"


def test_the_first_page_answers_both_hypotheses(out: Path) -> None:
    page = json.loads((out / "report.json").read_text())["one_page"]
    assert page["h1_power_law"]["text"].startswith("100 % of runs (16 of 16)")
    # sixteen of sixteen leave the interval below the goal: 80.6 %
    assert page["h1_power_law"]["verdict"] == "UNDECIDED"
    assert page["h2_early_slope"]["text"].startswith("rho(alpha_early, best_val_ce) = 0.9")
    complete = page["sweep_complete"]
    assert (complete["text"], complete["verdict"]) == (
        "16 of 16 runs, 16 with R² and both slopes", "MET",
    )  # fmt: skip


def test_curves_are_those_of_each_variants_best_configuration(summary: dict[str, Any]) -> None:
    best = summary["across"]["best_configurations"]
    assert {name: json.loads(text)["lr"] for name, text in best.items()} == dict.fromkeys(
        ("base", "bn_off", "narrow", "adamw"), 0.1
    )
    curve = summary["across"]["curves"]["loss_val"]
    ends = {row["variant"]: row for row in curve}
    assert {row["seeds"] for row in curve} == {2}
    assert ends["base"]["epoch"] == pytest.approx(20)
    assert ends["base"]["low"] < ends["base"]["mean"] < ends["base"]["high"]


def test_every_plot_of_the_study_is_drawn(out: Path) -> None:
    drawn = {path.stem for path in (out / "plots").glob("*.png")}
    assert drawn == {
        "loss_train", "loss_val", "lambda_max", "slope_against_loss", "best_loss_by_lr_and_wd",
        "power_law_fits", "seeds_against_variants",
    }  # fmt: skip
    told = json.loads((out / "report.json").read_text())["plots"]
    # the slides show the first four
    first = [Path(one).stem for one in told[:4]]
    assert first == ["power_law_fits", "slope_against_loss", "loss_train", "loss_val"]
    text = (out / "report.md").read_text()
    assert "no data" not in text
    title = re.search(r"Lowest loss: adamw, lr 0.1, weight decay 0.0001: ([0-9.]+) nats", text)
    # the number of the map is the one that the best configuration has in the tables
    best = json.loads((out / "report.json").read_text())["one_page"]["best_operating_point"]
    assert title is not None
    assert best["text"].endswith(f": {title[1]} nats")


def test_a_study_of_failed_runs_says_so_everywhere(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path, kind="training", points=ONE, repetitions=1)
    bundle.run().launch().fail(bundle.tasks[0], category="diverged")
    collate([bundle.path], tmp_path / "out")
    page = json.loads((tmp_path / "out/report.json").read_text())["one_page"]
    assert page["h1_power_law"] == {"text": None, "reason": "no run was completed"}
    assert (page["sweep_complete"]["text"], page["sweep_complete"]["verdict"]) == (
        "0 of 1 runs, 0 with R² and both slopes",
        "NOT_MET",
    )


def test_points_without_a_result_stand_there_once_for_all_seeds(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path, kind="training", points=points(["base"]), repetitions=1)
    launch = bundle.run().launch()
    for task in bundle.tasks:
        if task["axes"]["lr"] == 0.1:
            launch.complete(task, rows(0.5))
    launch.end()
    collate([bundle.path], tmp_path / "out")
    told = (tmp_path / "out/report.md").read_text().partition("### Points without a result")[2]
    lines = [line for line in told.partition("## Methodology")[0].splitlines() if "never" in line]
    first, second = (task["task_id"] for task in bundle.tasks if task["axes"]["lr"] == 0.05)
    (line,) = lines
    assert line.split(" | ")[0] == "| variant base, lr 0.05, weight decay 0.0001"
    assert line.endswith(f" | 2 | never started | {first}, {second} |")


def test_a_diverged_run_is_told_beside_both_hypotheses(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path, kind="training", points=points(), repetitions=1)
    launch = bundle.run().launch()
    for task in bundle.tasks[1:]:
        launch.complete(task, rows(alpha_of(task["axes"]), seed=task["axes"]["seed"]))
    launch.fail(bundle.tasks[0], category="diverged")
    launch.end()
    collate([bundle.path], tmp_path / "out")
    page = json.loads((tmp_path / "out/report.json").read_text())["one_page"]
    first, second = page["h1_power_law"]["why"], page["h2_early_slope"]["why"]
    told = "without a result: 1, 1 of them diverged; with each a miss it would be 93.8 %"
    assert told in first
    assert "rho above 0 says that a steeper early fall ends lower" in second
    assert second.endswith("Left out because they diverged, failed or lack a value: 1.")


def an_acceptance(**changes: Any) -> dict[str, str | None]:
    """Return the checks of one variant whose two runs share a GPU of 48 GiB."""
    used = {"gpu_util_pct": 85.0, "gpu_total_bytes": 48 * GIB, **changes.pop("used", {})}
    minutes, memory = changes.pop("minutes", 25.0), changes.pop("memory", 6 * GIB)
    summary = {
        "cells": [
            {
                "cell": "c0001", "axes": {"variant": "base"}, "condition_id": "x",
                "repetitions": {"expected": 2, "completed": 2, "failed": 0},
                "details": {"neighbours": 1},
                "metrics": {
                    "duration_min": {"run_values": [minutes]},
                    "gpu_memory_bytes": {"run_values": [memory]},
                },
            }
        ],
        "failures": changes.pop("failures", []),
        "bundles": [{"bundle_id": "b", "shapes": [{"name": "s", "condition_id": "x"}]}],
        "right_sizing": [
            {"bundle_id": "b", "shape": "s", "asked": {"gpus": 0.5}, "used": used, "reasons": {}}
        ],
    }  # fmt: skip
    (found,) = acceptance.by_variant(summary)
    return {"all": found.verdict, **{check.name: check.verdict for check in found.checks}}


def test_a_variant_within_all_limits_is_accepted() -> None:
    found = an_acceptance()
    # how many ran beside it is told, and no limit
    assert found.pop("other tasks") is None
    assert set(found.values()) == {"MET"}


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("longest run", {"minutes": 30.0}),
        ("GPU utilisation", {"used": {"gpu_util_pct": 80.0}}),
        ("GPU memory", {"memory": 25 * GIB}),
        # what was sampled of the whole GPU counts as well
        ("GPU memory", {"used": {"gpu_memory_bytes": 49 * GIB}}),
        ("out of memory", {"failures": [{"category": "oom_gpu", "axes": {"variant": "base"}}]}),
    ],
)
def test_a_variant_beyond_one_limit_is_not(name: str, changes: dict[str, Any]) -> None:
    found = an_acceptance(**changes)
    assert [check for check, verdict in found.items() if verdict == "NOT_MET"] == ["all", name]


def test_what_was_not_measured_leaves_a_variant_undecided() -> None:
    found = an_acceptance(used={"gpu_util_pct": None})
    assert (found["all"], found["GPU utilisation"]) == ("UNDECIDED", "UNDECIDED")
