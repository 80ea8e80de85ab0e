"""A `quarter` row each quarter of an epoch: validation loss and accuracy, the two norms."""

from __future__ import annotations

from typing import Any, Callable, Iterator, Tuple

import torch
import torch.nn.functional as F

from ....ml.read_only import evaluating
from ..interface import Batch, Cadence, Callback, State, numbers


class QuarterLogger(Callback):
    """Validates on the same images each time, in eval mode and without gradients."""

    name = "quarters"

    def __init__(self, due: Cadence) -> None:
        self._due = due

    def reads(self, state: State) -> bool:
        return self._due(state)

    def after_step(self, state: State) -> None:
        if not self._due(state):
            return
        # before the validation: the gradient is that of the step just made
        norms = torch.stack([state.grad_norm(), state.weight_norm()]).tolist()
        loss, accuracy = validate(state.model, state.forward, state.validation_batches())
        state.record(
            "quarter",
            step=state.step,
            epoch=state.epoch,
            **numbers(
                loss_val_nats=loss, acc_val=accuracy, grad_norm=norms[0], weight_norm=norms[1]
            ),
        )


@torch.no_grad()
def validate(
    model: Any, forward: Callable[[torch.Tensor], torch.Tensor], batches: Iterator[Batch]
) -> Tuple[float, float]:
    """Return mean cross-entropy [nats] and share of right answers over all images of `batches`."""
    losses, right, count = [], [], 0
    with evaluating(model):
        for images, classes in batches:
            logits = forward(images)
            # summed, so that a last batch of few images weighs as little as it should
            losses.append(F.cross_entropy(logits, classes, reduction="sum").double())
            right.append((logits.argmax(1) == classes).sum().double())
            count += len(classes)
    # read once: a device is not waited for at each batch
    loss, hits = torch.stack([torch.stack(losses).sum(), torch.stack(right).sum()]).tolist()
    return loss / count, hits / count
