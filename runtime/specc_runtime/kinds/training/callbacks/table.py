"""All callbacks of a run, and how often each one acts."""

from __future__ import annotations

from typing import Any, List, Mapping

from ..interface import Callback, every_epochs, every_steps
from .batches import BatchLogger
from .curvature import CurvatureMonitor
from .loss_slope import LossSlopeLogger
from .noise import NoiseMonitor
from .quarters import QuarterLogger
from .resources import ResourceLogger


def build(settings: Mapping[str, Any]) -> List[Callback]:
    """Return the callbacks that complete settings ask for, in the order they are to be called."""
    cadences = settings["cadences"]
    curvature = settings["curvature"]
    return [
        BatchLogger(cadences["flush_steps"]),
        QuarterLogger(every_epochs(cadences["quarter_epochs"])),
        LossSlopeLogger(every_epochs(cadences["quarter_epochs"])),
        CurvatureMonitor(every_steps(cadences["curvature_steps"]), curvature),
        NoiseMonitor(every_epochs(cadences["noise_epochs"]), settings["noise"], curvature["seed"]),
        ResourceLogger(every_epochs(1)),
    ]
