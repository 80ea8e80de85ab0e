"""Memory, energy and clock states of a task, read between its phases and never within one."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple, Union

import torch

from ...sensors import energy, memory, nvml, throttle
from ...sensors.base import Unavailable, Value, add_value, missing, present

Window = Tuple[energy.Window, Dict[str, Any]]


class Probes:
    """The sensors of one attempt, opened once."""

    def __init__(
        self, device: torch.device, gpu: Optional[str], stated_watts: Optional[float]
    ) -> None:
        self._device = device
        self._memory = memory.open()
        # entries of CUDA_VISIBLE_DEVICES; torch's device 0 is the first of them
        entries = [gpu.split(",")[0]] if gpu and device.type == "cuda" else None
        if device.type == "cpu":
            entries = []
        self._meter = energy.open(gpus=entries, stated_watts=stated_watts)
        self._gpu = _first_gpu(entries)
        self._throttle = throttle.open(gpus=[self._gpu])
        self._reset_refused: Optional[str] = None

    def reset_peaks(self) -> None:
        """Forget the peaks so far: what follows is the steady state."""
        if isinstance(self._memory, Unavailable):
            self._reset_refused = self._memory.reason
        else:
            self._reset_refused = self._memory.reset_peak()
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)

    def memory(self, phase: str) -> Dict[str, Any]:
        """Give the fields of a `memory` record: peaks since the start or the last reset [bytes].

        The group's peak cannot be reset everywhere and is that of the whole job; where VmHWM
        could not be reset, the steady peak of the process is null with the reason.
        """
        row: Dict[str, Any] = {"phase": phase}
        if isinstance(self._memory, Unavailable):
            for name in ("rss_peak_bytes", "cgroup_peak_bytes", "rss_bytes"):
                add_value(row, name, missing(self._memory.reason))
        else:
            row.update(self._memory.peaks())
            add_value(row, "rss_bytes", self._memory.rss_bytes())
        if self._reset_refused is not None:
            add_value(row, "rss_peak_bytes", missing(f"no reset: {self._reset_refused}"))
        for name, value in self._device_memory().items():
            add_value(row, name, value)
        return row

    def _device_memory(self) -> Dict[str, Value]:
        if self._device.type == "cpu":
            none = missing("the task runs on the CPU")
            allocated = reserved = process = whole = none
        else:
            allocated = present(torch.cuda.max_memory_allocated(self._device))
            reserved = present(torch.cuda.max_memory_reserved(self._device))
            if isinstance(self._gpu, Unavailable):
                process = whole = missing(self._gpu.reason)
            else:
                process = self._gpu.process_memory_bytes()
                whole = self._gpu.device_memory_bytes()
        return {
            "torch_allocated_bytes": allocated,
            "torch_reserved_bytes": reserved,
            "nvml_process_bytes": process,
            "nvml_device_bytes": whole,
        }

    def idle(self, seconds: float) -> Dict[str, Any]:
        """Measure the idle machine; at once where no sensor would see anything."""
        readings: List[Dict[str, Any]] = self._meter.start().stop()
        if all(reading["source"] == "none" for reading in readings):
            seconds = 0.0
        return self._meter.idle(seconds)

    def start(self) -> Window:
        """Begin a window; the clock states are read before the energy."""
        state = self._throttle.read()
        return self._meter.start(), state

    def stop(self, window: Window) -> Dict[str, Any]:
        """End a window and give the fields `energy` and `throttle` of its record."""
        readings = window[0].stop()
        return {
            "energy": readings,
            "throttle": throttle.between(window[1], self._throttle.read()),
        }


def _first_gpu(entries: Optional[List[str]]) -> Union[nvml.Gpu, Unavailable]:
    if entries is not None and not entries:
        return Unavailable("nvml", "the task runs on the CPU")
    library = nvml.open()
    if isinstance(library, Unavailable):
        return library
    if entries:
        return library.gpu(entries[0])
    found = library.all_gpus()
    return found[0] if found else Unavailable("nvml", "NVML shows no GPU")
