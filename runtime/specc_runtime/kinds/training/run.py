"""Train one point: data, model, epochs with a checkpoint after each. Start reading here."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Mapping

import torch
from safetensors.torch import save

from ...attempts.attempt import TaskError
from ...ml import devices, image_data
from . import checkpoints
from .callbacks import table
from .callbacks.quarters import validate
from .interface import NOT_FINITE, missing, numbers
from .loop import Trainer

if TYPE_CHECKING:
    from ...attempts.attempt import Attempt


def run(attempt: Attempt) -> None:
    """Record model, steps, quarters, curvature, noise, epochs and the final weights of one task."""
    settings = attempt.task.settings
    threads = devices.pin_threads(settings["threads"] or attempt.cpus)
    device = _open_device(settings)
    images = image_data.load(
        Path(attempt.resolve(settings["data"]["file"])),
        settings["data"],
        device,
        channels_last=settings["channels_last"],
    )
    check(settings, images)
    trainer = Trainer(settings, images, device, table.build(settings), attempt.record)
    first = _go_on(attempt, trainer)
    if first == 0:
        _record_model(attempt, trainer, threads)
    trainer.stalls.start()
    try:
        for epoch in range(first, settings["epochs"]):
            trainer.epoch(epoch)
            done = epoch + 1
            if done % settings["checkpoint"]["every_epochs"] == 0 or done == settings["epochs"]:
                _save(attempt, trainer, done)
            trainer.stalls.alive()
    finally:
        trainer.stalls.stop()
    sha256 = weights_sha256(trainer.model)
    validated = _validated(trainer)
    attempt.record("weights", sha256=sha256, epoch=settings["epochs"], **validated)
    _see_that_finite(validated)
    checkpoints.keep_last(attempt.state, 1)


def _validated(trainer: Trainer) -> Dict[str, Any]:
    """Return loss and accuracy of the final weights on all validation images, or why not."""
    batches = trainer.images.validation_batches(trainer.settings["validation_batch_size"])
    try:
        loss, accuracy = validate(trainer.model, trainer.forward, batches)
    except Exception as error:  # what was trained is worth more than this look at it
        reason = f"{type(error).__name__}: {error}"[:500]
        return missing(reason, "loss_val_all_nats", "acc_val_all")
    return numbers(loss_val_all_nats=loss, acc_val_all=accuracy)


def _see_that_finite(validated: Mapping[str, Any]) -> None:
    """Raise TaskError (diverged) where the last step, after the last loss, broke the weights."""
    reason = validated.get("loss_val_all_nats_reason", "")
    if reason.startswith(NOT_FINITE):
        raise TaskError(
            "diverged",
            f"the last step broke the weights: of their validation loss, {reason}",
            "lower lr, lengthen warmup_epochs or set grad_clip_norm",
        )


def weights_sha256(model: torch.nn.Module) -> str:
    """Hash all weights and buffers, as they would stand in a safetensors file."""
    tensors = {name: value.contiguous() for name, value in model.state_dict().items()}
    return hashlib.sha256(save(tensors)).hexdigest()


def _open_device(settings: Mapping[str, Any]) -> torch.device:
    if settings["deterministic"]:
        # cuBLAS reads this when the context is made, and gives other bits without it
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
    device = devices.open_device(settings["device"])
    if device.type == "cuda":
        # all batches have one shape: the fastest algorithm is worth looking for once
        torch.backends.cudnn.benchmark = not settings["deterministic"]
    return device


def check(settings: Mapping[str, Any], images: image_data.Images) -> None:
    """Raise TaskError for settings that don't fit the data or each other."""
    samples, batch_size = len(images.train[1]), settings["batch_size"]
    if batch_size > samples:
        raise TaskError(
            "dataset_load",
            f"a batch has {batch_size} images, but there are only {samples} to train on",
            f"set batch_size to at most {samples}",
        )
    if settings["epochs"] < 1:
        raise TaskError(
            "program",
            f"epochs is {settings['epochs']}: nothing would be trained",
            "set epochs to 1 or more",
        )


def _go_on(attempt: Attempt, trainer: Trainer) -> int:
    """Restore the last usable checkpoint and return the number of epochs done; 0 without one."""
    progress = attempt.resume()
    if progress is None:
        checkpoints.remove_after(attempt.state, 0)
        return 0
    found, reason = checkpoints.newest(attempt.state, attempt.task.task_id, until=progress["epoch"])
    if reason is not None:
        # rows that came after the checkpoint gone on from are going to be measured again
        attempt.resume(segments=[] if found is None else found.segments)
    epoch, step = (0, 0) if found is None else (found.epoch, found.step)
    name = None if found is None else found.name
    checkpoints.remove_after(attempt.state, epoch)
    attempt.record("resume", epoch=epoch, step=step, checkpoint=name, reason=reason)
    if found is not None:
        trainer.restore(found)
    return epoch


def _save(attempt: Attempt, trainer: Trainer, epoch: int) -> None:
    # first of all: a callback that fails in it gives a row, and a count
    tensors = trainer.saved()
    checkpoint = checkpoints.Checkpoint(
        epoch=epoch,
        step=epoch * trainer.steps_per_epoch,
        segments=attempt.segments(),
        plain=trainer.plain(),
        tensors=tensors,
    )
    # first the state, then its rows: what the journal names is there to go on from
    checkpoints.write(attempt.state, attempt.task.task_id, checkpoint)
    attempt.checkpoint(epoch=epoch)
    checkpoints.keep_last(attempt.state, trainer.settings["checkpoint"]["keep"])


def _of_a_quarter(settings: Mapping[str, Any], images: image_data.Images) -> int:
    every, wanted = len(images.validation[1]), settings["quarter_samples"]
    return every if wanted is None else min(every, int(wanted))


def _record_model(attempt: Attempt, trainer: Trainer, threads: Mapping[str, Any]) -> None:
    settings, images = trainer.settings, trainer.images
    attempt.record(
        "model",
        parameters=sum(value.numel() for value in trainer.model.parameters()),
        architecture=settings["model"]["architecture"],
        norm=settings["model"]["norm"],
        variant=attempt.task.axes.get("variant"),
        dtype=settings["precision"],
        compiled=settings["compile"],
        classes=images.classes,
        train_samples=len(images.train[1]),
        val_samples=len(images.validation[1]),
        quarter_samples=_of_a_quarter(settings, images),
        image=list(images.train[0].shape[1:]),
        alpha_early_from_epoch=settings["windows"]["alpha_early"][0],
        alpha_early_to_epoch=settings["windows"]["alpha_early"][1],
        burn_in_ce=settings["windows"]["burn_in_ce"],
        smoothing_steps=settings["windows"]["smoothing_steps"],
        steps_per_epoch=trainer.steps_per_epoch,
        **threads,
        **devices.describe(trainer.device),
    )
