"""What becomes of attempts without an end once Slurm's words about their job are recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from specc_runtime.contract.runs import TaskState, fold
from specc_runtime.contract.tasks import TaskRow

ROOT = Path(__file__).parents[2]
SHARD = "1-cpu-0003"
SCRIPTS = {"job.sbatch": ("1-cpu", 0)}


def a_row(number: int) -> TaskRow:
    return TaskRow(f"{number:016x}", number, "1-cpu", SHARD, number, {}, 0, {}, None)


def a_launch(
    run: Path, *tasks: int, number: int = 1, restart: int = 0, nodes: str = "", **last: Any
) -> Path:
    """A launch of element 3 of job 12 that started these tasks one after the other in slot 0.

    All but the last one were completed; `last` is an event about it.
    """
    folder = run / SHARD / f"launch-{number:03d}"
    folder.mkdir(parents=True)
    base = json.loads((ROOT / "tests" / "contract" / "launch.json").read_text())[0]["base"]
    slurm = {"SLURM_JOB_ID": "15", "SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "3"}
    if nodes:
        slurm["SLURM_JOB_NODELIST"] = nodes
    if restart:
        slurm["SLURM_RESTART_COUNT"] = str(restart)
    info = {**base, "shard_id": SHARD, "launch": folder.name, "slurm": slurm}
    (folder / "launch.json").write_text(json.dumps(info) + "\n")
    events: list[dict[str, Any]] = []
    for task in tasks:
        about = {"task_id": a_row(task).task_id, "attempt": number, "slot": 0}
        events.append({"event": "task_started", **about, "pid": 1, "gpu": None, "neighbours": []})
        if task != tasks[-1]:
            done = {"segments": [], "duration_s": 1.0, "artefacts": []}
            events.append({"event": "task_completed", **about, **done})
        elif last:
            events.append({**about, **last})
    head = [{"seq": seq, "t_ns": seq, "epoch_ns": seq} for seq in range(len(events))]
    lines = [json.dumps({**event, **more}) for event, more in zip(events, head, strict=True)]
    (folder / "events.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return folder


def slurm_says(run: Path, *lines: str) -> None:
    (run / "slurm").mkdir(parents=True, exist_ok=True)
    text = "\n".join(["JobID|State|ExitCode|Reason|NodeList", *lines])
    (run / "slurm" / "12.sacct.txt").write_text(text + "\n")
    (run / "jobs.tsv").write_text("job.sbatch\t12\n")


def task(run: Path, number: int = 0, **options: Any) -> TaskState:
    rows = [a_row(each) for each in range(3)]
    return fold(run, rows, scripts=SCRIPTS, **options).tasks[a_row(number).task_id]


@pytest.mark.parametrize(
    ("state", "category", "outcome"),
    [
        ("OUT_OF_MEMORY", "oom_host", "failed"),
        ("TIMEOUT", "timeout", "failed"),
        ("NODE_FAIL", "node", "cut"),
        ("BOOT_FAIL", "node", "cut"),
        ("PREEMPTED", "preempted", "cut"),
        ("CANCELLED by 1000", "cancelled", "cut"),
        ("FAILED", "unknown", "cut"),
    ],
)
def test_cause_of_a_cut_attempt(tmp_path: Path, state: str, category: str, outcome: str) -> None:
    a_launch(tmp_path, 0)
    slurm_says(tmp_path, f"12_3|{state}|0:0|None|n7")
    found = task(tmp_path)
    assert found.failure is not None
    assert (found.failure["category"], found.attempts[0].outcome) == (category, outcome)
    # what ended the job says nothing about the task, unless it was its memory or its time
    assert found.state == ("failed" if outcome == "failed" else "missing")
    word = state.split()[0]
    assert found.reason == f"cut off before its end: Slurm says {word} of job 12_3, on n7"
    assert found.failure["derived"] is True
    assert found.failure["evidence"]["slurm"]["nodes"] == "n7"
    assert found.failure["transient"] == (category in ("node", "preempted", "cancelled"))


def test_time_that_a_task_shared_with_others_is_not_its_own_limit(tmp_path: Path) -> None:
    a_launch(tmp_path, 1, 0)
    slurm_says(tmp_path, "12_3|TIMEOUT|0:0|TimeLimit|n7")
    found = task(tmp_path)
    assert found.failure is not None
    assert (found.state, found.failure["category"]) == ("missing", "timeout")
    assert found.failure["suggestion"] == "start the job again: completed tasks are skipped"


def test_task_with_a_checkpoint_gets_on_in_the_next_launch(tmp_path: Path) -> None:
    a_launch(tmp_path, 0, event="task_checkpoint", segments=[], progress={"step": 3})
    slurm_says(tmp_path, "12_3|TIMEOUT|0:0|TimeLimit|n7")
    assert task(tmp_path).state == "missing"


def test_end_that_slurm_has_seen_leaves_nothing_running(tmp_path: Path) -> None:
    a_launch(tmp_path, 0)
    assert task(tmp_path).state == "running"
    slurm_says(tmp_path, "12_3|RUNNING|0:0|None|n7")
    assert task(tmp_path).state == "running"
    slurm_says(tmp_path, "12_3|COMPLETED|0:0|None|n7")
    found = task(tmp_path)
    assert (found.state, found.reason) == ("missing", "cut off before its end")
    assert found.failure is None


def test_silence_of_the_scheduler_is_no_end(tmp_path: Path) -> None:
    a_launch(tmp_path, 0)
    slurm_says(tmp_path)
    assert task(tmp_path).state == "running"
    slurm_says(tmp_path, "12_3|BROWNED_OUT|0:0|None|n7")
    assert task(tmp_path).state == "running"


def test_failure_that_the_task_told_itself_stands(tmp_path: Path) -> None:
    told = {
        **{"category": "program", "transient": False, "type": None, "message": "bad"},
        **{"exit_code": 1, "signal": None, "stderr_tail": [], "evidence": {}},
        **{"suggestion": None, "will_retry": False, "duration_s": 0.5},
    }
    a_launch(tmp_path, 0, event="task_failed", **told)
    slurm_says(tmp_path, "12_3|OUT_OF_MEMORY|0:125|None|n7")
    found = task(tmp_path)
    assert (found.state, found.reason) == ("failed", "bad")
    assert found.failure is not None
    assert found.failure["category"] == "program"


def test_earlier_start_of_a_requeued_job_keeps_its_own_cause(tmp_path: Path) -> None:
    a_launch(tmp_path, 0)
    a_launch(tmp_path, 0, number=2, restart=1)
    slurm_says(tmp_path, "12_3|NODE_FAIL|0:0|None|n7", "12_3|OUT_OF_MEMORY|0:125|None|n8")
    found = task(tmp_path)
    categories = [each.failure and each.failure["category"] for each in found.attempts]
    assert categories == ["node", "oom_host"]
    assert [each.outcome for each in found.attempts] == ["cut", "failed"]


def test_requeue_without_a_known_cause_may_be_tried_again(tmp_path: Path) -> None:
    a_launch(tmp_path, 0)
    slurm_says(tmp_path, "12_3|REQUEUED|0:0|None|n7", "12_3|PENDING|0:0|BeginTime|None assigned")
    found = task(tmp_path)
    assert found.failure is not None
    assert (found.failure["category"], found.failure["transient"]) == ("unknown", True)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            "12_3|CANCELLED by 0|0:0|None|None assigned",
            "never started: Slurm says CANCELLED of job 12_3",
        ),
        (
            "12_[2-5%2]|PENDING|0:0|Priority|None assigned",
            "never started: Slurm says PENDING of job 12_3, reason Priority",
        ),
        ("12_4|FAILED|0:53|None|n1", "never started"),
    ],
)
def test_task_that_never_started_says_where_its_job_is(
    tmp_path: Path, line: str, reason: str
) -> None:
    slurm_says(tmp_path, line)
    found = task(tmp_path)
    assert (found.state, found.reason) == ("missing", reason)


def stop(category: str, stopped_by: str) -> dict[str, Any]:
    about = {"event": "task_failed", "category": category, "transient": category == "preempted"}
    said = {"type": None, "message": f"stopped by {stopped_by}", "exit_code": None, "signal": None}
    rest = {"stderr_tail": [], "suggestion": None, "will_retry": False, "duration_s": 0.5}
    return {**about, **said, **rest, "evidence": {"stopped_by": stopped_by}}


@pytest.mark.parametrize(
    ("stopped_by", "state", "category"),
    [
        ("SIGTERM", "CANCELLED by 1000", "cancelled"),
        ("SIGTERM", "PREEMPTED", "preempted"),
        ("SIGTERM", "REQUEUED", "preempted"),
        ("SIGTERM", "COMPLETED", "preempted"),
        # over before anybody cancelled the job
        ("deadline", "CANCELLED by 1000", "preempted"),
    ],
)
def test_what_was_stopped_in_a_cancelled_job_is_cancelled(
    tmp_path: Path, stopped_by: str, state: str, category: str
) -> None:
    a_launch(tmp_path, 0, **stop("preempted", stopped_by))
    slurm_says(tmp_path, f"12_3|{state}|0:0|None|n7")
    found = task(tmp_path)
    assert found.failure is not None
    assert (found.state, found.failure["category"]) == ("failed", category)
    assert found.failure.get("derived", False) is (category == "cancelled")


def put_back(run: Path, at: str, *nodes: str) -> None:
    """Without accounting Slurm says: element 3 is queued again, and these nodes are down."""
    (run / "slurm").mkdir()
    job = "JobId=15 ArrayJobId=12 ArrayTaskId=3 JobState=PENDING Restarts=1"
    (run / "slurm" / "12.scontrol.txt").write_text(f"{job} SubmitTime={at}\n")
    (run / "slurm" / "nodes.txt").write_text("".join(f"{line}\n" for line in nodes))
    (run / "jobs.tsv").write_text("job.sbatch\t12\n")


def test_job_that_came_back_when_its_node_went_down_was_cut_by_the_node(tmp_path: Path) -> None:
    a_launch(tmp_path, 0, nodes="n7")
    put_back(tmp_path, "2026-11-22T07:08:45", "n7|down*|2026-11-22T07:08:45|Not responding")
    found = task(tmp_path)
    assert found.failure is not None
    assert (found.state, found.failure["category"]) == ("missing", "node")
    assert found.failure["transient"] is True
    assert found.reason == (
        "cut off before its end: Slurm says REQUEUED of job 12_3,"
        " as its node went down: n7 (Not responding)"
    )
    assert found.failure["evidence"]["slurm"]["node_down"] == "n7 (Not responding)"


@pytest.mark.parametrize(
    "line",
    [
        "n8|down*|2026-11-22T07:08:45|Not responding",
        "n7|down|2026-11-22T06:08:45|broken an hour earlier",
        "n7|drained|2026-11-22T07:08:45|to be repaired",
        "n7|down*|Unknown|none",
        "n7",
    ],
)
def test_no_other_node_and_no_other_moment_is_blamed(tmp_path: Path, line: str) -> None:
    a_launch(tmp_path, 0, nodes="n7")
    put_back(tmp_path, "2026-11-22T07:08:45", line)
    found = task(tmp_path)
    assert found.failure is not None
    assert found.failure["category"] == "unknown"
