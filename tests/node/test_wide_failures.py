"""Wide tasks that fail: the evidence names the rank, the others end soon, and nobody survives."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from bundles import (
    end,
    events,
    failure,
    make_bundle,
    rows,
    run,
    start,
    state,
    states,
    task_id,
    wait_for,
)
from wide_tasks import MEET, TWO_BY_TWO

SHOW_PID = '(attempt.state / f"{attempt.rank}.new").write_text(str(os.getpid()))\n'
SHOW_PID += (
    '(attempt.state / f"{attempt.rank}.new").rename(attempt.state / f"{attempt.rank}.pid")\n'
)
ALL_THERE = "while len(list(attempt.state.glob('*.pid'))) < 4: time.sleep(0.01)\n"
FOR_EVER = SHOW_PID + "while True: time.sleep(60)\n"


def pids(bundle: Path, number: int = 4) -> list[int]:
    """The process ids of the ranks, once all have started."""
    folder = bundle / "results" / "r1" / "state" / task_id(0)
    paths = [folder / f"{rank}.pid" for rank in range(number)]
    wait_for(lambda: all(path.exists() for path in paths))
    return [int(path.read_text()) for path in paths]


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def all_gone(found: list[int]) -> bool:
    return not any(map(is_alive, found))


def failed(tmp_path: Path, code: str, **task: Any) -> dict[str, Any]:
    """Run one task of 2 x 2 that fails, and return its task_failed line."""
    once = {"on_failure": {}}
    bundle = make_bundle(tmp_path / "b", [code], task={**TWO_BY_TWO, **task}, predicate=once)
    ended = run(bundle)
    assert ended.returncode == 1, ended.stderr
    assert all_gone(pids(bundle))
    return failure(bundle)


def test_one_dead_rank_ends_the_task_and_is_named(tmp_path: Path) -> None:
    code = (
        SHOW_PID
        + ALL_THERE
        + 'if attempt.rank == 3: print("no luck"); sys.stdout.flush(); os._exit(7)\n'
    )
    found = failed(tmp_path, code + FOR_EVER)
    assert (found["category"], found["exit_code"], found["evidence"]["rank"]) == ("program", 7, 3)
    assert "rank 3 of 4 on " in found["message"]
    assert found["stderr_tail"][-2:] == ["== the end of output.0.rank3.log", "no luck"]
    assert found["evidence"]["other_ranks"] == {"0": "stopped", "1": "stopped", "2": "stopped"}
    assert found["duration_s"] < 3


def test_a_killed_rank_is_named_with_its_signal(tmp_path: Path) -> None:
    code = SHOW_PID + ALL_THERE + "if attempt.rank == 1: os.kill(os.getpid(), signal.SIGKILL)\n"
    found = failed(tmp_path, code + FOR_EVER)
    assert (found["category"], found["signal"]) == ("unknown", "SIGKILL")
    assert "rank 1 of 4" in found["message"]


def test_an_exception_of_a_rank_is_the_tasks(tmp_path: Path) -> None:
    code = SHOW_PID + ALL_THERE + "if attempt.rank == 2: raise MemoryError('too much')\n"
    found = failed(tmp_path, code + FOR_EVER)
    assert (found["category"], found["type"]) == ("oom_host", "MemoryError")
    assert found["message"].endswith(": too much")


def test_ranks_that_do_not_listen_are_killed_after_the_grace(tmp_path: Path) -> None:
    code = SHOW_PID + "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    found = failed(tmp_path, code + ALL_THERE + "if attempt.rank == 0: os._exit(1)\n" + FOR_EVER)
    assert found["evidence"]["other_ranks"] == {"1": "SIGKILL", "2": "SIGKILL", "3": "SIGKILL"}
    assert found["duration_s"] < 6


def test_the_first_to_fail_is_named_though_others_fail_of_it(tmp_path: Path) -> None:
    code = SHOW_PID + ALL_THERE + "mark = attempt.state / 'broken'\n"
    code += "if attempt.rank == 3: mark.touch(); os._exit(9)\n"
    code += "while not mark.exists(): time.sleep(0.001)\n"
    found = failed(tmp_path, code + "time.sleep(0.3); os._exit(1)\n")
    assert (found["evidence"]["rank"], found["exit_code"]) == (3, 9)


def test_a_node_whose_process_dies_is_lost(tmp_path: Path) -> None:
    code = SHOW_PID + ALL_THERE + "if attempt.rank == 2: os.kill(os.getppid(), signal.SIGKILL)\n"
    found = failed(tmp_path, code + FOR_EVER)
    assert (found["category"], found["transient"]) == ("node", True)
    assert "rank 2 of 4" in found["message"]
    assert "its node was lost" in found["message"]


def test_a_stranger_at_the_port_is_seen_and_the_next_attempt_gets_another(tmp_path: Path) -> None:
    # a process outside the rank's group listens at the port before rank 0 does
    stranger = """
