"""A `resources` row each epoch: peaks of memory since the process began."""

from __future__ import annotations

from typing import Any, Dict

import torch

from ....sensors import memory
from ....sensors.base import Unavailable, add_value, missing
from ..interface import Cadence, Callback, State


class ResourceLogger(Callback):
    """Peaks of this process: on the GPU what torch gave to tensors and what it reserved."""

    name = "resources"

    def __init__(self, due: Cadence) -> None:
        self._due = due
        self._memory = memory.open()

    def after_step(self, state: State) -> None:
        if not self._due(state):
            return
        row: Dict[str, Any] = {"step": state.step, "epoch": state.epoch}
        if state.device.type == "cuda":
            row["gpu_memory_allocated_bytes"] = torch.cuda.max_memory_allocated(state.device)
            row["gpu_memory_reserved_bytes"] = torch.cuda.max_memory_reserved(state.device)
        else:
            for name in ("gpu_memory_allocated_bytes", "gpu_memory_reserved_bytes"):
                add_value(row, name, missing("the task runs on the CPU"))
        if isinstance(self._memory, Unavailable):
            add_value(row, "rss_peak_bytes", missing(self._memory.reason))
        else:
            add_value(row, "rss_peak_bytes", self._memory.rss_peak_bytes())
        state.record("resources", **row)
