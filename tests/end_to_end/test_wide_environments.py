"""Ranks on nodes that share no disk for environments: each node builds and enters its own.

A stand-in for srun starts the nodes' processes on this machine, each with another SPECC_ENV_DIR.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from wheelhouse import TOY, compiled, node

SRUN = """#!/bin/bash
case "$*" in *--overlap*) wide=yes ;; *) wide=no ;; esac
printf '%s\\n' "$*" >>"$LOG"
while [ "${1#--}" != "$1" ]; do shift; done
if [ "$wide" = no ]; then exec "$@"; fi
for number in 0 1; do
    export SLURM_NODEID=$number SLURMD_NODENAME=127.0.0.$((number + 1))
    SPECC_ENV_DIR=$HOME/disk-$number "$@" &
    pids="${pids:-} $!"
done
code=0
for pid in $pids; do wait "$pid" || code=$?; done
exit "$code"
"""


def test_each_node_builds_and_enters_an_environment_of_its_own(tmp_path: Path) -> None:
    bundle = compiled(tmp_path, TOY, "when: [{if: {n: {ge: 1}}, set: {task.nodes: 2}}]\n")
    env = node(
        tmp_path,
        SLURM_JOB_ID="4711",
        SLURM_JOB_NODELIST="127.0.0.[1-2]",
        SLURM_JOB_CPUS_PER_NODE="4(x2)",
        SLURM_JOB_NUM_NODES="2",
        SLURMD_NODENAME="127.0.0.1",
    )
    srun = tmp_path / "bin" / "srun"
    srun.write_text(SRUN)
    srun.chmod(0o755)
    ended = subprocess.run(
        ["bash", "job.sbatch", "--shard", "0"], cwd=bundle, env=env,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    prefixes = [prefix(tmp_path / name) for name in ("environments", "disk-0", "disk-1")]
    assert all(path.is_file() for path in prefixes), prefixes
    step = next(line for line in (tmp_path / "log").read_text().splitlines() if "overlap" in line)
    assert step.startswith(
        "--overlap --nodes=2 --ntasks=2 --ntasks-per-node=1 --nodelist=127.0.0.1,127.0.0.2 --mem=0"
    )
    assert "--cpus-per-task=4 " in step
    (first, *_) = sorted(bundle.glob("results/r1/*/launch-001/records.0.*.rank0.jsonl"))
    answers = [json.loads(line) for line in first.read_text().splitlines()]
    assert [row["value"] for row in answers if row["type"] == "metric"] == [42]


def prefix(root: Path) -> Path:
    """The file that says which environment below a root is ready."""
    (found,) = root.glob("*/ready")
    return found
