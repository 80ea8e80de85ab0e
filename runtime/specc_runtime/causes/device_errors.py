"""What a CUDA error number says about its cause.

The numbers are those of `cudaError_t` in driver_types.h; torch gives them as
`AcceleratorError.error_code`. A number that is not listed is a fault of the program.
"""

from __future__ import annotations

from typing import Dict, Mapping, NamedTuple, Sequence


class DeviceError(NamedTuple):
    """One error number."""

    name: str
    """Without its prefix cudaError."""
    category: str
    fatal: bool
    """No further work is possible in the same context; under MPS its neighbours' included."""


DEVICE_ERRORS: Dict[int, DeviceError] = {
    2: DeviceError("MemoryAllocation", "oom_gpu", fatal=False),
    3: DeviceError("InitializationError", "gpu", fatal=False),
    # the driver or its match with the toolkit: no other try on this node gets past it
    35: DeviceError("InsufficientDriver", "program", fatal=False),
    46: DeviceError("DevicesUnavailable", "gpu", fatal=False),
    100: DeviceError("NoDevice", "gpu", fatal=False),
    127: DeviceError("StartupFailure", "gpu", fatal=False),
    201: DeviceError("DeviceUninitialized", "gpu", fatal=False),
    214: DeviceError("ECCUncorrectable", "gpu", fatal=True),
    220: DeviceError("NvlinkUncorrectable", "gpu", fatal=True),
    226: DeviceError("Contained", "gpu", fatal=True),
    # an access out of bounds and a broken memory cell look alike: another try tells
    700: DeviceError("IllegalAddress", "gpu", fatal=True),
    702: DeviceError("LaunchTimeout", "gpu", fatal=True),
    # the program's own assertion, such as a label out of range
    710: DeviceError("Assert", "program", fatal=True),
    714: DeviceError("HardwareStackError", "gpu", fatal=True),
    715: DeviceError("IllegalInstruction", "gpu", fatal=True),
    716: DeviceError("MisalignedAddress", "gpu", fatal=True),
    717: DeviceError("InvalidAddressSpace", "gpu", fatal=True),
    718: DeviceError("InvalidPc", "gpu", fatal=True),
    719: DeviceError("LaunchFailure", "gpu", fatal=True),
    802: DeviceError("SystemNotReady", "gpu", fatal=False),
    805: DeviceError("MpsConnectionFailed", "gpu", fatal=False),
    806: DeviceError("MpsRpcFailure", "gpu", fatal=True),
    807: DeviceError("MpsServerNotReady", "gpu", fatal=False),
    808: DeviceError("MpsMaxClientsReached", "gpu", fatal=False),
    809: DeviceError("MpsMaxConnectionsReached", "gpu", fatal=False),
    # the MPS server ended this client because another one faulted
    810: DeviceError("MpsClientTerminated", "gpu_neighbour", fatal=True),
    999: DeviceError("Unknown", "gpu", fatal=True),
}

ACCELERATOR_ERRORS = ("torch.AcceleratorError", "torch.cuda.AcceleratorError")
OUT_OF_MEMORY = ("torch.OutOfMemoryError", "torch.cuda.OutOfMemoryError")
# NCCL, Gloo and the store they meet at: what fails is a peer or the way to it
NETWORK_ERRORS = (
    "torch.distributed.DistBackendError",
    "torch.distributed.DistNetworkError",
    "torch.distributed.DistStoreError",
)


def device_category(code: object) -> str:
    """Return the category of a CUDA error number; "gpu" for a device error without a number."""
    if not isinstance(code, int):
        return "gpu"
    known = DEVICE_ERRORS.get(code)
    return known.category if known else "program"


def is_fatal_fault(types: Sequence[str], facts: Mapping[str, object]) -> bool:
    """Tell whether an attempt's device error also ends the MPS clients beside it.

    types, facts: `types` and `evidence` of its report.
    """
    if not any(name in ACCELERATOR_ERRORS for name in types):
        return False
    code = facts.get("device_error")
    known = DEVICE_ERRORS.get(code) if isinstance(code, int) else None
    return known is not None and known.fatal and known.category != "gpu_neighbour"
