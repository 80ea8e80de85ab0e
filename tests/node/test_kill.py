"""A run that is killed with SIGKILL at any moment loses at most the tasks that ran."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import bundles
import pytest

from specc_runtime.contract.verify import verify

TASK = (
    "for n in range(20):\n    attempt.record('metric', n=n, text='x' * 200)\n    time.sleep(0.002)"
)


@pytest.mark.parametrize(("seed", "warm"), [(1, None), (2, ["json"])])
def test_killed_again_and_again_every_task_completes_once(
    home: Path, seed: int, warm: list[str] | None
) -> None:
    moments = random.Random(seed)
    bundle = bundles.make_bundle(home / "b", [TASK] * 24, slots=2, warm=warm)
    completed: set[str] = set()
    for _ in range(5):
        process = bundles.start(bundle)
        try:
            process.wait(timeout=moments.uniform(0.15, 0.7))
        except bundles.subprocess.TimeoutExpired:
            process.kill()
        process.communicate()
        now = {i for i, task in bundles.state(bundle).tasks.items() if task.state == "completed"}
        assert completed <= now
        completed = now
    assert bundles.run(bundle).returncode == 0
    assert bundles.states(bundle) == ["completed"] * 24
    assert all(not task.duplicates for task in bundles.state(bundle).tasks.values())
    for rows in bundles.rows(bundle).values():
        assert [row["n"] for row in rows[1:]] == list(range(20))
    assert verify(bundle).clean


def test_attempts_die_with_their_pool(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", ["print('up')\ntime.sleep(60)"])
    process = bundles.start(bundle)
    pid = _pid_of_attempt(bundle)
    process.kill()
    process.communicate()
    bundles.wait_for(lambda: not _lives(pid))


def test_attempts_of_a_warm_parent_die_with_the_pool(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", ["time.sleep(60)"], warm=["json"])
    process = bundles.start(bundle)
    pid = _pid_of_attempt(bundle)
    process.kill()
    process.communicate()
    bundles.wait_for(lambda: not _lives(pid))


def test_killed_attempt_takes_nobody_along(home: Path) -> None:
    code = "time.sleep(60) if attempt.number == 1 and attempt.task.index == 0 else None"
    bundle = bundles.make_bundle(home / "b", [code] * 3, slots=2)
    process = bundles.start(bundle)
    os.kill(_pid_of_attempt(bundle), signal.SIGKILL)
    process.communicate()
    assert process.returncode == 1
    assert bundles.states(bundle) == ["failed", "completed", "completed"]


def test_new_file_after_a_writer_died_in_the_middle_of_a_row(home: Path) -> None:
    torn = (
        "attempt._records.write('metric', {'n': 1})\nos.write(attempt._records._fd, b'{\"torn')\n"
    )
    bundle = bundles.make_bundle(
        home / "b", [torn + "os._exit(1)", "attempt.record('metric', n=2)"]
    )
    bundles.run(bundle)
    task = bundles.state(bundle).tasks[bundles.task_id(1)]
    assert [segment.file for segment in task.segments] == ["records.0.1.jsonl"]


def _pid_of_attempt(bundle: Path) -> int:
    path = bundles.launch_folder(bundle) / "events.jsonl"

    def started() -> bool:
        return path.exists() and "task_started" in path.read_text()

    bundles.wait_for(started)
    return int(next(e for e in bundles.events(bundle) if e["event"] == "task_started")["pid"])


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")
