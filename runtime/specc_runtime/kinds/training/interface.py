"""What a callback is, what it sees of the run, and when it is due.

A callback must leave the run as it found it: modes, gradients, weights, buffers and torch's own
random numbers. The loop makes gradients anew and puts the model into training mode for each step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Protocol, Tuple

import torch

Batch = Tuple[torch.Tensor, torch.Tensor]
"""Images (n, channels, height, width), normalised, on the device; classes (n,)."""


@dataclass
class Step:
    """One optimiser step. Its tensors are on the device, so that reading them waits for it."""

    step: int
    """1, 2, … over the whole run."""
    epoch: float
    """Passes over the data done after it [epochs]."""
    loss: torch.Tensor
    """Mean cross-entropy of its batch before the step [nats], 0-dim, float32, detached."""
    accuracy: torch.Tensor
    """Share of its batch that was right before the step, 0-dim, float32."""
    lr: float
    weight_decay: float
    start_ns: int
    """When it began, on the clock of the records' t_ns."""
    step_ns: int
    """Wall time of the step, data and all, without callbacks. A GPU is not waited for at each
    step: the wait for several is shared out equally among them."""
    callbacks_ns: Optional[int] = None
    """Wall time of all callbacks after it; None while they run."""


@dataclass
class State:
    """The run, as callbacks see it after a step."""

    settings: Mapping[str, Any]
    """Complete: defaults written out."""
    model: torch.nn.Module
    """Not compiled: its parameters are those that are trained."""
    optimizer: torch.optim.Optimizer
    device: torch.device
    classes: int
    steps_per_epoch: int
    epochs: int
    now: Step
    """The step just made."""
    clipped_from: Optional[torch.Tensor]
    """Norm of the gradient before it was clipped, 0-dim; None when nothing clips."""
    record: Callable[..., None]
    """record(type, **fields) appends a row; give it finite numbers, see `numbers`."""
    forward: Callable[[torch.Tensor], torch.Tensor]
    """images -> logits (n, classes) float32, in the run's precision."""
    fixed_batch: Callable[[int, int], Batch]
    """(count, seed) -> the same `count` training images each time, without augmentation."""
    validation_batches: Callable[[], Iterator[Batch]]
    """The validation images of a quarter, the same each time: all, or `quarter_samples` of more."""

    @property
    def step(self) -> int:
        """Steps made so far."""
        return self.now.step

    @property
    def epoch(self) -> float:
        """Passes over the data made so far [epochs]."""
        return self.now.epoch

    @property
    def total_steps(self) -> int:
        return self.steps_per_epoch * self.epochs

    def parameters(self) -> List[torch.nn.Parameter]:
        """Return what is trained. Its `grad` is that of the step just made, clipped."""
        return [value for value in self.model.parameters() if value.requires_grad]

    def grad_norm(self) -> torch.Tensor:
        """Return the 2-norm of the step's gradient before clipping, 0-dim."""
        if self.clipped_from is not None:
            return self.clipped_from
        return norm([value.grad for value in self.parameters() if value.grad is not None])

    def weight_norm(self) -> torch.Tensor:
        """Return the 2-norm of all trained weights, 0-dim."""
        return norm([value.detach() for value in self.parameters()])


class Callback(Protocol):
    """Something that looks at the run after each step. Inherit, and give a name and `after_step`.

    What it raises is recorded as a warning, and the run goes on.
    """

    name: str
    """Short, unique: stands in warnings and checkpoints."""

    def after_step(self, state: State) -> None:
        """Look at the step just made; called after every one, so ask a cadence first."""

    def reads(self, state: State) -> bool:
        """Tell whether `after_step` is going to wait for the device: its work is no callback's."""
        del state
        return False

    def flush(self, state: State) -> None:
        """Write what is held back: before each checkpoint and at the end of the run."""
        del state

    def saved(self) -> Dict[str, torch.Tensor]:
        """Return what a resumed run needs to go on bit-equally; called after `flush`."""
        return {}

    def restore(self, saved: Mapping[str, torch.Tensor]) -> None:
        """Take back what `saved` returned."""
        del saved


Cadence = Callable[[State], bool]
"""Tells whether something is due after the step just made."""


def every_steps(count: Optional[int]) -> Cadence:
    """Due after each `count`-th step; never for None."""
    return lambda state: count is not None and state.step % count == 0


def every_epochs(epochs: Optional[float]) -> Cadence:
    """Due after the step that completes each multiple of `epochs`; never for None."""
    if epochs is None:
        return every_steps(None)
    # the number as it is spelled: the binary 0.1 would come due a step late now and then
    each = Fraction(str(epochs))

    def due(state: State) -> bool:
        span = each * state.steps_per_epoch
        return state.step // span > (state.step - 1) // span

    return due


NOT_FINITE = "the value is "
"""How the reason of a number that is none begins."""


def numbers(**values: float) -> Dict[str, Any]:
    """Return fields for a record: a number that is not finite becomes null, with a reason."""
    fields: Dict[str, Any] = {}
    for name, value in values.items():
        number = float(value)
        if math.isfinite(number):
            fields[name] = number
        else:
            fields[name], fields[f"{name}_reason"] = None, f"{NOT_FINITE}{number}"
    return fields


def missing(reason: str, *names: str) -> Dict[str, Any]:
    """Return fields for a record whose values are not known."""
    fields: Dict[str, Any] = dict.fromkeys(names)
    fields.update({f"{name}_reason": reason for name in names})
    return fields


def norm(tensors: List[torch.Tensor]) -> torch.Tensor:
    """Return the 2-norm over all elements of all tensors, 0-dim float32; 0 for none."""
    if not tensors:
        return torch.zeros(())
    norms = torch._foreach_norm([value.detach().float() for value in tensors])
    return torch.linalg.vector_norm(torch.stack(norms))
