"""A `quarter` row each quarter of an epoch: validation loss and accuracy, the two norms."""

from __future__ import annotations

from typing import Tuple

import torch
import torch.nn.functional as F

from ....ml.read_only import evaluating
from ..interface import Cadence, Callback, State, numbers


class QuarterLogger(Callback):
    """Validates on all validation images, in eval mode and without gradients."""

    name = "quarters"

    def __init__(self, due: Cadence) -> None:
        self._due = due

    def after_step(self, state: State) -> None:
        if not self._due(state):
            return
        # before the validation: the gradient is that of the step just made
        norms = torch.stack([state.grad_norm(), state.weight_norm()]).tolist()
        loss, accuracy = validate(state)
        state.record(
            "quarter",
            step=state.step,
            epoch=state.epoch,
            **numbers(
                loss_val_nats=loss, acc_val=accuracy, grad_norm=norms[0], weight_norm=norms[1]
            ),
        )


@torch.no_grad()
def validate(state: State) -> Tuple[float, float]:
    """Return mean cross-entropy [nats] and share of right answers over all validation images."""
    total = torch.zeros(2, dtype=torch.float64, device=state.device)
    count = 0
    with evaluating(state.model):
        for images, classes in state.validation_batches():
            logits = state.forward(images)
            # summed, so that a last batch of few images weighs as little as it should
            total[0] += F.cross_entropy(logits, classes, reduction="sum")
            total[1] += (logits.argmax(1) == classes).sum()
            count += len(classes)
    loss, right = total.tolist()
    return loss / count, right / count
