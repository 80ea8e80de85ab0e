"""One task of kind training from start to end: rows, cadences, repeatability, refusals."""

from __future__ import annotations

import math
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from kind_attempts import Ran, run_attempt
from training_parts import MODULE, cifar_binary, digits, settings

from specc_runtime.attempts.attempt import TaskError
from specc_runtime.kinds.training.interface import Step
from specc_runtime.kinds.training.watch import LossWatch
from specc_runtime.ml import cnn, schedules

STEPS_PER_EPOCH = 7
STEPS = 21
OF_THE_CLOCK = ("t_ns", "start_ns", "step_ns", "callbacks_ns", "rss_peak_bytes")


def train(folder: Path, **changes: Any) -> Ran:
    folder.mkdir(exist_ok=True)
    inputs = {"digits": digits(folder / "digits.csv.gz")}
    return run_attempt(folder, MODULE, settings(**changes), inputs=inputs)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """3 epochs of 7 steps on 120 images."""
    ran = train(tmp_path_factory.mktemp("task"))
    assert ran.outcome["what"] == "done", ran.outcome
    return ran


def measured(ran: Ran) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in row.items() if name not in OF_THE_CLOCK}
        for row in ran.rows
        if row["type"] != "epoch"
    ]


def test_each_thing_is_recorded_as_often_as_asked(ran):
    counts = Counter(row["type"] for row in ran.rows)
    assert counts["batch"] == STEPS
    assert counts["quarter"] == 4 * 3
    assert [row["step"] for row in ran.of("curvature")] == [7, 14, 21]
    assert [row["step"] for row in ran.of("noise")] == [14]
    assert [row["epoch"] for row in ran.of("epoch")] == [1, 2, 3]
    assert counts["model"] == counts["weights"] == 1
    assert counts["warning"] == 0


def test_every_step_has_its_row_in_order(ran):
    rows = ran.of("batch")
    assert [row["step"] for row in rows] == list(range(1, STEPS + 1))
    assert rows[-1]["epoch"] == 3.0
    for row in rows:
        assert row["loss_train_bits"] == pytest.approx(row["loss_train_nats"] / math.log(2))
        assert row["step_ns"] > 0
        assert row["callbacks_ns"] >= 0
    starts = [row["start_ns"] for row in rows]
    assert starts == sorted(starts)


def test_the_first_loss_is_that_of_guessing_and_it_falls(ran):
    losses = [row["loss_train_nats"] for row in ran.of("batch")]
    assert losses[0] == pytest.approx(math.log(10), abs=0.4)
    assert sum(losses[-7:]) / 7 < 1.7


def test_the_learning_rate_follows_the_schedule(ran):
    rates = [row["lr"] for row in ran.of("batch")]
    assert rates[:7] == pytest.approx([0.05 * (step + 1) / 8 for step in range(7)])
    expected = [0.025 * (1 + math.cos(math.pi * step / 14)) for step in range(14)]
    assert rates[7:] == pytest.approx(expected)


def test_the_model_record_names_what_was_trained(ran):
    (row,) = ran.of("model")
    # 3x3x4 + 8, 3x3x4x8 + 16, 128x10 + 10: weights, norms, linear layer
    assert row["parameters"] == 36 + 8 + 288 + 16 + 1280 + 10
    assert (row["architecture"], row["dtype"], row["device"]) == ("small_cnn", "float32", "cpu")
    assert (row["classes"], row["train_samples"], row["val_samples"]) == (10, 120, 40)
    assert row["threads"] == 1


def test_an_epoch_says_how_long_training_and_callbacks_took(ran):
    for number, row in enumerate(ran.of("epoch")):
        batches = ran.of("batch")[number * 7 : number * 7 + 7]
        assert row["train_s"] == pytest.approx(sum(each["step_ns"] for each in batches) / 1e9)
        assert row["callbacks_s"] >= sum(each["callbacks_ns"] for each in batches) / 1e9
        assert row["seconds"] == pytest.approx(row["train_s"] + row["callbacks_s"])


def test_the_same_seed_gives_the_same_bits(ran, tmp_path):
    assert measured(train(tmp_path)) == measured(ran)


