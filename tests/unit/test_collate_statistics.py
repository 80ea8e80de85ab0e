"""Percentiles over runs, nodes and company on a node, from results to the summary."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from results import ABundle, a_bundle, metric
from scipy import stats

from specc.collate.pipeline import collate_data
from specc.reporting.sections import influences

ROOT = Path(__file__).parents[2]


def values(n: int, *, seed: int, scale: float = 1.0) -> list[float]:
    drawn = scale * np.random.default_rng(seed).lognormal(0, 0.2, n)
    return [float(value) for value in drawn]


def rows(numbers: list[float]) -> list[dict[str, Any]]:
    return [metric("t", value, index=n) for n, value in enumerate(numbers)]


def summary_of(bundle: ABundle, out: Path) -> Any:
    """Collate, and hold what is tested here against the schema."""
    summary = collate_data([bundle.path], out).summary
    schema = json.loads((ROOT / "schema/contract/summary.schema.json").read_text())
    names = ("cells", "verdict_groups", "nodes", "order_effects")
    part = {
        "$defs": schema["$defs"],
        "properties": {name: schema["properties"][name] for name in names},
        "required": list(names),
    }
    jsonschema.validate(json.loads(json.dumps(summary)), part)
    return summary


def a_study(root: Path, *, repetitions: int, n: int) -> ABundle:
    bundle = a_bundle(root, points=[{"size": 1}], repetitions=repetitions)
    launch = bundle.run().launch()
    for number, task in enumerate(bundle.tasks):
        launch.complete(task, rows(values(n, seed=number)))
    return bundle


def test_a_percentile_has_an_interval_over_runs(tmp_path: Path) -> None:
    summary = summary_of(a_study(tmp_path, repetitions=4, n=400), tmp_path / "out")
    found = summary["cells"][0]["metrics"]["t"]["statistics"]["p99"]
    each = [float(np.percentile(values(400, seed=k), 99)) for k in range(4)]
    logs = np.log(each)
    low, high = np.exp(stats.t.interval(0.95, 3, loc=logs.mean(), scale=stats.sem(logs)))
    assert found["run_values"] == pytest.approx(each)
    assert (found["low"], found["high"]) == pytest.approx((low, high))
    assert (found["n"], found["interval_method"], found["within_run"]) == (
        4, "t on log values", None,
    )  # fmt: skip


def test_runs_too_small_for_a_percentile_have_none_though_all_together_have(
    tmp_path: Path,
) -> None:
    summary = summary_of(a_study(tmp_path, repetitions=4, n=100), tmp_path / "out")
    found = summary["cells"][0]["metrics"]["t"]
    assert found["distribution"]["p99"] is not None
    assert found["statistics"]["p99"]["value"] is None
    assert found["statistics"]["p99"]["reason"].startswith(
        "4 of 4 runs: needs 299 independent samples, has "
    )


def test_a_p999_needs_2995_samples(tmp_path: Path) -> None:
    summary = summary_of(a_study(tmp_path, repetitions=1, n=2994), tmp_path / "out")
    found = summary["cells"][0]["metrics"]["t"]["distribution"]
    assert found["p99.9"] is None
    assert found["refused"]["p99.9"].startswith("needs 2995 independent samples, has 29")


def test_one_run_bounds_its_own_percentile_and_no_other(tmp_path: Path) -> None:
    summary = summary_of(a_study(tmp_path, repetitions=1, n=1000), tmp_path / "out")
    found = summary["cells"][0]["metrics"]["t"]["statistics"]["p95"]
    assert (found["low"], found["high"]) == (None, None)
    assert found["interval_reason"] == "one run: an interval needs at least two repetitions"
    within = found["within_run"]
    assert within["low"] < found["value"] < within["high"]
    assert within["method"] == "order statistics, within one run"


def on_nodes(root: Path, *, slow: float, jobs: int = 6) -> ABundle:
    """Return a study of three points whose repetitions ran in as many jobs, on two nodes."""
    bundle = a_bundle(root, points=[{"size": n} for n in (1, 2, 4)], repetitions=jobs)
    run = bundle.run()
    rng = np.random.default_rng(5)
    for job in range(jobs):
        launch = run.launch(host=f"node-{job % 2 + 1}")
        for task in (each for each in bundle.tasks if each["repetition"] == job):
            factor = slow if job % 2 else 1.0
            value = task["axes"]["size"] * factor * float(rng.lognormal(0, 0.01))
            launch.complete(task, [metric("t", value)])
    return bundle


def test_a_slow_node_is_flagged_with_its_effect(tmp_path: Path) -> None:
    summary = summary_of(on_nodes(tmp_path, slow=1.2), tmp_path / "out")
    found = {one["host"]: one for one in summary["nodes"] if one["metric"] == "t"}
    assert found["node-2"]["effect_pct"] == pytest.approx(9.5, abs=1)
    assert found["node-2"]["significant"]
    assert found["node-2"]["text"].startswith("node-2: +")
    assert (found["node-1"]["jobs"], found["node-1"]["cells"]) == (3, ["c0001", "c0002", "c0003"])
    assert summary["cells"][0]["hosts"] == ["node-1", "node-2"]


def test_a_report_warns_of_a_slow_node(tmp_path: Path) -> None:
    summary = summary_of(on_nodes(tmp_path, slow=1.2), tmp_path / "out")
    told = influences.warnings(summary)
    assert len(told) == 1
    assert told[0].startswith("t depends on more than the point: node-1: −")


def test_equal_nodes_are_not_flagged(tmp_path: Path) -> None:
    summary = summary_of(on_nodes(tmp_path, slow=1.0), tmp_path / "out")
    assert [one["significant"] for one in summary["nodes"]] == [False] * len(summary["nodes"])
    assert len(summary["nodes"]) >= 2


def test_two_jobs_tell_nothing_of_two_nodes_and_say_so(tmp_path: Path) -> None:
    summary = summary_of(on_nodes(tmp_path, slow=1.2, jobs=2), tmp_path / "out")
    assert summary["nodes"][0]["effect_pct"] is None
    assert summary["nodes"][0]["reason"].startswith("one job on each node")


def test_on_one_node_there_is_nothing_to_say_of_nodes(tmp_path: Path) -> None:
    summary = summary_of(a_study(tmp_path, repetitions=3, n=50), tmp_path / "out")
    assert summary["nodes"] == []


def test_values_that_rise_through_the_job_are_flagged(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path, points=[{"size": n} for n in (1, 2, 4)], repetitions=5)
    launch = bundle.run().launch()
    last = len(bundle.tasks) - 1
    for task in bundle.tasks:
        grown = task["axes"]["size"] * (1 + 0.3 * task["position"] / last)
        launch.complete(task, [metric("t", grown)])
    found = summary_of(bundle, tmp_path / "out")["order_effects"][0]
    assert found["significant"]
    assert found["change_pct"] == pytest.approx(30, abs=6)


def test_a_job_on_a_part_of_a_node_shared_it(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path, points=[{"size": 1}], repetitions=2)
    launch = bundle.run().launch(
        slurm={"SLURM_JOB_ID": "7", "SLURM_CPUS_ON_NODE": "2"},
        hardware={"cpu": {"model": "x", "threads": 64}, "gpus": []},
    )
    for number, task in enumerate(bundle.tasks):
        launch.complete(task, [metric("t", 1 + number / 100)])
    summary = summary_of(bundle, tmp_path / "out")
    cell = summary["cells"][0]
    assert (cell["verdict"], cell["verdict_causes"]) == (
        "SHARED_NODE",
        [{"verdict": "SHARED_NODE",
          "reason": "the job had 2 of 64 CPUs and had not asked for the node alone"}],
    )  # fmt: skip
    assert summary["verdict_groups"][0]["text"] == (
        "1 point SHARED_NODE: the job had 2 of 64 CPUs and had not asked for the node alone"
    )
    assert cell["metrics"]["process.max_rss_bytes"]["verdict"] in ("VALID", "NO_DATA")


def test_slurm_s_word_that_a_job_was_alone_counts(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path, points=[{"size": 1}], repetitions=2)
    run = bundle.run()
    launch = run.launch(
        slurm={"SLURM_JOB_ID": "7", "SLURM_CPUS_ON_NODE": "2"},
        hardware={"cpu": {"model": "x", "threads": 64}, "gpus": []},
    )
    for number, task in enumerate(bundle.tasks):
        launch.complete(task, [metric("t", 1 + number / 100)])
    words = run.path / "slurm" / "7.scontrol.txt"
    words.parent.mkdir()
    words.write_text(
        "JobId=7 JobName=x JobState=COMPLETED NumNodes=1 OverSubscribe=NO Contiguous=0\n"
    )
    assert summary_of(bundle, tmp_path / "out")["cells"][0]["verdict"] == "VALID"
