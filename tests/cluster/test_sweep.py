"""A sweep from its spec to the data set: packed on a Slurm, disturbed, rerun, exported.

The form of 24 points; `make sweep` trains all 216 by the same code.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from slurm import Slurm
from sweep import KILLS, POISON, kept, train
from sweep_page import collated, dataset, page

pytest.importorskip("torch")

TASKS = 24


@pytest.mark.timeout(900)
def test_a_sweep_is_complete_but_for_the_run_that_diverged(slurm: Slurm, tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "out"
    made = train(slurm, run, full=False, seconds=600, say=print)
    assert kept(run) == made
    assert (made.tasks, len(made.killed)) == (TASKS, KILLS)
    found = collated(made, out)
    assert (found["completed"], found["failed"], found["missing"]) == (TASKS - 1, 1, 0)
    summary = json.loads((out / "report" / "summary.json").read_text(encoding="utf-8"))
    (failure,) = summary["failures"]
    assert (failure["category"], failure["axes"]) == ("diverged", POISON)
    rows = dataset(out)
    assert len(rows) == 216
    assert sum(bool(row["best_val_ce"]) for row in rows) == TASKS - 1
    text = page(made, out, found)
    assert f"{TASKS - 1} completed, 1 failed, 0 missing" in text
    for task, epochs in made.killed.items():
        assert f"`{task}` after {epochs} epoch" in text
