"""Give up a run that wastes time: a loss not finite or worse than guessing, no more steps."""

from __future__ import annotations

import math
import signal
import statistics
from typing import Any, List, Mapping, Optional

import torch

from ...attempts.attempt import TaskError
from .interface import Step

_FIRST_STEPS = 20
"""Steps whose median says how long one takes; the very first may compile or warm up."""


class LossWatch:
    """Holds losses against what they may be. The device is asked once in `check_steps` steps."""

    def __init__(self, settings: Mapping[str, Any], *, classes: int) -> None:
        # float32 rounds ln(10) up: a net that guesses exactly is not above it
        self._limit = math.log(classes) * (1 + 1e-6)
        self._classes = classes
        self._from_epoch = settings["quality"]["loss_above_ln_classes_after_epochs"]
        self._check_steps: int = settings["cadences"]["flush_steps"]
        self._held: List[Step] = []
        self._sum, self._count = 0.0, 0

    def reads(self) -> bool:
        """Tell whether the next `saw` is going to wait for the device."""
        return len(self._held) + 1 >= self._check_steps

    def saw(self, step: Step) -> None:
        """Take a step's loss. Raises TaskError (diverged)."""
        reads = self.reads()
        self._held.append(step)
        if reads:
            self._check()

    def epoch_ended(self, epoch: int) -> None:
        """Judge the mean loss of epoch 1, 2, …. Raises TaskError (diverged)."""
        self._check()
        mean = self._sum / self._count
        self._sum, self._count = 0.0, 0
        if self._from_epoch is not None and epoch >= self._from_epoch and mean > self._limit:
            raise TaskError(
                "diverged",
                f"the mean training loss of epoch {epoch} is {mean:.4g} nats, above "
                f"ln({self._classes}) = {self._limit:.4g}: guessing is better",
                "lower lr, lengthen warmup_epochs or set grad_clip_norm; if the run only needs "
                "longer to begin, raise quality.loss_above_ln_classes_after_epochs",
                evidence={"epoch": epoch, "loss_train_nats": mean},
            )

    def _check(self) -> None:
        held, self._held = self._held, []
        if not held:
            return
        losses = torch.stack([step.loss for step in held]).tolist()
        for step, loss in zip(held, losses):
            if not math.isfinite(loss):
                raise TaskError(
                    "diverged",
                    f"the training loss of step {step.step} (epoch {step.epoch:.2f}) is {loss}",
                    "lower lr, lengthen warmup_epochs or set grad_clip_norm",
                    evidence={"epoch": step.epoch, "step": step.step},
                )
        self._sum += sum(losses)
        self._count += len(losses)


class StallWatch:
    """Ends the attempt when no step came for a multiple of the median step.

    The alarm reaches Python code and calls that can be interrupted; a call that hangs inside a
    library is ended by the pool's own `task.stall_limit`.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._factor: Optional[float] = settings["quality"]["stalled_factor"]
        self._least_s: float = settings["quality"]["stalled_min_seconds"]
        self._durations: List[float] = []
        self._limit_s = 0.0
        self._rang = False
        self._watching = False

    def start(self) -> None:
        """Take over SIGALRM for this process; before that no alarm is set."""
        signal.signal(signal.SIGALRM, self._ring)
        self._watching = True

    def saw(self, step: Step) -> None:
        """Take a step as a sign of life, and its duration into the median."""
        if self._factor is None:
            return
        if len(self._durations) < _FIRST_STEPS:
            self._durations.append(step.step_ns / 1e9)
            median = statistics.median(self._durations)
            self._limit_s = max(self._factor * median, self._least_s)
        self.alive()

    def alive(self) -> None:
        """Begin to wait anew."""
        self._rang = False
        if self._limit_s and self._watching:
            # half of the limit, twice: a job that Slurm suspended finds one alarm when it goes on
            signal.setitimer(signal.ITIMER_REAL, self._limit_s / 2, self._limit_s / 2)

    def stop(self) -> None:
        """Give SIGALRM back."""
        self._watching = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def _ring(self, *_: Any) -> None:
        if not self._rang:
            self._rang = True
            return
        self.stop()
        raise TaskError(
            "stalled",
            f"no step in {self._limit_s:.3g} s; the median of the first ones took "
            f"{statistics.median(self._durations):.3g} s",
            "look at its GPU and its file system; a larger quality.stalled_factor waits longer",
        )
