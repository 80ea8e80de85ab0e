"""Leases: one holder at a time, taken over only from the dead."""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from pathlib import Path

import bundles
import pytest

from specc_runtime.shard import lease as lease_module
from specc_runtime.shard.lease import Held, take
from specc_runtime.slurm_env import Allocation, find_end, own_id, parse_duration, read_allocation

NO_JOB = Allocation(None, 0, None, {})


def job(restart: int = 0, job_id: str = "7") -> Allocation:
    return Allocation(job_id, restart, None, {})


def elsewhere(folder: Path, **owner: object) -> Path:
    """Make the lease of a holder on another machine."""
    path = folder / "000001"
    path.mkdir(parents=True)
    other = {"host": "other", "boot_id": "b", "pid_space": "p", "pid": 1, "start_ticks": "1"}
    (path / "owner.json").write_text(json.dumps({"job_id": None, "restart": 0, **other, **owner}))
    (path / "heartbeat").write_text("1\n")
    return path


def test_second_launch_stands_back_with_75(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", ["time.sleep(60)"])
    first = bundles.start(bundle)
    path = bundles.launch_folder(bundle) / "events.jsonl"
    bundles.wait_for(lambda: path.exists() and "task_started" in path.read_text())
    second = bundles.run(bundle)
    assert second.returncode == 75
    assert f"held by process {first.pid}" in second.stderr
    assert not bundles.launch_folder(bundle, 2).exists()
    bundles.end(first)


def test_living_holder_keeps_it(tmp_path: Path) -> None:
    take(str(tmp_path), NO_JOB)
    with pytest.raises(Held, match=f"process {os.getpid()} on"):
        take(str(tmp_path), NO_JOB, watch_s=0.1)


def test_released_lease_is_free(tmp_path: Path) -> None:
    take(str(tmp_path), NO_JOB).release()
    assert take(str(tmp_path), NO_JOB).number == 2


def test_dead_process_of_this_machine_is_replaced_at_once(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        take(str(tmp_path), NO_JOB)
        os._exit(0)
    os.waitpid(child, 0)
    began = time.monotonic()
    assert take(str(tmp_path), NO_JOB).number == 2
    assert time.monotonic() - began < 1


def test_pid_that_was_given_to_another_process_is_not_the_holder(tmp_path: Path) -> None:
    held = take(str(tmp_path), NO_JOB)
    owner = Path(held.path) / "owner.json"
    owner.write_text(owner.read_text().replace('"start_ticks": "', '"start_ticks": "9'))
    assert take(str(tmp_path), NO_JOB).number == 2


def test_requeued_job_takes_over_at_once(tmp_path: Path) -> None:
    elsewhere(tmp_path, job_id="7", restart=0)
    assert take(str(tmp_path), job(restart=1), watch_s=30).number == 2


def test_heart_that_beats_elsewhere_is_alive(tmp_path: Path) -> None:
    beat = elsewhere(tmp_path) / "heartbeat"
    timer = threading.Timer(0.1, lambda: beat.write_text("2\n"))
    timer.start()
    with pytest.raises(Held, match="process 1 on other"):
        take(str(tmp_path), NO_JOB, watch_s=2)
    timer.join()


def test_heart_that_stands_still_is_dead(tmp_path: Path) -> None:
    elsewhere(tmp_path)
    assert take(str(tmp_path), NO_JOB, watch_s=0.4).number == 2


def test_launch_that_died_between_folder_and_owner_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "000001").mkdir()
    assert take(str(tmp_path), NO_JOB, watch_s=0.4).number == 2


def test_running_job_is_alive_without_a_heartbeat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _squeue(tmp_path, monkeypatch, "echo RUNNING")
    elsewhere(tmp_path / "lease", job_id="9")
    with pytest.raises(Held, match="job 9"):
        take(str(tmp_path / "lease"), job(), watch_s=0.2)


@pytest.mark.parametrize("answer", ["echo PENDING", "echo Invalid job id >&2; exit 1", "exit 1"])
def test_job_that_does_not_run_is_judged_by_its_heart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    _squeue(tmp_path, monkeypatch, answer)
    elsewhere(tmp_path / "lease", job_id="9")
    assert take(str(tmp_path / "lease"), job(), watch_s=0.3).number == 2


def test_of_many_takers_one_wins(tmp_path: Path) -> None:
    elsewhere(tmp_path)
    readers = []
    for _ in range(8):
        read_end, write_end = os.pipe()
        if os.fork() == 0:
            try:
                take(str(tmp_path), NO_JOB, watch_s=0.3)
                os.write(write_end, b"won")
                time.sleep(1)
            finally:
                os._exit(0)
        os.close(write_end)
        readers.append(read_end)
    won = [os.read(fd, 3) for fd in readers]
    for fd in readers:
        os.close(fd)
        os.wait()
    assert won.count(b"won") == 1


def test_holder_that_slept_learns_that_it_was_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "BEAT_S", 0.01)
    monkeypatch.setattr(lease_module, "_WATCH_S", 0.04)
    held = take(str(tmp_path), NO_JOB)
    time.sleep(0.05)
    assert held.beat()
    (tmp_path / "000002").mkdir()
    time.sleep(0.05)
    assert not held.beat()


def test_holder_whose_heart_can_not_be_seen_looks_whether_it_was_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "BEAT_S", 0.0)
    held = take(str(tmp_path), NO_JOB)
    with (tmp_path / "000001" / "heartbeat").open() as unwritable:
        monkeypatch.setattr(held, "_fd", unwritable.fileno())
        assert held.beat()
        (tmp_path / "000002").mkdir()
        assert not held.beat()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1-02:03:04", 93784.0), ("10:00", 600.0), ("59", 59.0), ("UNLIMITED", None), ("", None)],
)
def test_durations_of_slurm(text: str, seconds: float | None) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("script", "told", "seconds"),
    [
        ("echo 2:00", {}, 120.0),
        # the time of another machine's clock is the last thing to believe
        ("echo 2:00", {"SLURM_JOB_END_TIME": "99999999999"}, 120.0),
        ("exit 1", {"SPECC_TIME_LEFT": "1:30"}, 90.0),
        ("exit 1", {"SPECC_TIME_LEFT": ""}, 600.0),
    ],
)
def test_the_end_of_an_allocation(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    told: dict[str, str],
    seconds: float,
) -> None:
    _squeue(tmp_path, monkeypatch, script)
    end = find_end({"SLURM_JOB_ID": "3", **told}, 600.0)
    assert end is not None
    assert end - time.monotonic() == pytest.approx(seconds, abs=1)


def test_restart_count_of_a_first_start_is_0() -> None:
    assert read_allocation({"SLURM_JOB_ID": "3"}, None).restart == 0


def _squeue(folder: Path, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    script = folder / "bin" / "squeue"
    script.parent.mkdir()
    script.write_text(f"#!/bin/sh\n{answer}\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")


@pytest.mark.parametrize(
    ("job", "array", "index", "known_by"),
    [
        ("7", "", "", "7"),
        ("8", "7", "0", "8"),
        ("7", "7", "2", "7_2"),  # squeue -j 7 would tell of every element
        ("9", "7", "2", "9"),  # a job of its own, submitted from a shell in an array
        ("", "7", "2", None),
    ],
)
def test_a_job_is_known_by_an_id_of_its_own(
    job: str, array: str, index: str, known_by: str | None
) -> None:
    variables = {"JOB_ID": job, "ARRAY_JOB_ID": array, "ARRAY_TASK_ID": index}
    assert own_id({f"SLURM_{name}": value for name, value in variables.items()}) == known_by
