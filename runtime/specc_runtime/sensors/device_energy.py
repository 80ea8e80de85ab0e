"""Energy of one GPU over a window: NVML's energy counter, else power samples added up.

Both count the whole board. A MIG slice has no joules of its own and gets none.
"""

from __future__ import annotations

import time
from typing import Any, Dict, Optional, Union

from .base import Unavailable, energy
from .nvml import Gpu

POWER_POLL_S = 0.1
SHORT_WINDOW_S = 2.0
"""The counter moves every 10 to 100 ms: shorter windows are marked."""


class CounterWindow:
    """The difference of two readings of the energy counter."""

    poll_every_s: Optional[float] = None

    def __init__(self, gpu: Gpu) -> None:
        self._gpu = gpu
        self._start = gpu.energy_mj()
        self._start_s = time.monotonic()

    def poll(self) -> None:
        """Do nothing: the counter has 64 bits."""

    def stop(self) -> Dict[str, Any]:
        """End the window and give its Energy."""
        end = self._gpu.energy_mj()
        seconds = time.monotonic() - self._start_s
        joules, reason = None, self._start.reason or end.reason
        if self._start.value is not None and end.value is not None:
            joules = (end.value - self._start.value) / 1000
            if joules <= 0:
                joules, reason = None, "the energy counter did not move in this window"
        return _device_energy(self._gpu, joules, reason, {"method": "counter"}, seconds)


class PowerWindow:
    """Power samples, joined by straight lines."""

    poll_every_s: Optional[float] = POWER_POLL_S

    def __init__(self, gpu: Gpu) -> None:
        self._gpu = gpu
        self._joules = 0.0
        self._samples = 0
        self._longest_gap_s = 0.0
        self._broken: Optional[str] = None
        self._start_s = time.monotonic()
        self._last: Optional[float] = None
        self._last_s = self._start_s
        self.poll()

    def poll(self) -> None:
        """Take one power sample."""
        watts, reason = self._gpu.power_w()
        now_s = time.monotonic()
        if watts is None:
            self._broken = self._broken or reason
            return
        if self._last is not None:
            gap_s = now_s - self._last_s
            self._joules += gap_s * (watts + self._last) / 2
            self._longest_gap_s = max(self._longest_gap_s, gap_s)
        self._last, self._last_s = watts, now_s
        self._samples += 1

    def stop(self) -> Dict[str, Any]:
        """End the window and give its Energy."""
        self.poll()
        seconds = time.monotonic() - self._start_s
        detail = {
            "method": "power_samples",
            "samples": self._samples,
            "longest_gap_s": self._longest_gap_s,
        }
        joules = None if self._broken or self._joules <= 0 else self._joules
        reason = None if joules is not None else self._broken or "the power sensor reads 0 W"
        return _device_energy(self._gpu, joules, reason, detail, seconds)


class NoWindow:
    """A window of a device that cannot be measured."""

    poll_every_s: Optional[float] = None

    def __init__(self, result: Dict[str, Any]) -> None:
        self._result = result

    def poll(self) -> None:
        """Do nothing."""

    def stop(self) -> Dict[str, Any]:
        """Give the Energy that says why there is none."""
        return self._result


DeviceWindow = Union[CounterWindow, PowerWindow, NoWindow]


def start(gpu: Union[Gpu, Unavailable]) -> DeviceWindow:
    """Begin a window in the best way this device offers."""
    if isinstance(gpu, Unavailable):
        return NoWindow(energy("device", "none", None, reason=f"{gpu.sensor}: {gpu.reason}"))
    if gpu.is_mig:
        reason = "a MIG slice has no energy of its own: NVML counts the whole board"
        return NoWindow(energy("device", "none", None, reason=reason, detail={"uuid": gpu.uuid}))
    counter = gpu.energy_mj()
    if counter.value is not None:
        return CounterWindow(gpu)
    power = gpu.power_w()
    if power.value is not None:
        return PowerWindow(gpu)
    reason = f"energy counter: {counter.reason}; power: {power.reason}"
    return NoWindow(energy("device", "none", None, reason=reason, detail={"uuid": gpu.uuid}))


def _device_energy(
    gpu: Gpu,
    joules: Optional[float],
    reason: Optional[str],
    detail: Dict[str, Any],
    seconds: float,
) -> Dict[str, Any]:
    detail.update(uuid=gpu.uuid, window_s=seconds, short_window=seconds < SHORT_WINDOW_S)
    # the board's joules belong to everyone on it
    detail["foreign_processes"] = gpu.foreign_processes().value
    return energy("device", "nvml", joules, reason=reason, detail=detail)
