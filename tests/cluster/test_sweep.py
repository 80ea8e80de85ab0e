"""A sweep from its spec to the data set: packed on a Slurm, disturbed, rerun, exported.

SWEEP_TASKS=216 asks for the whole of it; `make sweep` does.
"""

from __future__ import annotations

import csv
import json
import os
import time
from pathlib import Path

import pytest
from jobs import shell, specc, submitted
from slurm import Slurm
from sweep import KILLS, POISON, Sweep

FULL = os.environ.get("SWEEP_TASKS") == "216"
TASKS = 216 if FULL else 24
KEEP = os.environ.get("SWEEP_OUT")
"""Folder for the report and the data set; a temporary one unless given."""


@pytest.mark.timeout(3600 if FULL else 600)
def test_a_sweep_is_complete_but_for_the_run_that_diverged(slurm: Slurm, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    out = Path(KEEP) if KEEP else tmp_path / "out"
    sweep, started = Sweep(slurm, tmp_path, FULL), time.monotonic()
    bundle = sweep.compiled()
    sweep.run(bundle, seconds=3000 if FULL else 150)
    first_s = time.monotonic() - started
    # writes down what Slurm says of the jobs, while it still knows
    assert shell(slurm, "./status.sh", cwd=bundle).returncode in (0, 1)
    found = json.loads(specc("rerun", bundle, "--again", "--json"))
    again = [task for task in found["tasks"] if task["fate"] == "again"]
    assert {task["task_id"] for task in again} >= set(sweep.killed)
    child = Path(found["bundle"])
    (job,) = submitted(slurm, child, SPECC_PARENT=str(bundle))
    sweep.wait(job, seconds=120)
    made = json.loads(specc("collate", bundle, child, "--out", out / "report", "--json"))
    counts = made["completeness"]
    assert (counts["completed"], counts["failed"], counts["missing"]) == (TASKS - 1, 1, 0)
    summary = json.loads((out / "report" / "summary.json").read_text(encoding="utf-8"))
    (failure,) = summary["failures"]
    assert (failure["category"], failure["axes"]) == ("diverged", POISON)
    specc("export", bundle, child, "--out", out / "data", "--format", "dataset")
    with (out / "data" / "training-smoke.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 216
    assert sum(bool(row["best_val_ce"]) for row in rows) == TASKS - 1
    print(f"{TASKS} runs: {first_s:.0f} s, {KILLS} killed, {len(again)} run again, in {out}")
