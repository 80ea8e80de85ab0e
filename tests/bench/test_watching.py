"""Large runs: telling how far they are, resuming them, and getting tiny tasks through a pool."""

from __future__ import annotations

import shutil
from pathlib import Path

from finished import finish
from measure import SPECC, a_bundle, cost

TASKS = 10_000


def test_status_of_a_large_run(benchmark, figure, tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "b", TASKS)
    finish(bundle, failed=20)
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
    shutil.rmtree(bundle / "results")
    figure(
        f"{TASKS:,} times /bin/true through one pool with 2 slots",
        f"{TASKS / found.wall_s:.0f} tasks/s",
        ">= 60 tasks/s",
    )
