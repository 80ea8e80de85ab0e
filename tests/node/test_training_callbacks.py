"""The callbacks of kind training: names, cadences, values, and that they change nothing."""

from __future__ import annotations

import gc
import math
import signal
import time
from collections import Counter
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
from torch.nn import functional
from training_parts import digits, settings

from specc_runtime.attempts.attempt import TaskError
from specc_runtime.kinds.training.callbacks import table
from specc_runtime.kinds.training.loop import Trainer
from specc_runtime.kinds.training.run import check
from specc_runtime.ml import image_data

CPU = torch.device("cpu")
TIMES = {"start_ns", "step_ns", "callbacks_ns", "train_s", "callbacks_s", "seconds"}
NEVER = {"quarter_epochs": None, "curvature_steps": None, "noise_epochs": None}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """120 images to train on and 40 to validate on: 7 steps of 16 in an epoch."""
    path = digits(tmp_path_factory.mktemp("data") / "digits.csv.gz")
    return image_data.load(path, settings()["data"], CPU)


class Run:
    """A real run whose rows are kept in a list."""

    def __init__(self, data: image_data.Images, callbacks: Any = None, **changes: Any) -> None:
        self.rows: list[dict[str, Any]] = []
        chosen = settings(**changes)
        made = table.build(chosen)
        kept = made if callbacks is None else [one for one in made if one.name in callbacks]
        self.trainer = Trainer(chosen, data, CPU, kept, self.record)

    def record(self, type: str, /, **fields: Any) -> None:
        self.rows.append({"type": type, **fields})

    def epochs(self, first: int, last: int) -> Run:
        for number in range(first, last):
            self.trainer.epoch(number)
        return self

    def of(self, type: str) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["type"] == type]

    def steps(self, type: str) -> list[int]:
        return [row["step"] for row in self.of(type)]

    def weights(self) -> torch.Tensor:
        return torch.cat([v.flatten().double() for v in self.trainer.model.state_dict().values()])


