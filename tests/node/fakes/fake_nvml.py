"""A stand-in for the pynvml module: the calls that specc makes, on devices a test describes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

MESSAGES = {
    3: "Not Supported",
    4: "Insufficient Permissions",
    6: "Not Found",
    12: "NVML Shared Library Not Found",
    15: "GPU is lost",
}


class NVMLError(Exception):
    value = 999

    def __str__(self) -> str:
        return MESSAGES.get(self.value, "Unknown Error")


class NVMLError_NotSupported(NVMLError):
    value = 3


class NVMLError_NoPermission(NVMLError):
    value = 4


class NVMLError_NotFound(NVMLError):
    value = 6


class NVMLError_LibraryNotFound(NVMLError):
    value = 12


class NVMLError_GpuIsLost(NVMLError):
    value = 15


class FakeDevice:
    """One device; every field can be changed while it is read. `fails` maps a call to its error."""

    def __init__(self, uuid: str, **fields: Any) -> None:
        self.uuid = uuid
        self.energy_mj = 1_000_000
        self.power_mw = 250_000
        self.reasons = 0
        self.processes: list[SimpleNamespace] = []
        self.fails: dict[str, NVMLError] = {}
        self.lost = False
        self.parent: FakeDevice | None = None
        self.__dict__.update(fields)


def process(pid: int, used: int | None) -> SimpleNamespace:
    return SimpleNamespace(pid=pid, usedGpuMemory=used)


ANSWERS = {
    "nvmlDeviceGetUUID": lambda d: d.uuid,
    "nvmlDeviceGetName": lambda d: b"NVIDIA A100-SXM4-40GB",
    "nvmlDeviceGetMemoryInfo": lambda d: SimpleNamespace(used=3 << 30, total=40 << 30),
    "nvmlDeviceGetUtilizationRates": lambda d: SimpleNamespace(gpu=87, memory=40),
    "nvmlDeviceGetPowerUsage": lambda d: d.power_mw,
    "nvmlDeviceGetTotalEnergyConsumption": lambda d: d.energy_mj,
    "nvmlDeviceGetTemperature": lambda d, sensor: 61,
    "nvmlDeviceGetClockInfo": lambda d, clock: 1410,
    "nvmlDeviceGetMaxClockInfo": lambda d, clock: {1: 1410, 2: 1215}[clock],
    "nvmlDeviceGetApplicationsClock": lambda d, clock: 1095,
    "nvmlDeviceGetCurrentClocksEventReasons": lambda d: d.reasons,
    "nvmlDeviceGetComputeRunningProcesses": lambda d: d.processes,
    "nvmlDeviceGetDeviceHandleFromMigDeviceHandle": lambda d: d.parent,
    "nvmlDeviceGetEccMode": lambda d: [1, 1],
    "nvmlDeviceGetMigMode": lambda d: [0, 0],
    "nvmlDeviceGetCudaComputeCapability": lambda d: (8, 0),
    "nvmlDeviceGetPciInfo": lambda d: SimpleNamespace(busId="00000000:07:00.0"),
    "nvmlDeviceGetEnforcedPowerLimit": lambda d: 400_000,
    "nvmlDeviceGetComputeMode": lambda d: 3,
    "nvmlDeviceGetPersistenceMode": lambda d: 1,
}


class FakeNvml:
    """The module. `init_error` is what nvmlInit raises; None in `devices` is a forbidden device."""

    NVMLError = NVMLError

    def __init__(
        self, devices: list[FakeDevice | None], *, init_error: NVMLError | None = None
    ) -> None:
        self.devices = devices
        self.init_error = init_error

    def nvmlInit(self) -> None:
        if self.init_error is not None:
            raise self.init_error

    def nvmlDeviceGetCount(self) -> int:
        return len(self.devices)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> FakeDevice:
        device = self.devices[index]
        if device is None:
            raise NVMLError_NoPermission
        return device

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> FakeDevice:
        for device in self.devices:
            if device is not None and device.uuid == uuid:
                return device
        raise NVMLError_NotFound

    def nvmlSystemGetDriverVersion(self) -> str:
        return "550.54.15"

    def nvmlSystemGetNVMLVersion(self) -> str:
        return "12.550.54.15"

    def nvmlSystemGetCudaDriverVersion(self) -> int:
        return 12040

    def __getattr__(self, name: str) -> Any:
        if name not in ANSWERS:
            raise AttributeError(name)

        def call(device: FakeDevice, *arguments: Any) -> Any:
            if device.lost:
                raise NVMLError_GpuIsLost
            if name in device.fails:
                raise device.fails[name]
            return ANSWERS[name](device, *arguments)

        return call
