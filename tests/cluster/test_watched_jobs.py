"""What `specc status` tells of jobs in a real queue, at the desk and on the cluster."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jobs import SPECC, awaited, compiled, shell, states, submitted
from slurm import Slurm, wait_until


def asked(slurm: Slurm, bundle: Path) -> dict[str, Any]:
    """Ask for the status as a user on the login node does."""
    ended = shell(slurm, SPECC, "status", bundle, "--json", cwd=bundle)
    assert ended.returncode == 0, ended.stderr
    loaded: dict[str, Any] = json.loads(ended.stdout)
    return loaded


def shards(status: dict[str, Any]) -> list[str]:
    return [shard["state"] for shard in status["shards"]]


@pytest.fixture
def gated(slurm: Slurm, tmp_path: Path) -> tuple[Path, str, Path]:
    """Three shards, of which the last two run until the file is there; bundle, job, file."""
    bundle, gate = compiled(tmp_path), tmp_path / "gate"
    (job,) = submitted(slurm, bundle, GATE=str(gate))
    assert wait_until(lambda: states(slurm, job).get(0) == "COMPLETED", 30)
    assert wait_until(lambda: asked(slurm, bundle)["running"] == 2, 30)
    return bundle, job, gate


def test_running_shards_name_their_job_and_node(
    slurm: Slurm, gated: tuple[Path, str, Path]
) -> None:
    bundle, job, gate = gated
    status = asked(slurm, bundle)
    assert shards(status) == ["done", "running", "running"]
    assert [shard["job"] for shard in status["shards"]] == [f"{job}_{n}" for n in range(3)]
    assert {shard["node"] for shard in status["shards"][1:]} <= set(slurm.nodes)
    assert [slot["shard_id"] for slot in status["slots"]] == ["1-cpu-0001", "1-cpu-0002"]
    gate.touch()
    awaited(slurm, job)
    assert shards(asked(slurm, bundle)) == ["done"] * 3


def test_a_copy_away_from_the_cluster_calls_running_shards_unknown(
    slurm: Slurm, gated: tuple[Path, str, Path], tmp_path: Path
) -> None:
    bundle, job, gate = gated
    copy = tmp_path / "laptop"
    shutil.copytree(bundle, copy, ignore=shutil.ignore_patterns("lease"))
    ended = subprocess.run(
        [SPECC, "status", copy, "--json"], env={"PATH": "/usr/bin-without-slurm"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    status = json.loads(ended.stdout)
    assert shards(status) == ["done", "unknown", "unknown"]
    assert (status["running"], status["unknown"]) == (0, 2)
    assert status["queue"]["silence"] == "there is no squeue on this machine"
    gate.touch()
    awaited(slurm, job)


def test_a_cancelled_element_is_stopped_and_says_so(
    slurm: Slurm, gated: tuple[Path, str, Path]
) -> None:
    bundle, job, gate = gated
    slurm.ask("scancel", f"{job}_1")
    assert wait_until(lambda: states(slurm, job)[1] == "CANCELLED", 30)
    gate.touch()
    awaited(slurm, job)
    status = asked(slurm, bundle)
    assert shards(status) == ["done", "stopped", "done"]
    assert "CANCELLED" in status["shards"][1]["detail"]
    assert (status["completed"], status["stopped"], status["failed"]) == (2, 1, 0)


def test_watching_without_a_terminal_waits_for_the_end(
    slurm: Slurm, gated: tuple[Path, str, Path]
) -> None:
    bundle, _, gate = gated
    watcher = subprocess.Popen(
        [SPECC, "status", "--watch", bundle], env=slurm.environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert watcher.stdout is not None
    assert "33 % of 3 tasks" in watcher.stdout.readline()
    gate.touch()
    rest, _ = watcher.communicate(timeout=60)
    assert watcher.returncode == 0
    assert "100 % of 3 tasks" in rest.splitlines()[-1]


def test_one_task_by_hand_has_the_devices_of_its_allocation(slurm: Slurm, tmp_path: Path) -> None:
    bundle = compiled(tmp_path, DEVICES)
    task = json.loads((bundle / "tasks.jsonl").read_text().splitlines()[0])["task_id"]
    script = bundle / "job.sbatch"
    ended = shell(slurm, "srun", "--gpus=1", "bash", script, "--task", task, "--print", cwd=bundle)
    assert ended.returncode == 0, ended.stderr
    runs_in = json.loads(ended.stdout)["runs_in"]
    assert runs_in["slot"]["gpu"] == "0"
    assert runs_in["variables"]["CUDA_VISIBLE_DEVICES"] == "0"
    assert not list((bundle / "results").glob("r1/*/launch-*"))


def test_a_shell_in_an_allocation_has_its_terminal_and_devices(
    slurm: Slurm, tmp_path: Path
) -> None:
    bundle, told, user = compiled(tmp_path, DEVICES), tmp_path / "told", tmp_path / "user"
    user.write_text(
        f'#!/bin/sh\ntest -t 0 && echo "$CUDA_VISIBLE_DEVICES $SPECC_TASK_ID" >"{told}"\nexit 7\n'
    )
    user.chmod(0o755)
    task = json.loads((bundle / "tasks.jsonl").read_text().splitlines()[0])["task_id"]
    spawn = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
    ended = shell(
        slurm, sys.executable, "-c", spawn, "salloc", "--gpus=1",
        "bash", bundle / "job.sbatch", "--task", task, "--shell", cwd=bundle, SHELL=str(user),
    )  # fmt: skip
    assert ended.returncode == 7, ended.stdout + ended.stderr
    assert told.read_text() == f"0 {task}\n"


DEVICES = """\
schema_version: 1
name: device
kind: command
settings: {argv: [/bin/true]}
task: {cpus: 1, memory: 64MiB, gpus: 1, estimate: 1min, time_limit: 1min}
job: {time_limit: 90s}
"""
