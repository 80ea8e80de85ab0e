"""What must not end a training, and what must not count as a finished one."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import pytest
import torch
from kind_attempts import run_attempt
from training_parts import MODULE, digits, settings

from specc_runtime.attempts.attempt import TaskError
from specc_runtime.kinds.training import checkpoints
from specc_runtime.kinds.training.checkpoints import Checkpoint
from specc_runtime.kinds.training.interface import Callback
from specc_runtime.kinds.training.loop import Trainer
from specc_runtime.kinds.training.run import weights_sha256
from specc_runtime.ml import image_data

CPU = torch.device("cpu")


class Failing(Callback):
    """Fails in whatever it is asked besides its work."""

    name = "failing"

    def after_step(self, state: Any) -> None:
        del state

    def reads(self, state: Any) -> bool:
        raise RuntimeError("in reads")

    def saved(self) -> dict[str, torch.Tensor]:
        raise RuntimeError("in saved")

    def restore(self, saved: Any) -> None:
        raise RuntimeError("in restore")


class Kept(Failing):
    def saved(self) -> dict[str, torch.Tensor]:
        return {"one": torch.ones(1)}


def trainer(folder: Path, callbacks: list[Callback], rows: list[dict[str, Any]]) -> Trainer:
    chosen = settings(data={"file": str(digits(folder / "digits.csv.gz"))})
    images = image_data.load(folder / "digits.csv.gz", chosen["data"], CPU)
    return Trainer(
        chosen, images, CPU, callbacks, lambda type_, **f: rows.append({"type": type_, **f})
    )


def test_a_callback_that_fails_wherever_it_is_asked_changes_nothing_of_the_run(tmp_path):
    rows: list[dict[str, Any]] = []
    bare = trainer(tmp_path, [], [])
    first, second = (trainer(tmp_path, [one], rows) for one in (Failing(), Kept()))
    for each in (bare, first, second):
        each.epoch(0)
    tensors = first.saved()
    assert not [name for name in tensors if name.startswith("callback/")]
    second.restore(Checkpoint(1, 7, [], second.plain(), second.saved()))
    for each in (bare, first, second):
        each.epoch(1)
    assert weights_sha256(first.model) == weights_sha256(bare.model)
    assert weights_sha256(second.model) == weights_sha256(bare.model)
    # of the 1st, 2nd, 4th and 8th time
    told = [(row["times"], row["message"]) for row in rows if row["type"] == "warning"]
    assert (1, "RuntimeError: in reads") in told
    assert (8, "RuntimeError: in saved") in told
    assert (8, "RuntimeError: in restore") in told


def test_weights_that_the_last_step_made_useless_are_no_result(tmp_path):
    # one step in all: its loss is taken before it, and is fine
    changes = {"epochs": 1, "warmup_epochs": 0, "batch_size": 120, "lr": 1e38}
    inputs = {"digits": digits(tmp_path / "digits.csv.gz")}
    ran = run_attempt(tmp_path, MODULE, settings(**changes), inputs=inputs)
    (weights,) = ran.of("weights")
    assert weights["loss_val_all_nats"] is None
    assert (ran.outcome["what"], ran.outcome["category"]) == ("failed", "diverged")
    assert ran.outcome["message"].startswith("the last step broke the weights: ")


def test_half_a_checkpoint_does_not_stay_on_a_full_disk(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    large = Checkpoint(1, 7, [], {"failures": {}}, {"model/weight": torch.zeros(10_000)})
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            checkpoints.write(tmp_path, "a" * 16, large)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


class Stalled(Callback):
    """As when the alarm of the watch over stalls rings while a checkpoint is made."""

    name = "stalled"

    def after_step(self, state: Any) -> None:
        del state

    def saved(self) -> dict[str, torch.Tensor]:
        raise TaskError("stalled", "no step", "look at it")


def test_an_alarm_that_rings_while_a_checkpoint_is_made_ends_the_run(tmp_path):
    ran = trainer(tmp_path, [Stalled()], [])
    ran.epoch(0)
    with pytest.raises(TaskError, match="no step"):
        ran.saved()