def test_the_final_weights_are_validated_on_all_images(ran):
    (row,) = ran.of("weights")
    last = ran.of("quarter")[-1]
    # 40 images are fewer than a quarter looks at, and the last quarter ends with the run
    assert ran.of("model")[0]["quarter_samples"] == 40
    assert (row["loss_val_all_nats"], row["acc_val_all"]) == (
        last["loss_val_nats"],
        last["acc_val"],
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"model": {"norm": False}, "grad_clip_norm": 0.5, "deterministic": True},
        {
            "model": {"architecture": "resnet18", "width": 4, "width_factor": 0.5},
            "precision": "bfloat16",
            "channels_last": True,
            "optimizer": "adamw",
            "lr": 0.003,
            "schedule": "constant",
        },
    ],
    ids=["bn_off", "narrow resnet, adamw, bfloat16"],
)
def test_every_variant_runs(changes, tmp_path):
    ran = train(tmp_path, epochs=1, **changes)
    assert ran.outcome["what"] == "done", ran.outcome
    assert len(ran.of("batch")) == STEPS_PER_EPOCH
    assert len(ran.of("quarter")) == 4
    assert ran.of("warning") == []


def test_a_loss_that_is_not_finite_ends_the_run_as_diverged(tmp_path):
    ran = train(tmp_path, lr=1e30, model={"norm": False}, warmup_epochs=0)
    assert ran.outcome["category"] == "diverged"
    assert ran.outcome["message"].startswith("the training loss of step ")
    assert ran.outcome["evidence"]["step"] <= 5


def test_a_mean_loss_that_guessing_beats_ends_the_run_as_diverged(tmp_path):
    quality = {"loss_above_ln_classes_after_epochs": 1}
    ran = train(tmp_path, lr=5.0, warmup_epochs=0, quality=quality)
    assert ran.outcome["category"] == "diverged"
    assert ran.outcome["message"].startswith("the mean training loss of epoch 1 is ")
    assert "above ln(10) = 2.303: guessing is better" in ran.outcome["message"]
    assert [row["epoch"] for row in ran.of("epoch")] == [1]


@pytest.mark.parametrize(("logit", "goes_on"), [(0.0, True), (0.01, False)])
def test_a_net_that_guesses_exactly_is_not_worse_than_guessing(logit, goes_on):
    logits = torch.zeros(4, 10)
    logits[:, 1] = logit
    watch = LossWatch(settings(), classes=10)
    loss = torch.nn.functional.cross_entropy(logits, torch.zeros(4, dtype=torch.long))
    watch.saw(Step(1, 1.0, loss, torch.tensor(0.1), 0.1, 0.0, 0, 0))
    if goes_on:
        watch.epoch_ended(99)
    else:
        with pytest.raises(TaskError, match="guessing is better"):
            watch.epoch_ended(99)


def test_a_batch_larger_than_the_data_is_refused_before_any_row(tmp_path):
    ran = train(tmp_path, batch_size=121)
    assert ran.outcome["category"] == "dataset_load"
    assert ran.outcome["message"] == "a batch has 121 images, but there are only 120 to train on"
    assert ran.outcome["suggestion"] == "set batch_size to at most 120"
    assert ran.rows == []


def test_a_truncated_archive_is_refused_before_any_row(tmp_path):
    path = cifar_binary(tmp_path / "cifar.tar.gz")
    path.write_bytes(path.read_bytes()[:5000])
    block = {"file": "input:cifar", "format": "cifar10-binary", "validation_fraction": None}
    ran = run_attempt(tmp_path, MODULE, settings(data=block), inputs={"cifar": path})
    assert ran.outcome["category"] == "dataset_load"
    assert ran.outcome["message"].startswith(
        "the data set cannot be used: input:cifar: it can't be read as cifar10-binary: "
    )
    assert "fetch it again" in ran.outcome["suggestion"]
    assert ran.rows == []


