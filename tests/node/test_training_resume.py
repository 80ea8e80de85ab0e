"""A killed training goes on at its last epoch and ends as if nothing had happened."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import bundles
import pytest
import torch
from training_parts import digits, settings

from specc.kinds.training.plan import fixtures
from specc_runtime.kinds.training import checkpoints
from specc_runtime.kinds.training.checkpoints import Checkpoint
from specc_runtime.kinds.training.loop import Trainer
from specc_runtime.kinds.training.run import weights_sha256
from specc_runtime.ml import image_data

TASK = bundles.task_id(0)
KILL_AT_STEP = 18
"""Of 21, 7 in an epoch: in the middle of the third epoch."""
CODE = """
import dataclasses, json
from specc_runtime.kinds.training.run import run
attempt.task = dataclasses.replace(attempt.task, settings=json.loads('''{settings}'''))
record, seen = attempt.record, []
def recorded(type, **fields):
    record(type, **fields)
    # the pool dies with its task, as when a node goes down
    if type == "batch" and fields["step"] == {step} and attempt.number == 1:
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
attempt.record = recorded
run(attempt)
"""
OWN_OF_A_PROCESS = ("t_ns", "attempt", "start_ns", "step_ns", "callbacks_ns", "rss_peak_bytes")


def a_bundle(
    folder: Path, *, step: int | None, code: str = CODE, shape: Any = None, **changes: Any
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    chosen = settings(data={"file": str(digits(folder / "digits.csv.gz"))}, **changes)
    text = code.format(settings=json.dumps(chosen), step=step)
    return bundles.make_bundle(folder / "bundle", [text], **(shape or {}))


def measured(bundle: Path) -> list[dict[str, Any]]:
    """The rows that count, without what differs between any two runs."""
    rows = bundles.rows(bundle)[TASK]
    return [
        {name: value for name, value in row.items() if name not in OWN_OF_A_PROCESS}
        for row in rows
        if row["type"] not in ("attempt", "resume", "epoch")
    ]


def resumes(bundle: Path) -> list[dict[str, Any]]:
    return [row for row in bundles.rows(bundle)[TASK] if row["type"] == "resume"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody interrupted."""
    bundle = a_bundle(tmp_path_factory.mktemp("whole"), step=None)
    done = bundles.run(bundle)
    assert done.returncode == 0, done.stdout + done.stderr
    return bundle


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run, killed by SIGKILL in its third epoch."""
    bundle = a_bundle(tmp_path_factory.mktemp("killed"), step=KILL_AT_STEP)
    assert bundles.run(bundle).returncode == -9
    return bundle


@pytest.fixture(scope="module")
def resumed(killed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The killed run, gone on with."""
    bundle, _ = a_copy(killed, tmp_path_factory.mktemp("resumed"))
    done = bundles.run(bundle)
    assert done.returncode == 0, done.stdout + done.stderr
    return bundle


def a_copy(killed: Path, folder: Path) -> tuple[Path, Path]:
    """The killed run in a place of its own, and its state folder."""
    bundle = Path(shutil.copytree(killed, folder / "bundle", symlinks=True))
    return bundle, bundle / "results" / "r1" / "state" / TASK


def test_a_run_killed_in_mid_epoch_ends_bit_equal_to_an_uninterrupted_one(whole, resumed):
    assert measured(resumed) == measured(whole)
    (row,) = resumes(resumed)
    assert (row["epoch"], row["step"], row["checkpoint"]) == (2, 14, "epoch-0002")
    assert row["reason"] is None


def test_the_rows_of_the_epoch_that_was_cut_off_do_not_count_twice(resumed):
    steps = [row["step"] for row in measured(resumed) if row["type"] == "batch"]
    assert steps == list(range(1, 22))
    launches = [segment.launch for segment in bundles.state(resumed).tasks[TASK].segments]
    assert launches == ["1-cpu-0000/launch-001", "1-cpu-0000/launch-002"]


