"""A run on a real Slurm whose processes and nodes are killed at random ends complete.

SOAK_KILLS asks for more than the few of every test run; `make soak` does.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from jobs import compiled
from slurm import Slurm
from soak import SPEC, Soak

KILLS = int(os.environ.get("SOAK_KILLS", "15"))
SEED = int(os.environ.get("SOAK_SEED", "1"))


def test_nothing_completed_is_lost_or_doubled(slurm: Slurm, tmp_path: Path) -> None:
    bundle = compiled(tmp_path, SPEC.format(tasks=160, elements=4))
    soak = Soak(slurm, bundle, tmp_path / "ledger", SEED)
    soak.start()
    end = time.monotonic() + 10 * KILLS
    while sum(soak.kills.values()) < KILLS and time.monotonic() < end:
        soak.strike()
    assert soak.finish(seconds=90), soak.situation()
    told = f"{soak.runs} runs, {len(soak.jobs)} submissions, {soak.ghosts} ghosts cancelled"
    print(f"seed {SEED}: {dict(soak.kills)}, {told}")
    assert soak.complaints == []
    assert sum(soak.kills.values()) >= KILLS, "time was over before enough was killed"
