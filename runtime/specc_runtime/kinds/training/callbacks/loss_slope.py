"""A `slope` row each quarter of an epoch: how steeply the training loss has fallen so far.

For watching a run. The slopes that a study judges by (its windows, burn-in, effective number of
points) are computed at the desk from the `batch` rows.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping

import torch

from ....ml.running_slope import RunningSlope
from ..interface import Cadence, Callback, State
from .tape import Tape

READ_EVERY = 256
"""Losses that may wait on the device."""


class LossSlopeLogger(Callback):
    """Slope of ln(loss) over ln(step) from the first step on, with its standard error."""

    name = "loss_slope"

    def __init__(self, due: Cadence) -> None:
        self._due = due
        self._tape = Tape()
        self._slope = RunningSlope()

    def reads(self, state: State) -> bool:
        return self._due(state) or len(self._tape) + 1 >= READ_EVERY

    def after_step(self, state: State) -> None:
        reads = self.reads(state)
        self._tape.add(state.now)
        if reads:
            self._take_in()
        if self._due(state):
            state.record("slope", step=state.step, epoch=state.epoch, **self._fields())

    def saved(self) -> Dict[str, torch.Tensor]:
        self._take_in()
        return {"sums": torch.tensor(self._slope.saved(), dtype=torch.float64)}

    def restore(self, saved: Mapping[str, torch.Tensor]) -> None:
        self._tape.clear()
        self._slope.restore(saved["sums"].tolist())

    def _take_in(self) -> None:
        self._slope.add(*self._tape.read())
        self._tape.clear()

    def _fields(self) -> Dict[str, Any]:
        slope = self._slope.slope()
        fields: Dict[str, Any] = {
            "loss_slope": slope.value,
            "loss_slope_error": slope.error,
            "loss_slope_points": slope.points,
            "loss_slope_skipped": slope.skipped,
        }
        if slope.reason is not None:
            fields["loss_slope_reason"] = fields["loss_slope_error_reason"] = slope.reason
        return fields
