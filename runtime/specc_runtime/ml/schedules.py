"""Learning rates over a run: a straight warm-up, then a cosine or nothing. Pure."""

from __future__ import annotations

import math
from typing import Any, Callable, Mapping

Schedule = Callable[[int], float]
"""Step (0 for the first) -> learning rate."""


def build(settings: Mapping[str, Any], *, steps_per_epoch: int) -> Schedule:
    """Return the schedule of the settings lr, schedule, epochs and warmup_epochs."""
    peak: float = settings["lr"]
    total = settings["epochs"] * steps_per_epoch
    warm = round(settings["warmup_epochs"] * steps_per_epoch)
    falls = settings["schedule"] == "cosine"

    def rate(step: int) -> float:
        if step < warm:
            return warm_up(step, warm, peak)
        return cosine(step - warm, total - warm, peak) if falls else peak

    return rate


def warm_up(step: int, steps: int, peak: float) -> float:
    """Rise in a straight line; the step after the last one of the warm-up has `peak`."""
    return peak * (step + 1) / (steps + 1)


def cosine(step: int, steps: int, peak: float) -> float:
    """Fall from `peak` at step 0 along half a cosine; it would be 0 at `steps`."""
    return 0.5 * peak * (1 + math.cos(math.pi * step / steps))
