"""Tasks of several processes without Slurm: real ranks that meet, and one machine for all nodes."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from bundles import events, launch_folder, make_bundle, rows, run, state, task_id
from wide_tasks import MEET, TWO_BY_TWO


@pytest.fixture(scope="module")
def met(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of one task, 2 nodes x 2 processes, that ran."""
    bundle = make_bundle(tmp_path_factory.mktemp("met") / "b", [MEET], task=TWO_BY_TWO)
    ended = run(bundle, CUDA_VISIBLE_DEVICES="")
    assert ended.returncode == 0, ended.stderr
    return bundle


def of(bundle: Path, kind: str, index: int = 0) -> list[dict[str, Any]]:
    return [row for row in rows(bundle)[task_id(index)] if row["type"] == kind]


def test_all_ranks_meet_at_the_masters_port(met: Path) -> None:
    assert [row["total"] for row in of(met, "sum")] == [1110 + 1] * 4


def test_rows_of_a_rank_carry_its_number(met: Path) -> None:
    assert [row["rank"] for row in of(met, "sum")] == [0, 1, 2, 3]


def test_each_rank_knows_its_place(met: Path) -> None:
    third = of(met, "sum")[2]["env"]
    assert third == {
        "RANK": "2",
        "LOCAL_RANK": "0",
        "WORLD_SIZE": "4",
        "LOCAL_WORLD_SIZE": "2",
        "NODE_RANK": "1",
        "GROUP_RANK": "1",
    }


def test_an_attempt_tells_its_kind_the_same(met: Path) -> None:
    assert [row["told"] for row in of(met, "sum")] == [
        [0, 4, 0, 2, 0],
        [1, 4, 1, 2, 0],
        [2, 4, 0, 2, 1],
        [3, 4, 1, 2, 1],
    ]


def test_a_rank_writes_to_a_file_of_its_own_and_the_completion_names_all(met: Path) -> None:
    segments = state(met).tasks[task_id(0)].segments
    assert [segment.file for segment in segments] == [
        "records.0.0.jsonl",
        *(f"records.0.1.rank{rank}.jsonl" for rank in range(4)),
    ]


def test_what_a_rank_prints_has_a_log_of_its_own(met: Path) -> None:
    text = (launch_folder(met) / "output.0.rank3.log").read_text()
    title, line = text.splitlines()
    assert title == f"== task {task_id(0)} attempt 1 rank 3 on {socket.gethostname()}"
    assert line == "I am 3"


def test_the_clocks_of_one_machine_agree_within_what_was_measured(met: Path) -> None:
    ranks = of(met, "rank")
    assert [(row["phase"], row["rank"]) for row in ranks] == [
        *(("start", rank) for rank in range(4)),
        *(("end", rank) for rank in range(4)),
    ]
    for row in ranks:
        # all read the same monotonic clock, so the truth is 0
        assert abs(row["clock_offset_ns"]) <= row["clock_uncertainty_ns"]
        assert 0 < row["clock_uncertainty_ns"] < 50_000_000


def test_pretended_nodes_are_recorded_as_what_they_are(met: Path) -> None:
    last = of(met, "rank")[3]
    found = {name: last[name] for name in ("node_rank", "node", "launcher", "emulated")}
    here = socket.gethostname()
    assert found == {"node_rank": 1, "node": here, "launcher": "fork", "emulated": True}
    log = (launch_folder(met) / "log.jsonl").read_text()
    assert "one machine stands for 2 nodes" in log