def test_from_a_damaged_checkpoint_it_goes_back_to_the_one_before_and_says_so(
    whole, killed, tmp_path
):
    bundle, state = a_copy(killed, tmp_path)
    path = state / "epoch-0002.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert bundles.run(bundle).returncode == 0
    (row,) = resumes(bundle)
    assert (row["epoch"], row["checkpoint"]) == (1, "epoch-0001")
    assert row["reason"] == "epoch-0002: its tensors don't match their hash"
    assert measured(bundle) == measured(whole)


def test_without_any_usable_checkpoint_it_starts_anew_and_says_why(whole, killed, tmp_path):
    bundle, state = a_copy(killed, tmp_path)
    shutil.rmtree(state)
    assert bundles.run(bundle).returncode == 0
    (row,) = resumes(bundle)
    assert (row["epoch"], row["step"], row["checkpoint"]) == (0, 0, None)
    assert row["reason"] == "epoch-0002: there is no such checkpoint"
    assert measured(bundle) == measured(whole)


def test_two_checkpoints_are_kept_in_mid_run_and_one_at_the_end(whole, killed):
    names = ["epoch-0001.json", "epoch-0001.safetensors", "epoch-0002.json"]
    state = killed / "results" / "r1" / "state" / TASK
    assert sorted(path.name for path in state.iterdir()) == [*names, "epoch-0002.safetensors"]
    state = whole / "results" / "r1" / "state" / TASK
    assert sorted(path.name for path in state.iterdir()) == [
        "epoch-0003.json",
        "epoch-0003.safetensors",
    ]


ADAMW = {"optimizer": "adamw", "lr": 0.01, "grad_clip_norm": 1.0}


@pytest.mark.parametrize("changes", [{**ADAMW, "precision": "float16", "channels_last": True}])
def test_the_state_of_adamw_is_gone_on_from_too(changes, tmp_path):
    once = a_bundle(tmp_path / "once", step=None, epochs=2, **changes)
    twice = a_bundle(tmp_path / "twice", step=10, epochs=2, **changes)
    assert bundles.run(once).returncode == 0
    assert bundles.run(twice).returncode == -9
    assert bundles.run(twice).returncode == 0
    assert measured(twice) == measured(once)


WARM = (
    """
import sys, torch
assert "torch._dynamo" in sys.modules and not torch.cuda.is_initialized()
assert torch.get_num_threads() >= 1
"""
    + CODE
)


def test_from_a_warm_parent_a_run_gives_the_bits_of_a_cold_one(whole, tmp_path):
    own = fixtures(settings())[0]
    assert own.type == "warm_parent"
    warm = {"warm": own.options["imports"]}
    bundle = a_bundle(tmp_path, step=None, code=WARM, shape=warm)
    done = bundles.run(bundle)
    assert done.returncode == 0, done.stdout + done.stderr
    assert measured(bundle) == measured(whole)
    (model,) = [row for row in measured(bundle) if row["type"] == "model"]
    assert (model["threads"], model["interop_threads"]) == (1, 1)
    assert model["interop_threads_reason"] is None


@pytest.mark.parametrize(("rules", "attempts"), [({}, 1), ({"diverged": {"attempts": 2}}, 2)])
def test_a_diverged_run_is_tried_again_only_where_it_is_asked_for(rules, attempts, tmp_path):
    on_failure = {"transient": {"attempts": 3}, **rules}
    changes = {"lr": 1e30, "model": {"norm": False}, "warmup_epochs": 0, "epochs": 1}
    shape = {"predicate": {"on_failure": on_failure}}
    bundle = a_bundle(tmp_path, step=None, shape=shape, **changes)
    assert bundles.run(bundle).returncode == 1
    failures = [each.failure for each in bundles.state(bundle).tasks[TASK].attempts]
    assert [failure["category"] for failure in failures] == ["diverged"] * attempts


STALLING = CODE.replace("os.kill(os.getppid(), signal.SIGKILL)", "pass")
"""Hangs for a minute where the other one dies, within a callback."""


