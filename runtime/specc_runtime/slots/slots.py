"""Which CPUs and which GPU each slot has, and the variables that tell an attempt so."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from .devices import visible_gpus

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(frozen=True)
class Span:
    """Where the processes of a task stand that is not one process on this machine."""

    nodes: Tuple[str, ...]
    """As Slurm names them; the same one again where one machine stands for all."""
    per_node: int
    """Processes on each of them."""
    place: int
    """0, 1, …: which of the tasks that run on these nodes side by side."""
    beside: int
    """How many of them there are."""
    launcher: str
    """How the nodes are reached: "fork" on this machine, "srun" on others."""


@dataclass(frozen=True)
class Slot:
    """One place where a task can run: what it gets of this node, for all its processes here."""

    number: int
    gpu: Optional[str]
    """Entries of CUDA_VISIBLE_DEVICES with commas between; None for a task without a GPU."""
    cpu_set: Optional[Tuple[int, ...]]
    """CPUs to pin to; None where this process was not given CPUs of its own, or too few."""
    cpus: int
    env: Mapping[str, str]
    process_gpus: Tuple[Optional[str], ...] = (None,)
    """What `gpu` is for each of its processes on this node, by local rank."""
    span: Optional[Span] = None
    """Set for a task that a leader runs: wider than a process, or on another node."""

    @property
    def entries(self) -> Tuple[str, ...]:
        """The GPUs it uses, each once."""
        return tuple(self.gpu.split(",")) if self.gpu else ()


class NoDevice(Exception):
    """The shape needs GPUs that this machine does not offer."""


def make_slots(
    shape: Mapping[str, Any], environ: Mapping[str, str], *, without: Sequence[str] = ()
) -> Tuple[Slot, ...]:
    """Lay out a shape's slots on this machine. Raises NoDevice.

    Tasks that share GPUs are spread: slot 0 is on the first GPU, slot 1 on the second.
    without: GPUs that are not used.
    """
    task = shape["task"]
    number = int(shape["slots"])
    processes = int(task.get("processes_per_node", 1))
    share = float(task["gpus"])
    places: List[Tuple[str, ...]] = []
    if share:
        found = visible_gpus(environ)
        gpus = [gpu for gpu in found if gpu not in without]
        places = _places(gpus, share, processes)
        if not places:
            here = f"here are {len(found)}" + (f", of which {len(gpus)} free" if without else "")
            raise NoDevice(f"no CUDA device: a task needs {share * processes:g}, {here}")
        number = min(number, len(places))
    given, available = cpus_given(environ), sorted(os.sched_getaffinity(0))
    wanted = int(task["cpus"]) * processes
    cpus = min(wanted, len(available))
    pinned = given and wanted * number <= len(available)
    threads = min(int(task["cpus"]), len(available))
    slots = []
    for slot in range(number):
        mine = tuple(available[slot * cpus : (slot + 1) * cpus]) if pinned else None
        place = places[slot] if places else ()
        slots.append(_slot(slot, place, mine, cpus, threads))
    return tuple(slots)


def cpus_given(environ: Mapping[str, str]) -> bool:
    """Tell whether the CPUs of this process's affinity are its own to hand out.

    A Slurm without a binding plug-in shows every job all CPUs of the node: neighbours would pin
    themselves to the same first ones.
    """
    counted = environ.get("SLURM_CPUS_ON_NODE", "")
    if not environ.get("SLURM_JOB_ID") or not counted.isdigit():
        return True
    return len(os.sched_getaffinity(0)) <= int(counted)


def _places(gpus: Sequence[str], share: float, processes: int) -> List[Tuple[str, ...]]:
    """Return for each task that fits the entry, or entries, of each of its processes."""
    if share >= 1:
        whole = math.ceil(share)
        entries = [",".join(gpus[i : i + whole]) for i in range(0, len(gpus), whole)]
        entries = entries[: len(gpus) // whole]
    elif processes == 1:
        # round robin: where memory allows fewer than 1 / share on a GPU, none is crowded
        entries = list(gpus) * int(1 / share + 1e-9)
    else:
        # neighbours on a GPU are processes of one task, as far as possible
        entries = [gpu for gpu in gpus for _ in range(int(1 / share + 1e-9))]
    return [
        tuple(entries[task * processes : (task + 1) * processes])
        for task in range(len(entries) // processes)
    ]


def _slot(
    number: int, place: Tuple[str, ...], mine: Optional[Tuple[int, ...]], cpus: int, threads: int
) -> Slot:
    env: Dict[str, str] = {name: str(threads) for name in _THREADS}
    gpu = ",".join(dict.fromkeys(entry for each in place for entry in each.split(","))) or None
    # a task that asked for no GPU must not find one by chance
    env["CUDA_VISIBLE_DEVICES"] = gpu or ""
    return Slot(number, gpu, mine, cpus, env, place or (None,))
