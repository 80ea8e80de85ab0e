"""Large runs: telling how far they are, resuming them, and getting tiny tasks through a pool."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from finished import finish
from measure import SPECC, a_bundle, cost

TASKS = 10_000


def _counts(bundle: Path) -> tuple[int, int]:
    """Return how many tasks are completed and how many failed, as `specc status` says."""
    told = subprocess.run(
        [SPECC, "status", bundle, "--json"], capture_output=True, text=True, check=True
    )
    found = json.loads(told.stdout)
    return found["completed"], found["failed"]


def test_status_of_a_large_run(benchmark, figure, tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "b", TASKS)
    finish(bundle, failed=20)
    assert _counts(bundle) == (TASKS - 20, 20)
    costs = []
    benchmark.pedantic(
        lambda: costs.append(cost(SPECC, "status", bundle)), rounds=5, warmup_rounds=1
    )
    best = min(costs, key=lambda each: each.wall_s)
    figure(
        f"`specc status` of {TASKS:,} tasks",
        f"{best.wall_s:.2f} s ({best.cpu_s:.2f} s CPU), {best.rss_mib:.0f} MiB",
        "<= 1 s",
    )


def test_resume_of_a_finished_run(benchmark, figure, tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "b", TASKS)
    finish(bundle)
    costs = []
    benchmark.pedantic(
        lambda: costs.append(cost("bash", "job.sbatch", "--here", cwd=bundle)),
        rounds=3,
        warmup_rounds=1,
    )
    reused = (bundle / "results/r1/1-cpu-0000/launch-002/events.jsonl").read_text()
    assert reused.count('"task_reused"') == TASKS
    best = min(costs, key=lambda each: each.wall_s)
    figure(
        f"resuming a finished run of {TASKS:,} tasks",
        f"{best.wall_s:.2f} s ({best.cpu_s:.2f} s CPU), {best.rss_mib:.0f} MiB",
        "<= 2 s",
    )


def test_tiny_tasks_through_one_pool(benchmark, figure, tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "b", TASKS, job="cpus_per_node: 2, ")
    found = benchmark.pedantic(
        cost, args=("bash", "job.sbatch", "--here"), kwargs={"cwd": bundle}, rounds=1
    )
    assert _counts(bundle) == (TASKS, 0)
    shutil.rmtree(bundle / "results")
    figure(
        f"{TASKS:,} times /bin/true through one pool with 2 slots",
        f"{TASKS / found.wall_s:.0f} tasks/s",
        ">= 60 tasks/s",
    )