def test_the_log_says_where_each_rank_ran(met: Path) -> None:
    text = (launch_folder(met) / "log.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    told = [line["about"]["ranks"] for line in lines if "4 ranks on 2 nodes" in line["message"]]
    pids = [row["pid"] for row in of(met, "sum")]
    here = socket.gethostname()
    assert told == [[{"rank": r, "node": here, "pid": pid} for r, pid in enumerate(pids)]]


def test_ranks_share_the_gpus_of_their_task(tmp_path: Path) -> None:
    code = 'attempt.record("gpu", seen=os.environ["CUDA_VISIBLE_DEVICES"], gpu=attempt.gpu)'
    task = {"gpus": 2, "processes_per_node": 2}
    bundle = make_bundle(tmp_path / "b", [code], task=task)
    ended = run(bundle, CUDA_VISIBLE_DEVICES="GPU-a,GPU-b,3,5")
    assert ended.returncode == 0, ended.stderr
    assert [row["seen"] for row in of(bundle, "gpu")] == ["GPU-a,GPU-b", "3,5"]
    assert [row["gpu"] for row in of(bundle, "rank")[:2]] == ["GPU-a,GPU-b", "3,5"]


def test_two_wide_tasks_side_by_side_have_devices_of_their_own(tmp_path: Path) -> None:
    code = 'attempt.record("gpu", seen=attempt.gpu, slot=attempt.slot)'
    task = {"gpus": 1, "processes_per_node": 2}
    bundle = make_bundle(tmp_path / "b", [code] * 2, task=task, slots=2)
    ended = run(bundle, CUDA_VISIBLE_DEVICES="0,1,2,3")
    assert ended.returncode == 0, ended.stderr
    seen = [[row["seen"] for row in of(bundle, "gpu", index)] for index in range(2)]
    assert sorted(seen) == [["0", "1"], ["2", "3"]]


def test_too_few_gpus_for_a_task_are_said_before_it_starts(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "b", ["pass"], task={"gpus": 1, "processes_per_node": 2})
    ended = run(bundle, CUDA_VISIBLE_DEVICES="0")
    assert ended.returncode == 1
    assert "a task needs 2, here are 1" in ended.stderr


def test_kept_files_of_ranks_do_not_meet(tmp_path: Path) -> None:
    code = 'attempt.keep("note").write_text(str(attempt.rank))'
    bundle = make_bundle(tmp_path / "b", [code], task={"processes_per_node": 2})
    assert run(bundle).returncode == 0
    folder = launch_folder(bundle) / "tasks" / task_id(0)
    assert ((folder / "note").read_text(), (folder / "rank1/note").read_text()) == ("0", "1")


def test_a_checkpoint_of_all_ranks_is_gone_on_from(tmp_path: Path) -> None:
    code = """
done = (attempt.resume() or {}).get("steps", 0)
attempt.record("step", number=done)
if done == 0:
    if attempt.rank:
        attempt.checkpoint()
        (attempt.state / "saved").touch()
    else:
        while not (attempt.state / "saved").exists():
            time.sleep(0.01)
        attempt.checkpoint(steps=1)
        raise TaskError("node", "the switch broke")
while attempt.number == 1:
    time.sleep(0.1)
"""
    bundle = make_bundle(tmp_path / "b", [code], task={"processes_per_node": 2})
    assert run(bundle).returncode == 0
    steps = [(row["attempt"], row["rank"], row["number"]) for row in of(bundle, "step")]
    assert sorted(steps) == [(1, 0, 0), (1, 1, 0), (2, 0, 1), (2, 1, 1)]


def test_the_usage_of_a_task_is_that_of_its_ranks(tmp_path: Path) -> None:
    code = """
held = bytearray(40_000_000)
held[::4096] = b"x" * len(held[::4096])
end = time.process_time() + 0.2
while time.process_time() < end:
    pass
"""
    bundle = make_bundle(tmp_path / "b", [code], task={"processes_per_node": 3})
    assert run(bundle).returncode == 0
    (done,) = (e for e in events(bundle) if e["event"] == "task_completed")
    assert done["usage"]["max_rss_bytes"] > 3 * 40_000_000
    assert done["usage"]["user_s"] + done["usage"]["system_s"] >= 0.6


def test_a_warm_parent_forks_the_leader_of_a_wide_task(tmp_path: Path) -> None:
    code = 'attempt.record("seen", warm="decimal" in sys.modules)'
    bundle = make_bundle(tmp_path / "b", [code], task={"processes_per_node": 2}, warm=["decimal"])
    assert run(bundle).returncode == 0
    assert [(row["rank"], row["warm"]) for row in of(bundle, "seen")] == [(0, True), (1, True)]
