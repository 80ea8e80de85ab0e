"""A bundle under Slurm against the same work as an array that a user writes by hand."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from measure import SPECC

sys.path.append(str(Path(__file__).resolve().parents[1] / "cluster"))
from slurm import Slurm, a_slurm, missing_programs, wait_until

TASKS = 216
SPEC = f"""\
schema_version: 1
name: sleeps
kind: command
matrix: {{axes: {{n: {{range: [1, {TASKS}]}}}}}}
settings: {{argv: [sleep, "0.1"]}}
task: {{cpus: 1, memory: 64MiB, estimate: 1s, time_limit: 1min}}
job: {{cpus_per_node: 16, time_limit: 10min, max_running: 4}}
"""
BY_HAND = f"""\
#!/bin/bash
#SBATCH --job-name=by-hand
#SBATCH --array=0-{TASKS - 1}
#SBATCH --ntasks=1 --cpus-per-task=1 --mem=64M --time=10
#SBATCH --output=/dev/null
sleep 0.1
"""


def _until_ended(slurm: Slurm, folder: Path, *command: str) -> float:
    """Submit, wait until Slurm has nothing left, and return the seconds it took."""
    started = time.perf_counter()
    subprocess.run(command, cwd=folder, env=slurm.environment, check=True, capture_output=True)
    done = wait_until(lambda: not slurm.ask("squeue", "-h").strip(), 120)
    assert done, slurm.ask("squeue")
    return time.perf_counter() - started


@pytest.mark.skipif(
    bool(missing_programs()) and os.environ.get("CI") != "true",
    reason="Slurm is not installed: sudo make test-deps",
)
def test_216_sleeps_as_a_bundle_and_by_hand(benchmark, figure, tmp_path: Path) -> None:
    spec, script = tmp_path / "spec.yaml", tmp_path / "by-hand.sbatch"
    spec.write_text(SPEC)
    script.write_text(BY_HAND)
    made = subprocess.run(
        [SPECC, "compile", spec, "--out", tmp_path], capture_output=True, text=True, check=True
    )
    bundle = Path(made.stdout.strip())
    ours, theirs = [], []
    with a_slurm(nodes=4, cpus=16) as slurm:
        for turn in range(3):
            theirs.append(_until_ended(slurm, tmp_path, "sbatch", str(script)))
            options = ("--fresh",) if turn else ()
            submit = (str(bundle / "submit.sh"), *options)
            if turn == 0:
                ours.append(
                    benchmark.pedantic(_until_ended, args=(slurm, bundle, *submit), rounds=1)
                )
            else:
                ours.append(_until_ended(slurm, bundle, *submit))
    told = subprocess.run(
        [SPECC, "status", bundle, "--run", "r3"], capture_output=True, text=True, check=True
    ).stdout
    assert "100 %" in told, told
    ratio = sorted(one / other for one, other in zip(ours, theirs, strict=True))[1]
    figure(
        f"{TASKS} x `sleep 0.1` on 64 fake CPUs, bundle against an array by hand",
        f"{ratio:.2f} x ({sorted(ours)[1]:.1f} s against {sorted(theirs)[1]:.1f} s)",
        "<= 1.5 x",
    )
    assert ratio <= 1.5
