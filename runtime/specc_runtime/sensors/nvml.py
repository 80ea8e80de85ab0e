"""NVIDIA GPUs through NVML: find the device that a CUDA_VISIBLE_DEVICES entry means, and read it.

The `pynvml` module (package nvidia-ml-py) is imported when a GPU is first asked for; where it or
the driver is missing the sensor is unavailable. Every read catches NVML's own error, so a GPU that
falls off the bus gives reasons, not exceptions. No CUDA context is made.
"""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, List, Optional, Union

from .base import Unavailable, Value, missing, present, why

THROTTLE_BITS = {  # nvml.h, nvmlClocksEventReasons
    0x1: "gpu_idle",
    0x2: "applications_clocks_setting",
    0x4: "sw_power_cap",
    0x8: "hw_slowdown",
    0x10: "sync_boost",
    0x20: "sw_thermal_slowdown",
    0x40: "hw_thermal_slowdown",
    0x80: "hw_power_brake_slowdown",
    0x100: "display_clock_setting",
}
NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = 1, 2, 0


class Gpu:
    """One GPU, or one MIG slice of it."""

    def __init__(self, nvml: Any, handle: Any, entry: str) -> None:
        self._nvml = nvml
        self._handle = handle
        self.entry = entry
        """The entry of CUDA_VISIBLE_DEVICES that named it."""
        self.uuid = _text(self._ask("nvmlDeviceGetUUID", handle).value)
        self.is_mig = bool(self.uuid and self.uuid.startswith("MIG-"))
        # power, energy, clocks and utilisation exist for the whole board only
        self._board = handle
        if self.is_mig:
            parent = self._ask("nvmlDeviceGetDeviceHandleFromMigDeviceHandle", handle).value
            self._board = handle if parent is None else parent

    def device_memory_bytes(self) -> Value:
        """Read the memory in use on the device by everyone [bytes]."""
        return self._number("nvmlDeviceGetMemoryInfo", self._handle, of=lambda info: int(info.used))

    def total_memory_bytes(self) -> Value:
        return self._number(
            "nvmlDeviceGetMemoryInfo", self._handle, of=lambda info: int(info.total)
        )

    def process_memory_bytes(self, pids: Optional[List[int]] = None) -> Value:
        """Read the device memory of these processes (default: this one), contexts too [bytes]."""
        wanted = set(pids or [os.getpid()])
        processes = self._processes()
        if isinstance(processes, str):
            return missing(processes)
        used = [p.usedGpuMemory for p in processes if p.pid in wanted]
        if not used:
            return missing(
                "NVML lists no such process on the device (none started, or another PID namespace)"
            )
        if any(size is None for size in used):
            return missing("NVML does not say how much memory the process uses")
        return present(sum(int(size) for size in used))

    def foreign_processes(self, own_pids: Optional[List[int]] = None) -> Value:
        """Count processes on the device that are not ours (default: not this one) [1]."""
        own = set(own_pids or [os.getpid()])
        processes = self._processes()
        if isinstance(processes, str):
            return missing(processes)
        return present(len({p.pid for p in processes} - own))

    def utilisation_pct(self) -> Value:
        """Read the share of the last sample period in which a kernel ran [0..100]."""
        return self._number("nvmlDeviceGetUtilizationRates", self._board, of=lambda u: int(u.gpu))

    def power_w(self) -> Value:
        """Read the board's power [W]; on most GPUs since Ampere an average over about a second."""
        return self._number("nvmlDeviceGetPowerUsage", self._board, of=lambda mw: mw / 1000)

    def energy_mj(self) -> Value:
        """Read the energy counter [mJ since driver load]; only differences mean anything."""
        return self._number("nvmlDeviceGetTotalEnergyConsumption", self._board, of=int)

    def temperature_c(self) -> Value:
        """Read the temperature of the chip [degrees Celsius]."""
        return self._number("nvmlDeviceGetTemperature", self._board, NVML_TEMPERATURE_GPU, of=int)

    def sm_clock_mhz(self) -> Value:
        """Read the present clock of the processors [MHz]."""
        return self._number("nvmlDeviceGetClockInfo", self._board, NVML_CLOCK_SM, of=int)

    def throttle(self) -> Union[List[str], Unavailable]:
        """List why the clocks are lower than they could be; empty when they are not."""
        name = "nvmlDeviceGetCurrentClocksEventReasons"
        if not hasattr(self._nvml, name):  # bindings before 12.535
            name = "nvmlDeviceGetCurrentClocksThrottleReasons"
        answer = self._ask(name, self._board)
        if answer.value is None:
            return Unavailable("nvml", answer.reason or "no answer")
        mask = int(answer.value)
        known = [text for bit, text in THROTTLE_BITS.items() if mask & bit]
        rest = mask & ~sum(THROTTLE_BITS)
        return known + ([f"unknown_0x{rest:x}"] if rest else [])

    def sample(self, own_pids: Optional[List[int]] = None) -> Dict[str, Any]:
        """Give the entry of `gpus` in hardware.jsonl; `reason` says why when any field is null."""
        readings = {
            "util_pct": self.utilisation_pct(),
            "memory_used_bytes": self.device_memory_bytes(),
            "power_w": self.power_w(),
            "temperature_c": self.temperature_c(),
            "sm_clock_mhz": self.sm_clock_mhz(),
            "foreign_processes": self.foreign_processes(own_pids),
        }
        row: Dict[str, Any] = {"uuid": self.uuid}
        row.update((name, reading.value) for name, reading in readings.items())
        throttle = self.throttle()
        row["throttle"] = None if isinstance(throttle, Unavailable) else throttle
        reasons = [f"{name}: {r.reason}" for name, r in readings.items() if r.value is None]
        if isinstance(throttle, Unavailable):
            reasons.append(f"throttle: {throttle.reason}")
        if reasons:
            row["reason"] = "; ".join(reasons)
        return row

    def describe(self) -> Dict[str, Any]:
        """Describe the device for launch.json: what it is and how it is set; null if unknown."""
        board = self._board
        ecc = self._ask("nvmlDeviceGetEccMode", board).value
        mig = self._ask("nvmlDeviceGetMigMode", board).value
        capability = self._ask("nvmlDeviceGetCudaComputeCapability", board).value
        pci = self._ask("nvmlDeviceGetPciInfo", board).value
        milliwatts = self._ask("nvmlDeviceGetEnforcedPowerLimit", board).value
        mode = self._ask("nvmlDeviceGetComputeMode", board).value
        modes = {0: "default", 1: "exclusive_thread", 2: "prohibited", 3: "exclusive_process"}
        return {
            "entry": self.entry,
            "uuid": self.uuid,
            "name": _text(self._ask("nvmlDeviceGetName", self._handle).value),
            "memory_bytes": self.total_memory_bytes().value,
            "compute_capability": ".".join(map(str, capability)) if capability else None,
            "pci_bus_id": _text(getattr(pci, "busId", None)),
            "power_cap_w": milliwatts / 1000 if milliwatts is not None else None,
            "max_sm_clock_mhz": self._ask("nvmlDeviceGetMaxClockInfo", board, NVML_CLOCK_SM).value,
            "max_memory_clock_mhz": self._ask(
                "nvmlDeviceGetMaxClockInfo", board, NVML_CLOCK_MEM
            ).value,
            "application_sm_clock_mhz": self._ask(
                "nvmlDeviceGetApplicationsClock", board, NVML_CLOCK_SM
            ).value,
            "persistence": _flag(self._ask("nvmlDeviceGetPersistenceMode", board).value),
            "ecc": _flag(ecc[0]) if ecc is not None else None,
            "mig": _flag(mig[0]) if mig is not None else None,
            "is_mig_slice": self.is_mig,
            "compute_mode": modes.get(mode) if mode is not None else None,
        }

    def _processes(self) -> Union[List[Any], str]:
        answer = self._ask("nvmlDeviceGetComputeRunningProcesses", self._handle)
        if answer.value is None:
            return answer.reason or "no answer"
        return list(answer.value)

    def _number(self, name: str, *arguments: Any, of: Callable[[Any], Union[int, float]]) -> Value:
        answer = self._ask(name, *arguments)
        if answer.value is None:
            return missing(answer.reason or "no answer")
        try:
            return present(of(answer.value))
        except (TypeError, ValueError, AttributeError) as error:
            return missing(f"{name}: {why(error)}")

    def _ask(self, name: str, *arguments: Any) -> _Answer:
        return _ask(self._nvml, name, *arguments)


