"""Where the node looks: GPU entries, refusals of the kernel, logs."""

from __future__ import annotations

from pathlib import Path

import pytest

from specc_runtime import limits
from specc_runtime.books.progress import terminal_mode
from specc_runtime.log import Log
from specc_runtime.slots.devices import visible_gpus
from specc_runtime.slots.slots import NoDevice, make_slots


@pytest.mark.parametrize(
    ("listed", "entries"),
    [
        ("0,1", ["0", "1"]),
        ("", []),
        ("-1", []),
        ("GPU-a, MIG-b", ["GPU-a", "MIG-b"]),
        ("2,-1,3", ["2"]),
    ],
)
def test_entries_of_cuda_visible_devices(listed: str, entries: list[str]) -> None:
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": listed}) == entries


@pytest.mark.parametrize(
    ("gpus", "slots", "seen"),
    [(0.5, 4, ["7", "9", "7", "9"]), (2, 1, ["7,9"]), (1, 5, ["7", "9"]), (0, 2, [None, None])],
)
def test_gpus_of_the_slots(gpus: float, slots: int, seen: list[str | None]) -> None:
    shape = {"slots": slots, "task": {"gpus": gpus, "cpus": 1}}
    made = make_slots(shape, {"CUDA_VISIBLE_DEVICES": "7,9"})
    assert [slot.gpu for slot in made] == seen


def test_more_gpus_for_one_task_than_there_are() -> None:
    with pytest.raises(NoDevice, match="a task needs 3, here are 2"):
        make_slots({"slots": 1, "task": {"gpus": 3, "cpus": 1}}, {"CUDA_VISIBLE_DEVICES": "7,9"})


def test_too_few_cpus_for_all_slots_pins_none() -> None:
    made = make_slots({"slots": 2, "task": {"gpus": 0, "cpus": 10_000}}, {})
    assert [slot.cpu_set for slot in made] == [None, None]


def test_cpu_that_does_not_exist_is_refused_quietly() -> None:
    assert limits.pin_to([100_000]) is False
    assert limits.pin_to(None) is True


def test_group_that_does_not_exist() -> None:
    assert limits.signal_group(2**22 - 1, 0) is False


def test_signal_without_a_name() -> None:
    assert limits.signal_name(40) == "signal 40"


def test_log_that_cannot_be_written_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = Log(str(tmp_path / "none" / "log.jsonl"))
    log.error("gone")
    log.close()
    assert "specc: error: gone" in capsys.readouterr().err


@pytest.mark.parametrize(("asked", "mode"), [("json", "json"), ("none", "none"), ("", "plain")])
def test_progress_goes_where_it_is_asked(asked: str, mode: str) -> None:
    assert terminal_mode({"SPECC_PROGRESS": asked}) == mode
