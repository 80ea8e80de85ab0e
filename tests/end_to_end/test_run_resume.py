"""`specc run`, Ctrl-C, `specc run` again: exactly what is left is run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from path import SPECC, compiled, specc, specc_json

# the second task waits until the file is there
GATED = """\
schema_version: 1
name: gated
kind: command
matrix:
  axes: {n: [1, 2, 3]}
repetitions: {order: sequential}
settings:
  script: |
    if [ "$n" = 2 ]; then until [ -e "$GATE" ]; do sleep 0.05; done; fi
    [ "$n" != 3 ] || [ ! -e "$GATE.broken" ] || { echo "no luck with $n" >&2; exit 3; }
    echo "ran $n"
task: {cpus: 1, memory: 64MiB, estimate: 1s, time_limit: 60s}
job: {time_limit: 10min}
"""


def journal(bundle: Path, launch: int) -> list[dict[str, Any]]:
    path = bundle / f"results/r1/1-cpu-0000/launch-{launch:03d}/events.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def started(bundle: Path, launch: int) -> list[str]:
    return [each["task_id"] for each in journal(bundle, launch) if each["event"] == "task_started"]


def interrupted(bundle: Path, env: dict[str, str]) -> int:
    """Run until the second task is at work, then press Ctrl-C as a terminal does."""
    process = subprocess.Popen(
        [SPECC, "run", bundle], env=env, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 30
    path = bundle / "results/r1/1-cpu-0000/launch-001/events.jsonl"
    while not path.exists() or path.read_text().count('"task_started"') < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert "finished tasks are kept, and the same command goes on with the rest" in said
    return process.returncode


def test_a_run_that_was_interrupted_goes_on_with_exactly_the_rest(tmp_path: Path) -> None:
    bundle = compiled(tmp_path, GATED)
    gate = tmp_path / "gate"
    env = {**os.environ, "GATE": str(gate)}
    assert interrupted(bundle, env) == 130
    stopped = specc_json("status", bundle)
    assert [stopped[name] for name in ("completed", "stopped", "failed", "not_run")] == [1, 1, 0, 1]
    gate.touch()
    assert specc("run", bundle, env=env).returncode == 0
    table = (bundle / "tasks.jsonl").read_text(encoding="utf-8").splitlines()
    first, second, third = (json.loads(line)["task_id"] for line in table)
    assert started(bundle, 1) == [first, second]
    assert started(bundle, 2) == [second, third]
    assert specc_json("status", bundle)["completed"] == 3


def test_a_finished_run_starts_nothing(tmp_path: Path) -> None:
    bundle = compiled(tmp_path, GATED)
    (tmp_path / "gate").touch()
    env = {**os.environ, "GATE": str(tmp_path / "gate")}
    for _ in range(2):
        assert specc("run", bundle, env=env).returncode == 0
    assert started(bundle, 2) == []


def test_again_gives_failed_tasks_one_more_attempt(tmp_path: Path) -> None:
    bundle = compiled(tmp_path, GATED)
    gate, broken = tmp_path / "gate", tmp_path / "gate.broken"
    gate.touch()
    broken.touch()
    env = {**os.environ, "GATE": str(gate)}
    assert specc("run", bundle, env=env).returncode == 1
    broken.unlink()
    assert specc("run", bundle, env=env).returncode == 1
    assert specc_json("status", bundle)["failed"] == 1
    assert specc("run", bundle, "--again", env=env).returncode == 0
    assert specc_json("status", bundle)["completed"] == 3


def test_logs_of_a_failed_task(tmp_path: Path) -> None:
    bundle = compiled(tmp_path, GATED)
    (tmp_path / "gate").touch()
    (tmp_path / "gate.broken").touch()
    specc("run", bundle, env={**os.environ, "GATE": str(tmp_path / "gate")})
    (task,) = specc_json("logs", "n=3", bundle)["tasks"]
    (attempt,) = task["attempts"]
    assert (attempt["failure"]["category"], attempt["outputs"][0]["text"]) == (
        "program",
        "no luck with 3\n",
    )
    assert "ran 1" in specc("logs", "n=1", cwd=bundle).stdout
    assert "  | no luck with 3" in specc("logs", "--failed", bundle).stdout


def test_follow_shows_a_running_task_until_it_ends(tmp_path: Path) -> None:
    bundle = compiled(tmp_path, GATED.replace("if [", 'echo "begin $n"; if ['))
    gate = tmp_path / "gate"
    env = {**os.environ, "GATE": str(gate)}
    run = subprocess.Popen([SPECC, "run", bundle], env=env, stderr=subprocess.DEVNULL)
    path = bundle / "results/r1/1-cpu-0000/launch-001/output.0.log"
    deadline = time.monotonic() + 30
    while not path.exists() or "begin 2" not in path.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    follower = subprocess.Popen(
        [SPECC, "logs", "n=2", bundle, "--follow"], stdout=subprocess.PIPE, text=True
    )
    assert follower.stdout is not None
    assert follower.stdout.readline() == "begin 2\n"
    gate.touch()
    rest, _ = follower.communicate(timeout=30)
    assert (rest, follower.returncode) == ("ran 2\n", 0)
    assert run.wait(30) == 0