def test_cifar_from_its_archive_is_validated_on_its_own_test_part(tmp_path):
    block = {"file": "input:cifar", "format": "cifar10-binary", "validation_fraction": None}
    inputs = {"cifar": cifar_binary(tmp_path / "cifar.tar.gz")}
    chosen = settings(data=block, epochs=1, batch_size=25, cadences={"curvature_steps": None})
    ran = run_attempt(tmp_path, MODULE, chosen, inputs=inputs)
    assert ran.outcome["what"] == "done", ran.outcome
    (row,) = ran.of("model")
    assert (row["train_samples"], row["val_samples"], row["image"]) == (100, 20, [3, 32, 32])


STALL = """
import time
from specc_runtime.attempts.attempt import TaskError
from specc_runtime.kinds.training.interface import Step
from specc_runtime.kinds.training.watch import StallWatch
import torch
watch = StallWatch({"quality": {"stalled_factor": 10, "stalled_min_seconds": %s}})
watch.start()
zero = torch.zeros(())
watch.saw(Step(1, 0.1, zero, zero, 0.1, 0.0, 0, step_ns=20_000_000))
try:
    time.sleep(%s)
except TaskError as error:
    print(error.category, error.message)
watch.stop()
"""


@pytest.mark.parametrize(
    ("least_s", "sleeps_s", "printed"),
    [
        (0.01, 60, "stalled no step in 0.2 s; the median of the first ones took 0.02 s\n"),
        (30, 0.3, ""),
    ],
)
def test_a_run_without_a_step_for_many_medians_is_ended_as_stalled(least_s, sleeps_s, printed):
    code = STALL % (least_s, sleeps_s)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True
    )
    assert done.stdout == printed


SUSPENDED = """
import signal, torch
from specc_runtime.attempts.attempt import TaskError
from specc_runtime.kinds.training.interface import Step
from specc_runtime.kinds.training.watch import StallWatch
watch = StallWatch({"quality": {"stalled_factor": 10, "stalled_min_seconds": 900}})
watch.start()
zero = torch.zeros(())
for number in (1, 2):
    watch.saw(Step(number, 0.1, zero, zero, 0.1, 0.0, 0, step_ns=20_000_000))
    signal.raise_signal(signal.SIGALRM)
print("goes on")
try:
    signal.raise_signal(signal.SIGALRM)
except TaskError as error:
    print(error.category)
"""


def test_one_alarm_as_after_a_suspension_ends_nothing_and_a_second_without_a_step_does():
    done = subprocess.run(
        [sys.executable, "-c", SUSPENDED], capture_output=True, text=True, timeout=50, check=True
    )
    assert done.stdout == "goes on\nstalled\n"


def test_resnet18_has_the_parameters_of_the_paper_and_half_the_width_a_quarter():
    block = settings(model={"architecture": "resnet18", "width": 64})["model"]

    def count(**changes: Any) -> int:
        with torch.device("meta"):
            net = cnn.build({**block, **changes}, channels=3, classes=10)
        return sum(value.numel() for value in net.parameters())

    assert count() == 11_173_962
    assert count(width_factor=0.5) == 2_797_610
    # each batch norm has two numbers for a channel, and each bias one
    assert count(norm=False) == 11_173_962 - 4_800


@pytest.mark.parametrize(("size", "length"), [(4, 4), (4, 7), (4, 14), (4, 16), (1, 5), (4, 3)])
def test_the_pool_is_torchs_own_with_its_gradient(size, length):
    images = torch.rand(2, 3, length, length + 1, generator=torch.Generator().manual_seed(5))
    found = []
    for pool in (cnn.AveragePool(size), torch.nn.AdaptiveAvgPool2d(size)):
        own = images.clone().requires_grad_()
        means = pool(own)
        (means**2).sum().backward()
        found.append((means.detach(), own.grad))
    torch.testing.assert_close(found[0], found[1])


def test_the_schedule_is_the_closed_form_at_the_size_of_the_study():
    block = settings(lr=0.2, epochs=50, warmup_epochs=5)
    rate = schedules.build(block, steps_per_epoch=390)
    assert rate(0) == pytest.approx(0.2 / 1951)
    assert rate(1949) == pytest.approx(0.2 * 1950 / 1951)
    assert rate(1950) == 0.2
    assert rate(1950 + 17550 // 2) == pytest.approx(0.1)
    assert rate(19499) == pytest.approx(0.2 * math.sin(math.pi / 2 / 17550) ** 2)