port = int(os.environ["MASTER_PORT"])
if attempt.number == 1:
    if attempt.rank == 0:
        import socket
        taken = socket.create_server(("", port))
        if os.fork() == 0:
            os.setsid()
            time.sleep(60)
            os._exit(0)
        os._exit(1)
    time.sleep(60)
attempt.record("port", port=port)
"""
    bundle = make_bundle(tmp_path / "b", [stranger], task={"processes_per_node": 2})
    assert run(bundle).returncode == 0
    first = failure(bundle)
    assert (first["category"], first["evidence"]["port_taken"]) == ("node", True)
    ports = {row["port"] for row in rows(bundle)[task_id(0)] if row["type"] == "port"}
    assert len(ports) == 1


def test_a_task_that_hangs_ends_with_all_its_ranks_at_the_time_limit(tmp_path: Path) -> None:
    found = failed(tmp_path, FOR_EVER, time_limit_s=2)
    assert (found["category"], found["evidence"]["stopped_by"]) == ("timeout", "time_limit")


def test_a_killed_leader_takes_all_ranks_along(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "b", [FOR_EVER], task=TWO_BY_TWO)
    process = start(bundle)
    found = pids(bundle)
    leader = next(e["pid"] for e in events(bundle) if e["event"] == "task_started")
    os.kill(leader, signal.SIGKILL)
    wait_for(lambda: all_gone(found), 5)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 1, output
    assert failure(bundle)["signal"] == "SIGKILL"


def test_a_killed_pool_takes_all_ranks_along(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "b", [FOR_EVER], task=TWO_BY_TWO)
    process = start(bundle)
    found = pids(bundle)
    process.kill()
    process.communicate(timeout=30)
    wait_for(lambda: all_gone(found), 5)


def test_ranks_may_save_what_they_have_when_the_launch_is_stopped(tmp_path: Path) -> None:
    code = (
        """
done = (attempt.resume() or {}).get("steps", 0)
attempt.record("step", number=done)
"""
        + SHOW_PID
        + """
try:
    while done == 0: time.sleep(60)
finally:
    if done == 0: attempt.checkpoint(steps=1)
"""
    )
    bundle = make_bundle(tmp_path / "b", [code], task=TWO_BY_TWO)
    process = start(bundle)
    found = pids(bundle)
    code_of_exit, output = end(process, signal.SIGTERM)
    assert code_of_exit == 75, output
    assert all_gone(found)
    assert run(bundle).returncode == 0
    assert states(bundle) == ["completed"]
    rows_ = [row for row in rows(bundle)[task_id(0)] if row["type"] == "step"]
    assert (0, 0) in {(row["rank"], row["number"]) for row in rows_}
    assert {row["rank"] for row in rows_ if row["number"] == 1} == {0, 1, 2, 3}


def test_a_clean_end_leaves_nothing_of_the_ranks_behind(tmp_path: Path) -> None:
    # a grandchild in a session of its own
    code = SHOW_PID + "if os.fork() == 0: os.setsid(); (attempt.state / 'left').write_text("
    code += "str(os.getpid())); time.sleep(60); os._exit(0)\n"
    code += "while not (attempt.state / 'left').exists(): time.sleep(0.01)\n"
    bundle = make_bundle(tmp_path / "b", [code], task={"processes_per_node": 2})
    began = time.monotonic()
    assert run(bundle).returncode == 0
    assert time.monotonic() - began < 10
    left = bundle / "results" / "r1" / "state" / task_id(0) / "left"
    assert not is_alive(int(left.read_text()))


def test_wide_and_narrow_rows_of_a_run_are_all_there(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "b", [MEET, MEET], task={"processes_per_node": 3}, slots=2)
    assert run(bundle).returncode == 0
    assert states(bundle) == ["completed", "completed"]
    assert all(task.done is not None for task in state(bundle).tasks.values())
    sums = [[r["total"] for r in found if r["type"] == "sum"] for found in rows(bundle).values()]
    assert json.dumps(sums) == "[[111, 111, 111], [111, 111, 111]]"
