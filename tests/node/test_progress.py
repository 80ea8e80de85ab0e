"""What a launch says of its progress: the time left, the share done, and how often a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from specc_runtime.books.progress import Progress
from specc_runtime.contract.progress import read_progress

LABEL = "1-cpu-0000"
BUSY = {"slot": 0, "gpu": None, "state": "running", "task_id": "0" * 16, "since_epoch_ns": 1}


def _progress(folder: Path, *, mode: str = "none", total: int = 4, done: int = 0) -> Progress:
    return Progress(str(folder / "progress.json"), total=total, done=done, mode=mode, label=LABEL)


def _later(progress: Progress, seconds: float) -> None:
    """Let time pass: everything that was noted lies further back."""
    for name in ("_started", "_last_end", "_next_file", "_next_line"):
        setattr(progress, name, getattr(progress, name) - seconds)


def _told(progress: Progress, folder: Path, *, last: bool = False) -> dict[str, Any]:
    progress.show([BUSY], last=last)
    found = read_progress(folder)
    assert found is not None
    return found


def test_time_left_is_unknown_before_the_first_end(tmp_path: Path) -> None:
    progress = _progress(tmp_path, done=2)
    _later(progress, 100)
    assert _told(progress, tmp_path)["eta_s"] is None


def test_time_left_runs_down_while_a_long_task_runs(tmp_path: Path) -> None:
    progress = _progress(tmp_path)
    _later(progress, 100)
    progress.task_completed()
    etas = [_told(progress, tmp_path)["eta_s"]]
    for _ in range(2):
        _later(progress, 120)
        etas.append(_told(progress, tmp_path)["eta_s"])
    assert etas == pytest.approx([300, 180, 60], abs=1)


def test_time_left_is_never_negative(tmp_path: Path) -> None:
    progress = _progress(tmp_path)
    _later(progress, 10)
    progress.task_completed()
    _later(progress, 1000)
    assert _told(progress, tmp_path)["eta_s"] == 0.0


def test_a_failure_that_is_final_sets_the_pace_too(tmp_path: Path) -> None:
    progress = _progress(tmp_path)
    _later(progress, 100)
    progress.task_failed()
    assert _told(progress, tmp_path)["eta_s"] == pytest.approx(300, abs=1)


def test_a_stopped_launch_has_no_time_left_to_tell(tmp_path: Path) -> None:
    progress = _progress(tmp_path)
    _later(progress, 100)
    progress.task_completed()
    progress.not_run = 3
    assert _told(progress, tmp_path, last=True)["eta_s"] is None


def test_progress_on_a_terminal_stays_on_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    progress = _progress(tmp_path, mode="tty", total=5, done=1)
    progress.show([])
    _later(progress, 3700)
    progress.task_completed()
    progress.task_failed()
    progress.show([], last=True)
    first, second = capsys.readouterr().err.split("\r\x1b[K")[1:]
    assert first == "1-cpu-0000  [1/5] 20 %  running 0"
    assert second == "1-cpu-0000  [2/5] 40 %  eta 1:01:40  running 0  failed 1\n"


@pytest.mark.parametrize("mode", ["plain", "json"])
def test_a_log_gets_a_line_only_when_counts_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: str
) -> None:
    progress = _progress(tmp_path, mode=mode)
    _later(progress, 100)
    progress.task_completed()
    lines = []
    for ends in (0, 0, 1, 0):
        progress.completed += ends
        _later(progress, 10)
        progress.show([BUSY])
        lines.append(capsys.readouterr().err.count("\n"))
    assert lines == [1, 0, 1, 0]


def test_a_log_begins_with_the_first_task(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    progress = _progress(tmp_path, mode="plain")
    progress.show([])
    _later(progress, 10)
    progress.show([BUSY])
    assert capsys.readouterr().err == "1-cpu-0000  [0/4] 0 %  running 1\n"


def test_a_terminal_sees_the_time_left_run_down(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    progress = _progress(tmp_path, mode="tty")
    _later(progress, 100)
    progress.task_completed()
    progress.show([BUSY])
    _later(progress, 60)
    progress.show([BUSY])
    assert capsys.readouterr().err.count("eta ") == 2


def test_what_was_stopped_or_never_started_is_not_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    progress = _progress(tmp_path, mode="plain")
    progress.completed, progress.failed, progress.not_run = 1, 1, 2
    progress.show([], last=True)
    assert capsys.readouterr().err == "1-cpu-0000  [1/4] 25 %  running 0  failed 1  not run 2\n"


def test_progress_in_silence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _progress(tmp_path / "none").show([], last=True)
    assert capsys.readouterr().err == ""


def test_what_earlier_launches_gave_up_sets_no_pace(tmp_path: Path) -> None:
    progress = _progress(tmp_path)
    progress.give_up(2)
    _later(progress, 100)
    assert _told(progress, tmp_path)["eta_s"] is None
    progress.task_completed()
    assert _told(progress, tmp_path, last=True)["eta_s"] == pytest.approx(100, abs=1)


def test_a_stopped_task_is_no_failed_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    progress = _progress(tmp_path, mode="plain")
    progress.task_stopped()
    told = _told(progress, tmp_path, last=True)
    assert (told["failed"], told["stopped"]) == (0, 1)
    assert capsys.readouterr().err == "1-cpu-0000  [0/4] 0 %  running 1  stopped 1\n"


def test_almost_all_is_not_100_percent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _progress(tmp_path, mode="plain", total=1000, done=999).show([BUSY], last=True)
    assert capsys.readouterr().err == "1-cpu-0000  [999/1000] 99 %  running 1\n"
