"""A `noise` row every two epochs: how the loss fluctuates, and how much gradients differ.

Reading it: residual_power tells how far single losses are off the power law of their window,
squared and relative; psd_tail whether they jump (near tail_fraction: each batch by itself) or drift
(less: the curve bends, or the weights wander). gradient_variance over the squared gradient norm,
times the batch size, is the batch size at which noise and gradient weigh the same.

Time: `gradient_batches` training steps' worth. Memory: two vectors of the weights' size meanwhile,
and the last `window_steps` losses.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping

import torch
import torch.nn.functional as F

from ....ml.gradient_noise import gradient_variance
from ....ml.spectra import fluctuation
from ..interface import Cadence, Callback, State
from .tape import Tape


class NoiseMonitor(Callback):
    """Fluctuation of the last training losses, and variance of gradients at the present weights.

    The gradients are those of `gradient_batches` batches of the training's size, the same images
    each time, without augmentation; where the training images do not suffice, of smaller batches.
    """

    name = "noise"

    def __init__(self, due: Cadence, settings: Mapping[str, Any], seed: int) -> None:
        self._due = due
        self._settings = settings
        self._seed = seed
        self._tape = Tape(settings["window_steps"])

    def reads(self, state: State) -> bool:
        return self._due(state)

    def after_step(self, state: State) -> None:
        self._tape.add(state.now)
        if not self._due(state):
            return
        batches = self._settings["gradient_batches"]
        wanted = batches * state.settings["batch_size"]
        images, classes = state.fixed_batch(wanted, self._seed)
        gradients = gradient_variance(
            state.model, images, classes, loss=F.cross_entropy, batches=batches
        )
        fields = self._fluctuation()
        if gradients.reason is not None:
            fields["gradient_variance_reason"] = gradients.reason
        state.record(
            "noise",
            step=state.step,
            epoch=state.epoch,
            gradient_variance=gradients.value,
            gradient_batches=gradients.batches,
            gradient_batch_size=gradients.batch_size,
            **fields,
        )

    def saved(self) -> Dict[str, torch.Tensor]:
        return {"losses": self._tape.saved()}

    def restore(self, saved: Mapping[str, torch.Tensor]) -> None:
        self._tape.restore(saved["losses"])

    def _fluctuation(self) -> Dict[str, Any]:
        steps, losses = self._tape.read()
        found = fluctuation(steps, losses, tail_fraction=self._settings["tail_fraction"])
        fields: Dict[str, Any] = {
            "psd_tail": found.psd_tail,
            "residual_power": found.residual_power,
            "window_losses": found.points,
        }
        if found.psd_tail_reason is not None:
            fields["psd_tail_reason"] = found.psd_tail_reason
        if found.residual_power_reason is not None:
            fields["residual_power_reason"] = found.residual_power_reason
        return fields
