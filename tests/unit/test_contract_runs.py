"""Folding journals: what a run's folder says about each task."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from specc_runtime.contract.fields import Damage
from specc_runtime.contract.journal import parse_journal, read_journal
from specc_runtime.contract.launches import find_runs, list_launches, read_launch
from specc_runtime.contract.progress import Totals, read_progress, totals
from specc_runtime.contract.runs import RunState, TaskState, fold
from specc_runtime.contract.segments import Segment, check_segment, read_segment
from specc_runtime.contract.tasks import TaskRow

TASK = "0123456789abcdef"
SHARD = "1-cpu-0000"


def a_row(not_run: str | None = None) -> TaskRow:
    return TaskRow(TASK, 0, "1-cpu", SHARD, 0, {}, 0, {}, not_run)


class ALaunch:
    """A launch folder that events are added to."""

    def __init__(self, run: Path, number: int) -> None:
        self.name = f"{SHARD}/launch-{number:03d}"
        self.folder = run / self.name
        self.folder.mkdir(parents=True)
        self.lines: list[str] = []

    def event(self, event: str, attempt: int = 1, **fields: Any) -> ALaunch:
        head = {"event": event, "seq": len(self.lines), "t_ns": 1, "epoch_ns": 2}
        task = {"task_id": TASK, "attempt": attempt, "slot": 0}
        self.lines.append(json.dumps({**head, **task, **fields}) + "\n")
        (self.folder / "events.jsonl").write_text("".join(self.lines))
        return self

    def started(self, attempt: int = 1) -> ALaunch:
        return self.event("task_started", attempt, pid=1, gpu=None, neighbours=[])

    def completed(self, attempt: int = 1, rows: str = '{"n":1}\n') -> ALaunch:
        (self.folder / "records.0.0.jsonl").write_text(rows)
        segments = [dict(vars(a_segment(self.name, rows)))]
        return self.event(
            "task_completed", attempt, segments=segments, duration_s=1.5, artefacts=[]
        )

    def failed(self, attempt: int = 1) -> ALaunch:
        fields: Mapping[str, Any] = {
            "category": "program",
            "transient": False,
            "type": None,
            "message": "bad",
            "exit_code": 1,
            "signal": None,
            "stderr_tail": [],
            "evidence": {},
            "suggestion": None,
            "will_retry": False,
            "duration_s": 0.5,
        }
        return self.event("task_failed", attempt, **fields)

    def ended(self) -> ALaunch:
        return self.event("launch_ended", exit_code=0, reason=None, counts={})


def a_segment(launch: str, rows: str) -> Segment:
    digest = hashlib.sha256(rows.encode()).hexdigest()
    return Segment(launch, "records.0.0.jsonl", 0, len(rows), rows.count("\n"), digest)


def the_task(run: Path, **options: Any) -> TaskState:
    return fold(run, [a_row()], **options).tasks[TASK]


def test_completed_with_its_rows(tmp_path: Path) -> None:
    ALaunch(tmp_path, 1).started().completed()
    task = the_task(tmp_path)
    assert (task.state, task.segments[0].rows, task.done and task.done.duration_s) == (
        "completed",
        1,
        1.5,
    )


def test_completed_with_other_rows_is_invalid(tmp_path: Path) -> None:
    launch = ALaunch(tmp_path, 1).started().completed()
    (launch.folder / "records.0.0.jsonl").write_text('{"n":2}\n')
    task = the_task(tmp_path)
    assert task.state == "invalid"
    assert task.reason == f"{launch.name}/records.0.0.jsonl does not match its hash at byte 0"
    assert the_task(tmp_path, check=False).state == "completed"


def test_first_of_two_completions_counts(tmp_path: Path) -> None:
    ALaunch(tmp_path, 2).started(2).completed(2)
    ALaunch(tmp_path, 1).started().completed()
    task = the_task(tmp_path)
    assert task.done is not None
    assert (task.done.attempt, [other.attempt for other in task.duplicates]) == (1, [2])


def test_start_without_an_end_runs_until_its_launch_is_over(tmp_path: Path) -> None:
    launch = ALaunch(tmp_path, 1).started()
    assert the_task(tmp_path).state == "running"
    assert the_task(tmp_path, ended=True).reason == "cut off before its end"
    launch.ended()
    assert the_task(tmp_path).state == "missing"


def test_later_launch_ends_the_earlier_one(tmp_path: Path) -> None:
    ALaunch(tmp_path, 1).started()
    ALaunch(tmp_path, 2).event("launch_started", launch="launch-002", tasks=1, done=0)
    assert the_task(tmp_path).state == "missing"


def test_failure_and_then_success(tmp_path: Path) -> None:
    launch = ALaunch(tmp_path, 1).started().failed()
    task = the_task(tmp_path)
    assert (task.state, task.reason) == ("failed", "bad")
    assert task.failure is not None
    launch.started(2).completed(2)
    assert [attempt.outcome for attempt in the_task(tmp_path).attempts] == ["failed", "completed"]


def test_checkpoint_survives_its_attempt(tmp_path: Path) -> None:
    ALaunch(tmp_path, 1).started().event("task_checkpoint", segments=[], progress={"step": 3})
    saved = the_task(tmp_path, ended=True).checkpoint
    assert saved is not None
    assert saved.progress == {"step": 3}


def test_not_run_by_its_launch_until_it_starts(tmp_path: Path) -> None:
    ALaunch(tmp_path, 1).event("task_not_run", reason="stopped")
    assert (the_task(tmp_path).state, the_task(tmp_path).reason) == ("not_run", "stopped")
    ALaunch(tmp_path, 2).started().ended()
    assert the_task(tmp_path).state == "missing"


def test_not_run_by_the_matrix(tmp_path: Path) -> None:
    state = fold(tmp_path, [a_row("no CUDA device")])
    assert (state.tasks[TASK].state, state.counts()) == ("not_run", {"not_run": 1})


def test_task_that_the_table_does_not_know(tmp_path: Path) -> None:
    ALaunch(tmp_path, 1).started()
    assert fold(tmp_path, []).unknown_tasks == (TASK,)


def test_torn_last_line_is_cut_off_and_counted(tmp_path: Path) -> None:
    launch = ALaunch(tmp_path, 1).started()
    path = launch.folder / "events.jsonl"
    path.write_text(path.read_text() + '{"event":"task_com')
    state = fold(tmp_path, [a_row()])
    assert (state.launches[0].torn_bytes, state.tasks[TASK].state) == (18, "running")


def test_damage_before_the_last_line_is_located(tmp_path: Path) -> None:
    with pytest.raises(Damage, match=r"^j:2: event: must be one of launch_started"):
        parse_journal(
            b'{"event":"signal","seq":0,"t_ns":1,"epoch_ns":1,"name":"X","seconds_left":null}\n'
            b'{"event":"x"}\n{"ev',
            file="j",
        )


def test_no_journal_is_an_empty_one(tmp_path: Path) -> None:
    assert read_journal(tmp_path / "events.jsonl").events == ()


def test_only_one_shard_is_read_on_request(tmp_path: Path) -> None:
    ALaunch(tmp_path, 1).started()
    assert fold(tmp_path, [a_row()], shard_id="1-cpu-0001").launches == ()


def test_launches_come_by_number_not_by_name(tmp_path: Path) -> None:
    for number in (1000, 2, 999):
        ALaunch(tmp_path, number)
    (tmp_path / SHARD / "lease").mkdir()
    assert [launch.number for launch in list_launches(tmp_path)] == [2, 999, 1000]


def test_runs_are_found_below_bundles_and_results(tmp_path: Path) -> None:
    ALaunch(tmp_path / "bundle" / "results" / "r1", 1)
    (tmp_path / "bundle" / "manifest.json").touch()
    ALaunch(tmp_path / "scratch" / "study-0123456789ab" / "r2", 1)
    (tmp_path / "bundle" / "code" / SHARD / "launch-001").mkdir(parents=True)
    found = find_runs(tmp_path)
    assert [(run.run_id, run.bundle_id) for run in found] == [("r1", None), ("r2", None)]
    assert [run.run_id for run in find_runs(tmp_path / "bundle" / "results" / "r1")] == ["r1"]
    (tmp_path / "compiled").mkdir()
    (tmp_path / "compiled" / "manifest.json").touch()
    assert find_runs(tmp_path / "compiled") == find_runs(tmp_path / "nowhere") == ()


def test_bundle_id_of_a_run_comes_from_its_launches(tmp_path: Path) -> None:
    corpus = json.loads((Path(__file__).parents[1] / "contract" / "launch.json").read_text())
    ALaunch(tmp_path, 1)
    (ALaunch(tmp_path, 2).folder / "launch.json").write_text("{")
    (ALaunch(tmp_path, 3).folder / "launch.json").write_text(json.dumps(corpus[0]["base"]))
    run = find_runs(tmp_path)[0]
    assert run.bundle_id == "study-0123456789ab"
    assert read_launch(run.launches[0]) is None
    with pytest.raises(Damage, match=r"launch-002/launch.json:1: not JSON"):
        read_launch(run.launches[1])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ('{"n":1}', "ends 1 bytes too early"),
        ("", "ends 8 bytes too early"),
        (None, "No such file or directory"),
    ],
)
def test_segment_against_its_file(tmp_path: Path, data: str | None, says: str) -> None:
    launch = ALaunch(tmp_path, 1)
    if data is not None:
        (launch.folder / "records.0.0.jsonl").write_text(data)
    segment = a_segment(launch.name, '{"n":1}\n')
    assert says in str(check_segment(str(tmp_path), segment))
    with pytest.raises(Damage):
        read_segment(str(tmp_path), segment)


def test_segment_with_other_rows_than_it_says(tmp_path: Path) -> None:
    launch = ALaunch(tmp_path, 1).completed(rows='{"n":1}\n{"n":2}\n')
    good = a_segment(launch.name, '{"n":1}\n{"n":2}\n')
    assert read_segment(str(tmp_path), good) == b'{"n":1}\n{"n":2}\n'
    wrong = Segment(**{**vars(good), "rows": 3})
    assert (
        check_segment(str(tmp_path), wrong)
        == f"{launch.name}/records.0.0.jsonl holds 2 rows, not 3"
    )


def test_totals_add_up_runs(tmp_path: Path) -> None:
    ALaunch(tmp_path, 1).started().completed()
    done = fold(tmp_path, [a_row()])
    waiting: RunState = fold(tmp_path / "none", [a_row()])
    found = totals([done, waiting])
    assert found == Totals(2, 1, 0, 0, 0, 1, 0)
    assert (found.percent, totals([]).percent) == (50.0, 100.0)


def test_a_task_that_the_table_leaves_out_is_done(tmp_path: Path) -> None:
    found = totals([fold(tmp_path, [a_row("no CUDA device")])])
    assert (found.not_run, found.left_out, found.percent) == (1, 1, 100.0)


def test_what_is_left_out_counts_for_no_progress(tmp_path: Path) -> None:
    waiting = fold(tmp_path / "none", [a_row()])
    found = totals([waiting, *[fold(tmp_path, [a_row("left out")])] * 9])
    assert (found.total, found.to_run, found.percent) == (10, 1, 0.0)


def test_a_task_that_a_stopped_launch_never_started_is_not_done(tmp_path: Path) -> None:
    ALaunch(tmp_path, 1).event("task_not_run", reason="not started: SIGINT")
    found = totals([fold(tmp_path, [a_row()])])
    assert (found.not_run, found.left_out, found.percent) == (1, 0, 0.0)


def test_no_progress_yet(tmp_path: Path) -> None:
    assert read_progress(tmp_path) is None
