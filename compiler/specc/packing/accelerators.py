"""Which CUDA builds a GPU and its driver can run. Pure; a small table with sources."""

from __future__ import annotations

import re

MINIMUM_DRIVER = {11: "450.80.02", 12: "525.60.13", 13: "580.65.06"}
"""CUDA major version to the oldest Linux driver that runs its builds.

Source: NVIDIA, CUDA Toolkit Release Notes, table "CUDA Toolkit and Minimum Required Driver Version
for CUDA Minor Version Compatibility".
"""

OLDEST_CAPABILITY = {11: "3.5", 12: "5.0", 13: "7.5"}
"""CUDA major version to the oldest compute capability its libraries still serve.

Source: the deprecation notes of the CUDA 11.0, 12.0 and 13.0 release notes.
"""

FIRST_CUDA = (("10.0", "12.8"), ("8.9", "11.8"), ("8.6", "11.1"), ("8.0", "11.0"))
"""Compute capability (and above) to the first CUDA version that generates code for it.

Source: "new architectures" in the release notes of CUDA 11.0, 11.1, 11.8 and 12.8.
"""


def cuda_version(accelerator: str) -> tuple[int, int] | None:
    """Return (12, 8) of "cu128"; None for builds without CUDA."""
    found = re.fullmatch(r"cu([0-9]{2})([0-9])", accelerator)
    return (int(found[1]), int(found[2])) if found else None


def driver_too_old(accelerator: str, driver: str) -> str | None:
    """Return the oldest driver that runs the build when `driver` is older; else None."""
    cuda = cuda_version(accelerator)
    needed = MINIMUM_DRIVER.get(cuda[0]) if cuda else None
    return needed if needed and _parts(driver) < _parts(needed)[: len(_parts(driver))] else None


def capability_unserved(accelerator: str, capability: str) -> str | None:
    """Return why the build has no code for a GPU of this compute capability; else None."""
    cuda = cuda_version(accelerator)
    if cuda is None:
        return None
    oldest = OLDEST_CAPABILITY.get(cuda[0])
    if oldest and _parts(capability) < _parts(oldest):
        return f"CUDA {cuda[0]} serves compute capability {oldest} and above"
    for from_capability, first in FIRST_CUDA:
        if _parts(capability) >= _parts(from_capability):
            if cuda < _parts(first):
                return f"compute capability {capability} needs CUDA {first} or newer"
            return None
    return None


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