def stable(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows without what another run of the same machine measures differently."""
    return [
        {key: value for key, value in row.items() if key not in TIMES}
        for row in rows
        if row["type"] != "resources"
    ]


@pytest.fixture(scope="module")
def full(data):
    return Run(data).epochs(0, 3)


def test_each_row_comes_at_its_cadence(full):
    quarters = [2, 4, 6, 7, 9, 11, 13, 14, 16, 18, 20, 21]  # a quarter is 1.75 steps
    assert full.steps("batch") == list(range(1, 22))
    assert full.steps("quarter") == quarters
    assert full.steps("slope") == quarters
    assert full.steps("curvature") == [7, 14, 21]
    assert full.steps("noise") == [14]
    assert full.steps("resources") == [7, 14, 21]
    assert full.of("warning") == []


@pytest.mark.parametrize(("batch_size", "each"), [(120, 1), (40, 3), (30, 4), (9, 4)])
def test_an_epoch_has_four_quarters_or_as_many_as_it_has_steps(data, batch_size, each):
    run = Run(data, {"quarters"}, batch_size=batch_size).epochs(0, 3)
    assert Counter(math.ceil(row["epoch"]) for row in run.of("quarter")) == dict.fromkeys(
        (1, 2, 3), each
    )
    per_epoch = run.trainer.steps_per_epoch
    assert {per_epoch, 2 * per_epoch, 3 * per_epoch} <= set(run.steps("quarter"))


def test_a_cadence_of_null_means_never(data):
    run = Run(data, cadences=NEVER).epochs(0, 2)
    assert {row["type"] for row in run.rows} == {"batch", "epoch", "resources"}


def test_training_with_callbacks_is_bit_equal_to_training_without(data, full):
    assert torch.equal(full.weights(), Run(data, ()).epochs(0, 3).weights())


def test_how_many_images_are_validated_on_changes_no_bit_of_the_training(data, full):
    other = Run(data, quarter_samples=8, cadences={"flush_steps": 1000}).epochs(0, 3)
    assert torch.equal(full.weights(), other.weights())
    assert other.of("quarter")[0]["loss_val_nats"] != full.of("quarter")[0]["loss_val_nats"]
    rights = [row["acc_val"] * 8 for row in other.of("quarter")]
    assert rights == [round(right) for right in rights]


def test_another_seed_gives_another_run(data, full):
    other = Run(data, {"batches"}, seed=1).epochs(0, 1).of("batch")
    assert other[0]["loss_train_nats"] != full.of("batch")[0]["loss_train_nats"]


def test_nothing_is_trained_in_0_epochs(data):
    with pytest.raises(TaskError, match="epochs is 0: nothing would be trained") as caught:
        check(settings(epochs=0), data)
    assert (caught.value.category, caught.value.suggestion) == (
        "program",
        "set epochs to 1 or more",
    )


def test_a_residual_net_under_mixed_precision_is_left_alone_too(data):
    changes: dict[str, Any] = {
        "model": {"architecture": "resnet18", "width": 2},
        "precision": "bfloat16",
        "grad_clip_norm": 0.5,
    }
    watched = Run(data, **changes).epochs(0, 1)
    assert torch.equal(watched.weights(), Run(data, (), **changes).epochs(0, 1).weights())
    assert watched.of("curvature")[0]["lambda_max"] is not None
    assert watched.of("warning") == []


def test_a_resumed_run_writes_the_rows_of_an_uninterrupted_one(data, full):
    first = Run(data).epochs(0, 1)
    second = Run(data)
    for one, other in zip(first.trainer.callbacks, second.trainer.callbacks, strict=True):
        other.restore(one.saved())
    second.trainer.model.load_state_dict(first.trainer.model.state_dict())
    second.trainer.optimizer.load_state_dict(first.trainer.optimizer.state_dict())
    second.epochs(1, 3)
    assert stable(first.rows + second.rows) == stable(full.rows)


NAMES = ("batches", "quarters", "loss_slope", "curvature", "noise", "resources")


def test_the_callbacks_are_these(full):
    assert tuple(one.name for one in full.trainer.callbacks) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_callback_alone_measures_what_it_measures_beside_the_others(data, full, name):
    alone = Run(data, {name}).epochs(0, 3)
    types = {row["type"] for row in alone.rows} - {"epoch"}
    assert len(types) == 1
    expected = [row for row in full.rows if row["type"] in types | {"epoch"}]
    assert stable(alone.rows) == stable(expected)


def test_no_two_types_of_rows_share_a_metric(full):
    common = {"type", "step", "epoch"}
    names = Counter(
        key
        for type in ("batch", "quarter", "slope", "curvature", "noise", "resources")
        for key in {key for row in full.of(type) for key in row} - common
    )
    assert [name for name, times in names.items() if times > 1] == []


def test_the_names_are_those_of_the_study(full):
    assert {
        "loss_train_nats",
        "loss_train_bits",
        "acc_train",
        "lr",
        "wd",
        "step_ns",
        "callbacks_ns",
    } <= full.of("batch")[0].keys()
    assert {"loss_val_nats", "acc_val", "grad_norm", "weight_norm"} <= full.of("quarter")[0].keys()
    assert {
        "lambda_max",
        "lambda_residual",
        "lambda_iterations",
        "lambda_tolerance",
        "hutchinson_trace",
        "hutchinson_error",
        "hutchinson_probes",
        "subsample",
    } <= full.of("curvature")[0].keys()
    assert {"psd_tail", "gradient_variance", "residual_power"} <= full.of("noise")[0].keys()


def test_bits_are_nats_over_ln_2(full):
    for row in full.of("batch"):
        assert row["loss_train_bits"] == pytest.approx(row["loss_train_nats"] / math.log(2))


def test_every_row_says_how_long_its_callbacks_took(full):
    assert all(row["callbacks_ns"] > 0 for row in full.of("batch"))
    # the step of a curvature takes longer than any that only logs
    times = {row["step"]: row["callbacks_ns"] for row in full.of("batch")}
    assert times[7] > times[1]


def test_work_that_a_device_is_waited_for_counts_as_that_of_the_steps_before(data):
    quarters = {"cadences": {**NEVER, "quarter_epochs": 0.5, "flush_steps": 1000}}
    run = Run(data, {"batches", "quarters"}, **quarters)
    # as a GPU that is behind by 0.7 s whenever it is asked
    run.trainer._wait = lambda: time.sleep(0.7)
    run.epochs(0, 1)
    # read at step 4 and at the end of the epoch, step 7
    times = [row["step_ns"] / 1e9 for row in run.of("batch")]
    assert min(times[:4]) > 0.7 / 4
    assert min(times[4:]) > 0.7 / 3
    assert sum(times) == pytest.approx(run.of("epoch")[0]["train_s"])
    assert max(row["callbacks_ns"] for row in run.of("batch")) < 0.7e9


def test_what_acts_at_each_step_takes_no_twentieth_of_it(data):
    changes: dict[str, Any] = {"model": {"width": 32}, "batch_size": 60, "epochs": 10}
    run = Run(
        data, {"batches", "loss_slope"}, cadences={**NEVER, "flush_steps": 10}, **changes
    ).epochs(0, 10)
    rows = run.of("batch")
    assert len(rows) == 20
    # the fastest of each: a process that was put aside meanwhile says nothing about either
    fastest = {name: min(row[name] for row in rows) for name in ("callbacks_ns", "step_ns")}
    assert fastest["callbacks_ns"] < 0.05 * fastest["step_ns"]
    whole = sum(row["callbacks_ns"] for row in rows) / sum(row["step_ns"] for row in rows)
    assert whole < 0.05


def test_validation_is_that_of_all_images_at_once(data):
    run = Run(data, {"quarters"}, validation_batch_size=9).epochs(0, 2)
    model = run.trainer.model.eval()
    images, classes = data.normalised(data.validation[0]), data.validation[1]
    with torch.no_grad():
        logits = model(images)
    row = run.of("quarter")[-1]
    assert row["loss_val_nats"] == pytest.approx(
        float(functional.cross_entropy(logits, classes)), rel=1e-5
    )
    assert row["acc_val"] == float((logits.argmax(1) == classes).double().mean())


def test_norms_are_those_of_all_weights_and_of_the_gradient_before_clipping(data):
    run = Run(data, {"quarters"}, grad_clip_norm=0.001, batch_size=120).epochs(0, 1)
    (row,) = run.of("quarter")
    parameters = list(run.trainer.model.parameters())
    flat = torch.cat([value.detach().flatten() for value in parameters])
    assert row["weight_norm"] == pytest.approx(float(flat.norm()), rel=1e-5)
    clipped = torch.cat([value.grad.flatten() for value in parameters])
    assert float(clipped.norm()) == pytest.approx(0.001, rel=1e-3)
    plain = Run(data, {"quarters"}, batch_size=120).epochs(0, 1).of("quarter")[0]
    assert row["grad_norm"] == plain["grad_norm"] > 0.1


def test_the_slope_is_that_of_the_batch_rows(full):
    steps = np.array(full.steps("batch"))
    losses = np.array([row["loss_train_nats"] for row in full.of("batch")])
    line = scipy.stats.linregress(np.log(steps), np.log(losses))
    row = full.of("slope")[-1]
    assert row["loss_slope"] == pytest.approx(line.slope, rel=1e-9)
    assert row["loss_slope_error"] == pytest.approx(line.stderr, rel=1e-9)
    assert row["loss_slope_points"] == 21


def test_a_slope_too_early_is_null_with_the_reason(full):
    row = full.of("slope")[0]
    assert row["loss_slope"] is None
    assert row["loss_slope_reason"] == "2 losses are too few, 16 are needed"


def test_noise_looks_at_the_last_losses_of_its_window(data):
    run = Run(data, {"batches", "noise"}, cadences={"noise_epochs": 1}).epochs(0, 3)
    last = np.array([row["loss_train_nats"] for row in run.of("batch")][-16:])
    x, y = np.log(np.arange(6, 22)), np.log(last)
    _, rest, *_ = np.polyfit(x, y, 1, full=True)
    first, _, third = run.of("noise")
    assert third["residual_power"] == pytest.approx(rest[0] / 14, rel=1e-6)
    assert third["window_losses"] == 16
    assert 0 < third["psd_tail"] < 1
    assert first["psd_tail"] is None
    assert first["psd_tail_reason"] == "7 losses are too few, 16 are needed"
    assert first["gradient_variance"] > 0
    assert (third["gradient_batches"], third["gradient_batch_size"]) == (2, 16)


def test_a_callback_that_cannot_work_warns_and_the_run_goes_on(data, full):
    images, classes = data.validation
    broken = image_data.Images(
        train=data.train,
        validation=(images, torch.full_like(classes, 99)),
        mean=data.mean,
        deviation=data.deviation,
        classes=data.classes,
        memory_format=data.memory_format,
    )
    run = Run(broken).epochs(0, 3)
    warnings = run.of("warning")
    assert {row["callback"] for row in warnings} == {"quarters"}
    assert warnings[0]["step"] == 2
    assert "Target 99 is out of bounds" in warnings[0]["message"]
    assert run.of("quarter") == []
    others = [row for row in full.rows if row["type"] != "quarter"]
    assert stable([row for row in run.rows if row["type"] != "warning"]) == stable(others)
    assert torch.equal(run.weights(), full.weights())


def test_curvature_of_weights_that_are_not_finite_is_null_with_the_reason(data):
    run = Run(data, {"curvature"}, cadences={"curvature_steps": 1})
    with torch.no_grad():
        next(run.trainer.model.parameters()).fill_(float("nan"))
    with pytest.raises(TaskError, match="is nan"):
        run.epochs(0, 1)
    row = run.of("curvature")[0]
    product, probe = (
        f"the Hessian times a vector is not finite ({where})" for where in ("product 1", "probe 1")
    )
    expected = {
        "lambda_max": product,
        "lambda_residual": product,
        "hutchinson_trace": probe,
        "hutchinson_error": probe,
    }
    assert {name: row[f"{name}_reason"] for name in expected} == expected
    assert {row[name] for name in expected} == {None}


def test_the_rows_up_to_a_divergence_are_written(data):
    run = Run(data, lr=1e30, warmup_epochs=0)
    with pytest.raises(TaskError, match="the training loss of step"):
        run.epochs(0, 3)
    last = run.of("batch")[-1]
    assert last["loss_train_nats"] is last["loss_train_bits"] is None
    assert last["loss_train_nats_reason"] == "the value is nan"
    assert last["acc_train"] is not None


def test_memory_is_named_with_its_reason_on_a_cpu(full):
    row = full.of("resources")[-1]
    assert row["gpu_memory_allocated_bytes"] is None
    assert row["gpu_memory_allocated_bytes_reason"] == "the task runs on the CPU"
    assert row["rss_peak_bytes"] > 50e6


def test_nothing_piles_up_with_all_callbacks_active(data):
    run = Run(data, epochs=40, cadences={"curvature_steps": 1, "noise_epochs": 0.5})

    def alive() -> tuple[int, int]:
        gc.collect()
        # issubclass of the type: isinstance asks some of torch's objects, which then warn
        tensors = [one for one in gc.get_objects() if issubclass(type(one), torch.Tensor)]
        return len(tensors), sum(one.numel() for one in tensors)

    run.epochs(0, 4)
    before = alive()
    run.epochs(4, 12)
    assert alive() == before
    assert len(run.of("curvature")) == 12 * 7
    assert len(run.of("noise")) == 24


def test_a_run_that_nobody_watches_sets_no_alarm(full):
    # the alarm of a run whose process goes on to something else would end that
    assert len(full.of("batch")) == 21
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
