"""Which CPUs and which GPU each slot has, and the variables that tell an attempt so."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Tuple

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(frozen=True)
class Slot:
    """One place where a task can run."""

    number: int
    gpu: Optional[str]
    """Entries of CUDA_VISIBLE_DEVICES with commas between; None for a task without a GPU."""
    cpu_set: Optional[Tuple[int, ...]]
    """CPUs to pin to; None where the machine has too few for all slots."""
    cpus: int
    env: Mapping[str, str]


class NoDevice(Exception):
    """The shape needs GPUs that this machine does not offer."""


def visible_gpus(environ: Mapping[str, str]) -> List[str]:
    """Return the entries of CUDA_VISIBLE_DEVICES, else the devices that the driver made."""
    listed = environ.get("CUDA_VISIBLE_DEVICES")
    if listed is not None:
        entries = [entry.strip() for entry in listed.split(",")]
        # CUDA itself stops reading at the first entry it does not accept, -1 above all
        return entries[: entries.index("-1")] if "-1" in entries else [e for e in entries if e]
    found = [path[len("/dev/nvidia") :] for path in glob.glob("/dev/nvidia[0-9]*")]
    return sorted(found, key=int)


def make_slots(shape: Mapping[str, Any], environ: Mapping[str, str]) -> Tuple[Slot, ...]:
    """Lay out a shape's slots on this machine. Raises NoDevice."""
    task = shape["task"]
    number = int(shape["slots"])
    share = float(task["gpus"])
    gpus = visible_gpus(environ) if share else []
    if share:
        fitting = int(len(gpus) / share) if share < 1 else len(gpus) // int(share)
        if fitting == 0:
            raise NoDevice(f"no CUDA device: a task needs {share:g}, here are {len(gpus)}")
        number = min(number, fitting)
    available = sorted(os.sched_getaffinity(0))
    cpus = min(int(task["cpus"]), len(available))
    pinned = int(task["cpus"]) * number <= len(available)
    slots = []
    for slot in range(number):
        mine = tuple(available[slot * cpus : (slot + 1) * cpus]) if pinned else None
        slots.append(_slot(slot, _gpu(gpus, share, slot), mine, cpus))
    return tuple(slots)


def _gpu(gpus: List[str], share: float, slot: int) -> Optional[str]:
    if not share:
        return None
    if share < 1:
        return gpus[int(slot * share + 1e-9)]
    whole = int(share)
    return ",".join(gpus[slot * whole : (slot + 1) * whole])


def _slot(number: int, gpu: Optional[str], mine: Optional[Tuple[int, ...]], cpus: int) -> Slot:
    env: Dict[str, str] = {name: str(cpus) for name in _THREADS}
    # a task that asked for no GPU must not find one by chance
    env["CUDA_VISIBLE_DEVICES"] = gpu or ""
    return Slot(number, gpu, mine, cpus, env)
