"""Collate of a study of many small tasks: what programs read, and all documents."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from finished import finish
from measure import SPECC, Cost, a_bundle, cost

TASKS = 10_000
# the part without plots and pages has no verb of its own
DATA_ONLY = """
import sys
from pathlib import Path
from specc.collate.memory import keep_memory
keep_memory()  # as the command does
from specc.collate.pipeline import collate_data
collate_data([Path(sys.argv[1])], Path(sys.argv[2]))
"""


def _best(costs: list[Cost]) -> str:
    best = min(costs, key=lambda each: each.wall_s)
    return f"{best.wall_s:.2f} s ({best.cpu_s:.2f} s CPU), {best.rss_mib:.0f} MiB"


def test_collate_of_many_tasks(benchmark, figure, tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "b", TASKS)
    finish(bundle)
    data, out = tmp_path / "data", tmp_path / "out"
    costs: list[Cost] = []
    benchmark.pedantic(
        lambda: costs.append(cost(sys.executable, "-c", DATA_ONLY, bundle, data)),
        rounds=3,
        warmup_rounds=1,
    )
    told = json.loads((data / "summary.json").read_text())["completeness"]
    assert (told["expected"], told["completed"]) == (TASKS, TASKS)
    figure(f"tables and summary of {TASKS:,} tasks, interpreter included", _best(costs), "<= 2 s")
    whole = [cost(SPECC, "collate", bundle, "--out", out) for _ in range(2)]
    mib = (out / "report.html").stat().st_size / 2**20
    told = f"{_best(whole)}, {mib:.1f} MiB of HTML"
    figure(f"`specc collate` of {TASKS:,} tasks, all documents", told, "<= 5 s")