class _Answer:
    def __init__(self, value: Any, reason: Optional[str]) -> None:
        self.value = value
        self.reason = reason


def _ask(nvml: Any, name: str, *arguments: Any) -> _Answer:
    """Call NVML; an error of its own becomes a reason."""
    function = getattr(nvml, name, None)
    if function is None:
        return _Answer(None, f"this pynvml has no {name}")
    try:
        value = function(*arguments)
    except nvml.NVMLError as error:
        return _Answer(None, _name_error(error))
    return _Answer(value, None if value is not None else f"{name} answered nothing")


def _name_error(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


class Nvml:
    """The library, initialised. Finds devices."""

    def __init__(self, module: Any) -> None:
        self._nvml = module

    def gpu(self, entry: str) -> Union[Gpu, Unavailable]:
        """Open the device that one entry of CUDA_VISIBLE_DEVICES names: index, GPU-UUID, MIG-UUID.

        An index counts the devices this process may use, in PCI order. A UUID may be shortened.
        """
        if entry.isdigit():
            handles = self._accessible()
            if int(entry) >= len(handles):
                return Unavailable("nvml", f"no device {entry}: NVML shows {len(handles)}")
            return Gpu(self._nvml, handles[int(entry)], entry)
        answer = _ask(self._nvml, "nvmlDeviceGetHandleByUUID", entry)
        if answer.value is not None:
            return Gpu(self._nvml, answer.value, entry)
        matches = [Gpu(self._nvml, handle, entry) for handle in self._accessible()]
        matches = [gpu for gpu in matches if gpu.uuid and gpu.uuid.startswith(entry)]
        if len(matches) == 1:
            return matches[0]
        return Unavailable("nvml", f"device {entry}: {answer.reason}")

    def all_gpus(self) -> List[Gpu]:
        """Open every device this process may use, in PCI order."""
        return [Gpu(self._nvml, h, str(i)) for i, h in enumerate(self._accessible())]

    def versions(self) -> Dict[str, Optional[str]]:
        """Name the driver, the NVML and the newest CUDA that the driver supports."""
        cuda = _ask(self._nvml, "nvmlSystemGetCudaDriverVersion").value
        return {
            "driver": _text(_ask(self._nvml, "nvmlSystemGetDriverVersion").value),
            "nvml": _text(_ask(self._nvml, "nvmlSystemGetNVMLVersion").value),
            "cuda": f"{cuda // 1000}.{cuda % 1000 // 10}" if cuda else None,
        }

    def _accessible(self) -> List[Any]:
        count = _ask(self._nvml, "nvmlDeviceGetCount").value or 0
        # devices that the job's control group forbids are counted, but cannot be opened
        answers = [_ask(self._nvml, "nvmlDeviceGetHandleByIndex", i) for i in range(count)]
        return [answer.value for answer in answers if answer.value is not None]


def open(nvml: Any = None) -> Union[Nvml, Unavailable]:
    """Initialise NVML. `nvml` stands in for the pynvml module."""
    module = nvml
    if module is None:
        try:
            import pynvml
        except ImportError:
            return Unavailable("nvml", "the Python package nvidia-ml-py is not installed")
        module = pynvml
    try:
        module.nvmlInit()
    except module.NVMLError as error:
        return Unavailable("nvml", _name_error(error))
    return Nvml(module)


def visible_entries(value: Optional[str]) -> Optional[List[str]]:
    """Split CUDA_VISIBLE_DEVICES: None when it is not set, empty when it hides every device.

    As CUDA does it, the list ends at the first entry that names no device ("-1", "NoDevFiles").
    """
    if value is None:
        return None
    entries: List[str] = []
    for entry in (part.strip() for part in value.split(",")):
        if not (entry.isdigit() or entry.startswith(("GPU-", "MIG-"))):
            break
        entries.append(entry)
    return entries


def _text(value: Any) -> Optional[str]:
    if isinstance(value, bytes):  # bindings before 11.515
        return value.decode("utf-8", "replace")
    return str(value) if value is not None else None


def _flag(value: Any) -> Optional[bool]:
    return bool(value) if value is not None else None
