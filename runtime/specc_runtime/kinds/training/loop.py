"""The training loop: epochs of steps, and callbacks after each.

What callbacks see of it stands in interface.py: `Callback`, `State`, `Step`, cadences, `numbers`.
"""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, List, Mapping, Optional

import torch
from torch.nn import functional

from ...attempts.attempt import TaskError
from ...ml import cnn, schedules
from ...ml.devices import DTYPES, waiter
from ...ml.image_data import Images
from . import checkpoints
from .interface import Batch, Callback, State, Step
from .watch import LossWatch, StallWatch


class Trainer:
    """One run between two epochs: model, optimiser, callbacks and what they remember."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        images: Images,
        device: torch.device,
        callbacks: List[Callback],
        record: Callable[..., None],
    ) -> None:
        self.settings, self.images, self.device = settings, images, device
        self.callbacks, self.record = callbacks, record
        self.steps_per_epoch = len(images.train[1]) // settings["batch_size"]
        torch.manual_seed(settings["seed"])
        net = cnn.build(settings["model"], channels=images.channels, classes=images.classes)
        self.model = net.to(device=device, memory_format=images.memory_format)
        self.optimizer = _optimizer(self.model, settings)
        self.schedule = schedules.build(settings, steps_per_epoch=self.steps_per_epoch)
        half = settings["precision"] == "float16"
        self.scaler = torch.amp.GradScaler(device.type, enabled=half)
        self._trained = torch.compile(self.model) if settings["compile"] else self.model
        self._losses = LossWatch(settings, classes=images.classes)
        self.stalls = StallWatch(settings)
        self._wait = waiter(device)
        self._pending: List[Step] = []
        self._failures: Dict[str, int] = {}
        self._made = 0
        """Steps."""

    def epoch(self, number: int) -> None:
        """Train epoch 0, 1, …, and write its row. Raises TaskError (diverged, stalled)."""
        batches = self.images.epoch(
            number,
            batch_size=self.settings["batch_size"],
            seed=self.settings["seed"],
            augment=self.settings["augmentation"],
        )
        train_ns = callbacks_ns = 0
        for index in range(self.steps_per_epoch):
            state = self._step(number * self.steps_per_epoch + index, lambda: next(batches))
            train_ns += state.now.step_ns + self._settle(state)
            started = time.monotonic_ns()
            self._call("after_step", state)
            state.now.callbacks_ns = time.monotonic_ns() - started
            callbacks_ns += state.now.callbacks_ns
            self.stalls.saw(state.now)
            try:
                self._losses.saw(state.now)
            except TaskError:
                self._call("flush", state)  # the rows that led to it
                raise
        started = time.monotonic_ns()
        self._call("flush", state)
        callbacks_ns += time.monotonic_ns() - started
        self.record(
            "epoch",
            epoch=number + 1,
            step=state.step,
            train_s=train_ns / 1e9,
            callbacks_s=callbacks_ns / 1e9,
            seconds=(train_ns + callbacks_ns) / 1e9,
        )
        self._losses.epoch_ended(number + 1)

    def _settle(self, state: State) -> int:
        """Wait for the device where something is about to read from it, so that no callback's time
        holds the work of steps. Returns what the steps since the last wait took longer [ns].
        """
        self._pending.append(state.now)
        # all are asked, and one that fails is taken not to read
        asked = [self._ask(each, "reads", state, False) for each in self.callbacks]
        reads = self._losses.reads() or any(asked)
        if not reads and state.step % self.steps_per_epoch:
            return 0
        started = time.monotonic_ns()
        self._wait()
        share = (time.monotonic_ns() - started) // len(self._pending)
        for step in self._pending:
            step.step_ns += share
        waited = share * len(self._pending)
        self._pending.clear()
        return waited

    def _step(self, before: int, draw: Callable[[], Batch]) -> State:
        """Make one step; `before` were made already."""
        started = time.monotonic_ns()
        images, labels = draw()
        rate = self.schedule(before)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        logits = self._forward(self._trained, images)
        loss = functional.cross_entropy(logits, labels)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        limit = self.settings["grad_clip_norm"]
        clipped = (
            None
            if limit is None
            else torch.nn.utils.clip_grad_norm_(self.model.parameters(), limit).detach()
        )
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self._made = before + 1
        step = Step(
            step=before + 1,
            epoch=(before + 1) / self.steps_per_epoch,
            loss=loss.detach(),
            accuracy=(logits.detach().argmax(1) == labels).float().mean(),
            lr=rate,
            weight_decay=self.settings["weight_decay"],
            start_ns=started,
            step_ns=time.monotonic_ns() - started,
        )
        return self._state(step, clipped)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits (n, classes) float32, computed in the run's precision."""
        return self._forward(self.model, images)

    def _forward(self, model: Callable[..., Any], images: torch.Tensor) -> torch.Tensor:
        precision = self.settings["precision"]
        mixed = precision != "float32"
        with torch.autocast(self.device.type, DTYPES[precision] if mixed else None, enabled=mixed):
            logits: torch.Tensor = model(images)
        return logits.float()

    def _state(self, step: Step, clipped: Optional[torch.Tensor]) -> State:
        settings = self.settings
        return State(
            settings=settings,
            model=self.model,
            optimizer=self.optimizer,
            device=self.device,
            classes=self.images.classes,
            steps_per_epoch=self.steps_per_epoch,
            epochs=settings["epochs"],
            now=step,
            clipped_from=clipped,
            record=self.record,
            forward=self.forward,
            fixed_batch=self.images.fixed_batch,
            validation_batches=lambda: self.images.validation_batches(
                settings["validation_batch_size"],
                most=settings["quarter_samples"],
                seed=settings["data"]["split_seed"],
            ),
        )

    def _call(self, method: str, state: State) -> None:
        """Call all callbacks; what one raises becomes a warning, and the others are called."""
        for callback in self.callbacks:
            self._ask(callback, method, state, None)

    def _ask(self, callback: Callback, method: str, state: State, otherwise: Any) -> Any:
        try:
            return getattr(callback, method)(state)
        except TaskError:
            raise  # of the watch over stalls, whose alarm rings wherever the run is
        except Exception as error:
            self._warn(callback.name, state.step, error)
            return otherwise

    def _warn(self, name: str, step: int, error: Exception) -> None:
        times = self._failures[name] = self._failures.get(name, 0) + 1
        if times & (times - 1) == 0:  # 1, 2, 4, 8, …: one that always fails must not fill the disk
            message = f"{type(error).__name__}: {error}"[:500]
            self.record("warning", step=step, callback=name, message=message, times=times)

    def saved(self) -> Dict[str, torch.Tensor]:
        """Return all tensors that the run needs to go on bit-equally."""
        tensors = checkpoints.flatten("model", self.model.state_dict())
        kept = checkpoints.optimizer_tensors(self.optimizer)
        tensors.update(checkpoints.flatten("optimizer", kept))
        for callback in self.callbacks:
            try:
                kept = checkpoints.flatten(f"callback/{callback.name}", callback.saved())
            except TaskError:
                raise
            except Exception as error:  # what it remembers is lost, and nothing else
                self._warn(callback.name, self._made, error)
            else:
                tensors.update(kept)
        tensors["random/cpu"] = torch.get_rng_state()
        if self.device.type == "cuda":
            tensors["random/cuda"] = torch.cuda.get_rng_state(self.device)
        return tensors

    def plain(self) -> Dict[str, Any]:
        """Return what else it needs (JSON)."""
        return {"failures": self._failures, "scaler": self.scaler.state_dict()}

    def restore(self, checkpoint: checkpoints.Checkpoint) -> None:
        """Go back to where a checkpoint was made."""
        tensors, self._made = checkpoint.tensors, checkpoint.step
        self._failures = dict(checkpoint.plain["failures"])
        self.model.load_state_dict(checkpoints.part("model", tensors))
        checkpoints.restore_optimizer(self.optimizer, checkpoints.part("optimizer", tensors))
        for callback in self.callbacks:
            kept = checkpoints.part(f"callback/{callback.name}", tensors)
            try:
                if kept:
                    callback.restore(kept)
            except Exception as error:
                self._warn(callback.name, checkpoint.step, error)
        torch.set_rng_state(tensors["random/cpu"])
        if "random/cuda" in tensors and self.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["random/cuda"], self.device)
        if checkpoint.plain["scaler"]:
            self.scaler.load_state_dict(checkpoint.plain["scaler"])


def _optimizer(model: torch.nn.Module, settings: Mapping[str, Any]) -> torch.optim.Optimizer:
    common = {"lr": settings["lr"], "weight_decay": settings["weight_decay"]}
    if settings["optimizer"] == "adamw":
        betas = tuple(settings["betas"])
        return torch.optim.AdamW(model.parameters(), betas=betas, **common)
    return torch.optim.SGD(
        model.parameters(),
        momentum=settings["momentum"],
        nesterov=settings["nesterov"],
        **common,
    )
