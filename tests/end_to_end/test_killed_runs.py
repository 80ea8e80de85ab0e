"""SIGKILL at random moments, again and again: nothing completed is lost and nothing is doubled."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from path import SPEC, compiled, specc

from specc_runtime.contract.runs import fold
from specc_runtime.contract.segments import read_segment
from specc_runtime.contract.tasks import read_tasks

SLOW = SPEC.replace("left: [1, 2, 3]", "left: {range: [1, 12]}").replace(
    "script: |\n", "script: |\n    sleep 0.1\n"
)
TASKS = 24


def _descendants(root: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo.extend(parents.get(pid, ()))
    return found


def _start(bundle: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["bash", "job.sbatch", "--here"],
        cwd=bundle,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _kill_some(process: subprocess.Popen[bytes], chance: random.Random) -> None:
    """Kill the whole tree, or one process of it and then, once it had time to notice, the rest."""
    alive = _descendants(process.pid)
    victims = alive if chance.random() < 0.5 else [chance.choice(alive)]
    for pid in victims:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    time.sleep(0.3)
    for pid in _descendants(process.pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait()


def test_a_run_killed_again_and_again_ends_complete(tmp_path: Path) -> None:
    bundle = compiled(tmp_path, SLOW)
    rows = read_tasks(bundle)
    chance = random.Random(7)
    finished: set[str] = set()
    for _ in range(6):
        process = _start(bundle)
        time.sleep(chance.uniform(0.2, 1.5))
        _kill_some(process, chance)
        run = fold(bundle / "results" / "r1", rows)
        now = {task.task_id for task in run.tasks.values() if task.state == "completed"}
        assert finished <= now, "a completed task was lost"
        finished = now
    for _ in range(60):
        code = _start(bundle).wait()
        if code != 75:
            break
        time.sleep(0.5)
    assert code == 0
    run = fold(bundle / "results" / "r1", rows, ended=True)
    assert run.counts() == {"completed": TASKS}
    assert all(not task.duplicates for task in run.tasks.values())
    for task in run.tasks.values():
        lines = b"".join(read_segment(run.path, part) for part in task.segments).splitlines()
        metrics = [row for row in map(json.loads, lines) if row["type"] == "metric"]
        assert [row["task_id"] for row in metrics] == [task.task_id]
    assert specc("verify", bundle).returncode == 0


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _until(holds: Callable[[], bool], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


def test_programs_and_what_they_started_die_with_a_killed_pool(tmp_path: Path) -> None:
    noted = tmp_path / "pids"
    script = f"script: |\n    sleep 120 & echo $$ $! >> '{noted}'; wait\n"
    bundle = compiled(tmp_path, SPEC.replace("script: |\n", script))
    process = _start(bundle)
    assert _until(lambda: noted.exists() and len(noted.read_text().split()) == 2)
    pids = [int(pid) for pid in noted.read_text().split()]
    process.kill()
    process.wait()
    assert _until(lambda: not any(map(_lives, pids)))
