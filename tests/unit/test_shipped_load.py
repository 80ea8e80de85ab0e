"""The shipped load sweep: one point at a time, and a client that counts what it could not ask."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from specc.pipeline import check_spec

SPECS = Path(__file__).parents[2] / "specs"


def test_its_jobs_run_one_point_at_a_time() -> None:
    checked = check_spec(SPECS / "command-load.yaml")
    [shape] = checked.plan.shapes
    assert [problem.code for problem in checked.problems] == []
    assert (shape.slots, [len(shard.task_ids) for shard in shape.shards]) == (1, [6] * 5)


def test_its_client_counts_every_request_without_an_answer() -> None:
    asked = {"API_PORT": "1", "CONCURRENCY": "2", "WARM_UP_S": "0", "SECONDS": "0.3"}
    ended = subprocess.run(
        [sys.executable, "ask.py"],
        cwd=SPECS / "load",
        env={**os.environ, **{f"SPECC_{name}": value for name, value in asked.items()}},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    told = json.loads(ended.stdout)
    assert (told["requests_per_s"], told["error_pct"]) == (0.0, 100.0)
