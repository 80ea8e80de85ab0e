"""The losses of past steps, kept on the device until somebody asks for their numbers."""

from __future__ import annotations

from collections import deque
from typing import Deque, List, Optional, Tuple

import torch

from ..interface import Step


class Tape:
    """Steps and losses, oldest first; of more than `length` the oldest are forgotten."""

    def __init__(self, length: Optional[int] = None) -> None:
        self._steps: Deque[int] = deque(maxlen=length)
        self._losses: Deque[torch.Tensor] = deque(maxlen=length)

    def __len__(self) -> int:
        return len(self._steps)

    def add(self, step: Step) -> None:
        if self._losses and self._losses[-1].device != step.loss.device:
            # read from a checkpoint, into the host's memory
            moved = torch.stack(list(self._losses)).to(step.loss.device)
            self._losses.clear()
            self._losses.extend(moved)
        self._steps.append(step.step)
        self._losses.append(step.loss)

    def read(self) -> Tuple[List[int], List[float]]:
        """Return steps and losses [nats]; waits for the device once, not for each loss."""
        if not self._steps:
            return [], []
        return list(self._steps), torch.stack(list(self._losses)).double().tolist()

    def clear(self) -> None:
        self._steps.clear()
        self._losses.clear()

    def saved(self) -> torch.Tensor:
        """Return steps and losses, (2, n) float64, which holds both exactly."""
        return torch.tensor(self.read(), dtype=torch.float64)

    def restore(self, saved: torch.Tensor) -> None:
        """Take back what `saved` returned."""
        self.clear()
        steps, losses = saved.cpu()
        self._steps.extend(int(step) for step in steps.tolist())
        self._losses.extend(losses.float())
