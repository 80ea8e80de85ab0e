"""How long tasks waited for CPU, memory and disks, and how much the machine swapped.

Pressure stall information counts the time in which some task ("some") or every task ("full") of a
machine or of a control group waited. Kernels before 4.20 and those told so have none.
"""

from __future__ import annotations

import os
from typing import Dict

from .base import OpenFile, Value, missing, present

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_PARTS = (("cpu", "some"), ("memory", "some"), ("memory", "full"), ("io", "some"), ("io", "full"))


class Pressure:
    """Reads the totals of the pressure files in one folder."""

    NAMES = tuple(f"psi_{resource}_{share}_s" for resource, share in _PARTS)

    def __init__(self, folder: str, pattern: str = "{}") -> None:
        """Open the files; pattern: how a resource's file is called, "{}.pressure" in a group."""
        self._files = {
            resource: OpenFile(f"{folder}/{pattern.format(resource)}")
            for resource in ("cpu", "memory", "io")
        }

    def read(self) -> Dict[str, Value]:
        """Read the totals since boot [s], by the names of NAMES."""
        texts = {resource: file.read(512) for resource, file in self._files.items()}
        found: Dict[str, Value] = {}
        for name, (resource, share) in zip(self.NAMES, _PARTS):
            text, reason = texts[resource]
            found[name] = missing(reason or f"no line {share} in {self._files[resource].path}")
            for line in (text or "").splitlines():
                total = line.rpartition("total=")[2]
                if line.startswith(share) and total.isdigit():
                    found[name] = present(int(total) / 1e6)
        return found


class Swapping:
    """Reads /proc/vmstat: page faults that waited for a disk, and swap traffic of the machine."""

    NAMES = ("major_faults", "swap_in_bytes", "swap_out_bytes")

    def __init__(self, proc_root: str = "/proc") -> None:
        self._file = OpenFile(f"{proc_root}/vmstat")

    def read(self) -> Dict[str, Value]:
        """Read the counters since boot, by the names of NAMES."""
        text, reason = self._file.read()
        text = "\n" + (text or "")
        found: Dict[str, Value] = {}
        for name, key, scale in zip(
            self.NAMES, ("pgmajfault", "pswpin", "pswpout"), (1, PAGE_BYTES, PAGE_BYTES)
        ):
            count = text.partition(f"\n{key} ")[2].partition("\n")[0]
            if count.isdigit():
                found[name] = present(int(count) * scale)
            else:
                found[name] = missing(reason or f"the kernel shows no {key}")
        return found
