"""Which GPUs this process may use: the entries that CUDA_VISIBLE_DEVICES takes.

An entry is an index, a GPU-UUID or a MIG-UUID; it is handed on as it was found, never counted.
"""

from __future__ import annotations

import glob
import re
import shutil
import subprocess
from typing import List, Mapping, Optional

_TOOL = "nvidia-smi"
_TIMEOUT_S = 20
_GPU_LINE = re.compile(r"GPU ([0-9]+):.*\(UUID: (GPU-[^)]+)\)")
_MIG_LINE = re.compile(r"\s+MIG .*\(UUID: (MIG-[^)]+)\)")


def visible_gpus(environ: Mapping[str, str]) -> List[str]:
    """Return the entries of CUDA_VISIBLE_DEVICES, else the devices that this machine has.

    A GPU that is cut into MIG slices is listed by its slices: CUDA would see the first one only.
    """
    listed = environ.get("CUDA_VISIBLE_DEVICES")
    if listed is not None:
        entries = [entry.strip() for entry in listed.split(",")]
        # CUDA itself stops reading at the first entry it does not accept, -1 above all
        return entries[: entries.index("-1")] if "-1" in entries else [e for e in entries if e]
    found = [path[len("/dev/nvidia") :] for path in glob.glob("/dev/nvidia[0-9]*")]
    if not found:
        return []
    return mig_entries(ask_tool("-L") or "") or sorted(found, key=int)


def mig_entries(listing: str) -> List[str]:
    """Return the entries that `nvidia-smi -L` lists; empty where no GPU is cut into slices."""
    entries: List[str] = []
    whole: Optional[str] = None
    cut = False
    for line in listing.splitlines():
        gpu, slice_ = _GPU_LINE.match(line), _MIG_LINE.match(line)
        if gpu:
            entries += [whole] if whole else []
            whole = gpu[2]
        elif slice_:
            whole, cut = None, True
            entries.append(slice_[1])
    entries += [whole] if whole else []
    return entries if cut else []


def ask_tool(*arguments: str) -> Optional[str]:
    """Return what nvidia-smi prints; None where it is missing, fails or hangs."""
    path = shutil.which(_TOOL)
    if path is None:
        return None
    try:
        done = subprocess.run(
            [path, *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None


class GpuState:
    """What nvidia-smi says of one GPU."""

    def __init__(self, total_bytes: Optional[int], used_bytes: Optional[int], mode: str) -> None:
        self.total_bytes = total_bytes
        self.used_bytes = used_bytes
        """Memory in use by everyone [bytes]; None when it does not say."""
        self.mode = mode
        """Compute mode as printed: "Default", "Exclusive_Process", "Prohibited"; may be empty."""

    @property
    def exclusive(self) -> bool:
        """True when a second process can't open it."""
        return self.mode.lower().startswith("exclusive")


def ask_gpu(entry: str) -> Optional[GpuState]:
    """Ask about the GPU of one entry; None where nobody can say.

    A MIG slice has neither memory nor mode of its own in nvidia-smi's answer.
    """
    if entry.startswith("MIG-"):
        return None
    answer = ask_tool(
        f"--id={entry}",
        "--query-gpu=memory.total,memory.used,compute_mode",
        "--format=csv,noheader,nounits",
    )
    fields = [
        field.strip() for field in (answer or "").splitlines()[:1] for field in field.split(",")
    ]
    if len(fields) != 3:
        return None
    return GpuState(_mebibytes(fields[0]), _mebibytes(fields[1]), fields[2])


def _mebibytes(text: str) -> Optional[int]:
    return int(text) << 20 if text.isdigit() else None