def test_a_run_that_hangs_in_a_callback_is_ended_as_stalled_and_not_tried_again(tmp_path):
    quality = {"stalled_factor": 2, "stalled_min_seconds": 1}
    shape = {"predicate": {"on_failure": {"transient": {"attempts": 3}}}}
    bundle = a_bundle(tmp_path, step=5, code=STALLING, shape=shape, quality=quality)
    assert bundles.run(bundle).returncode == 1
    (attempt,) = bundles.state(bundle).tasks[TASK].attempts
    assert attempt.failure["category"] == "stalled"
    assert attempt.failure["message"].startswith("no step in 1 s; ")


def test_the_scale_of_half_precision_is_kept(tmp_path):
    chosen = settings(precision="float16", data={"file": str(digits(tmp_path / "digits.csv.gz"))})
    cpu = torch.device("cpu")
    images = image_data.load(tmp_path / "digits.csv.gz", chosen["data"], cpu)
    first, second = (Trainer(chosen, images, cpu, [], lambda *_, **__: None) for _ in range(2))
    first.scaler.load_state_dict({**first.scaler.state_dict(), "scale": 512.0})
    first.epoch(0)
    segments: list[dict[str, Any]] = []
    saved = Checkpoint(1, 7, segments, first.plain(), first.saved())
    checkpoints.write(tmp_path, TASK, saved)
    found, _ = checkpoints.newest(tmp_path, TASK, until=1)
    second.restore(found)
    second.epoch(1)
    first.epoch(1)
    assert second.scaler.state_dict() == first.scaler.state_dict()
    assert second.scaler.get_scale() == 512.0
    assert weights_sha256(second.model) == weights_sha256(first.model)


def a_checkpoint(epoch: int) -> Checkpoint:
    tensors = {"model/weight": torch.full((2, 2), float(epoch))}
    return Checkpoint(epoch, 7 * epoch, [{"rows": epoch}], {"failures": {}}, tensors)


@pytest.fixture
def two(tmp_path: Path) -> Path:
    for epoch in (1, 2):
        checkpoints.write(tmp_path, TASK, a_checkpoint(epoch))
    return tmp_path


def test_the_newest_checkpoint_is_given_back_as_it_was(two):
    found, reason = checkpoints.newest(two, TASK, until=2)
    assert reason is None
    assert (found.epoch, found.step, found.segments) == (2, 14, [{"rows": 2}])
    assert torch.equal(found.tensors["model/weight"], torch.full((2, 2), 2.0))


def test_a_checkpoint_whose_rows_were_never_vouched_for_is_left_out(two):
    found, reason = checkpoints.newest(two, TASK, until=1)
    assert (found.name, reason) == ("epoch-0001", None)
    checkpoints.remove_after(two, 1)
    assert sorted(path.name for path in two.iterdir()) == [
        "epoch-0001.json",
        "epoch-0001.safetensors",
    ]


def test_a_checkpoint_of_another_task_is_refused(two):
    path = two / "epoch-0002.json"
    path.write_text(path.read_text().replace(TASK, "f" * 16))
    found, reason = checkpoints.newest(two, TASK, until=2)
    assert found.epoch == 1
    assert reason == f"epoch-0002: it is that of task {'f' * 16} after epoch 2"


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda at: (at / "epoch-0002.json").write_text("{"), "it can't be read ("),
        (lambda at: (at / "epoch-0002.json").write_text("{}"), "its JSON lacks a field"),
        (
            lambda at: (at / "epoch-0002.json").write_text(
                (at / "epoch-0002.json").read_text().replace('"rows": 2', '"rows": 3')
            ),
            "its JSON doesn't match its own hash",
        ),
        (lambda at: (at / "epoch-0002.safetensors").unlink(), "it can't be read ("),
    ],
)
def test_every_damage_leads_to_the_checkpoint_before(damage, reason, two):
    damage(two)
    found, said = checkpoints.newest(two, TASK, until=2)
    assert found.epoch == 1
    assert said.startswith(f"epoch-0002: {reason}")


def test_an_interrupted_write_is_no_checkpoint(two):
    (two / ".epoch-0003.safetensors.part").write_bytes(b"half")
    (two / "epoch-0003.safetensors").write_bytes(b"half")
    found, _ = checkpoints.newest(two, TASK, until=3)
    assert found.epoch == 2
