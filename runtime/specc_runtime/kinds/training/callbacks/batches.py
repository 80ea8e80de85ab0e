"""A `batch` row for each optimiser step: loss, accuracy, learning rate, weight decay, times."""

from __future__ import annotations

import math
from typing import List

import torch

from ..interface import Callback, State, Step, numbers

LN_2 = math.log(2)


class BatchLogger(Callback):
    """Rows are held back and written `flush_steps` at a time.

    A GPU is then asked for its losses once in that time and not at each step. What is held back is
    written before each checkpoint; after a kill the steps since then are done again anyway.
    """

    name = "batches"

    def __init__(self, flush_steps: int) -> None:
        self._flush_steps = flush_steps
        self._held: List[Step] = []

    def reads(self, state: State) -> bool:
        del state
        return len(self._held) >= self._flush_steps

    def after_step(self, state: State) -> None:
        if self.reads(state):
            self.flush(state)
        # its callbacks_ns is known only when all callbacks have been called
        self._held.append(state.now)

    def flush(self, state: State) -> None:
        held, self._held = self._held, []
        if not held:
            return
        measured = torch.stack([value for one in held for value in (one.loss, one.accuracy)])
        values = measured.double().tolist()
        for one, loss, accuracy in zip(held, values[::2], values[1::2]):
            state.record(
                "batch",
                step=one.step,
                epoch=one.epoch,
                **numbers(
                    loss_train_nats=loss,
                    loss_train_bits=loss / LN_2,
                    acc_train=accuracy,
                    lr=one.lr,
                    wd=one.weight_decay,
                ),
                start_ns=one.start_ns,
                step_ns=one.step_ns,
                callbacks_ns=one.callbacks_ns,
            )
