"""Lay a shape's slots out over the nodes of its job, and say which processes stand where.

A task of one process on this machine runs in a slot as `slots` makes it. Any other slot has a
span: of a task of several processes, or on another node of the job.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, replace
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from .nodelist import expand
from .slots import NoDevice, Slot, Span, make_slots

FORK = "fork"
SRUN = "srun"


def lay_out(
    shape: Mapping[str, Any], environ: Mapping[str, str], *, without: Sequence[str] = ()
) -> Tuple[Slot, ...]:
    """Lay out a shape's slots. Raises NoDevice where the job or the machine is too small.

    without: GPUs of this machine that are not used.
    """
    task = shape["task"]
    nodes, per_node = int(task["nodes"]), int(task["processes_per_node"])
    names = job_nodes(environ)
    if nodes * per_node == 1 and len(names) < 2:
        return make_slots(shape, environ, without=without)
    own = own_node(environ)
    # outside Slurm one machine stands for all nodes, and has the slots of all
    groups = _groups(names, nodes, own) if names else [(own,) * nodes]
    beside = -(-int(shape["slots"]) // len(groups))
    here = make_slots({**shape, "slots": beside}, environ, without=without)
    slots: List[Slot] = []
    for group in groups:
        launcher = FORK if set(group) == {own} else SRUN
        for place, like in enumerate(here):
            found = replace(like, number=len(slots))
            if nodes * per_node > 1 or launcher == SRUN:
                span = Span(group, per_node, place, beside, launcher)
                # what a slot has is given to the processes, the leader takes none of it
                found = replace(found, cpu_set=None, env={}, span=span)
            if own not in group:
                found = replace(found, gpu=None, process_gpus=(None,))
            slots.append(found)
    return tuple(slots[: int(shape["slots"])])


def job_nodes(environ: Mapping[str, str]) -> Tuple[str, ...]:
    """Return the nodes of this Slurm job in Slurm's order; nothing outside Slurm."""
    if not environ.get("SLURM_JOB_ID"):
        return ()
    try:
        return expand(environ.get("SLURM_JOB_NODELIST", ""))
    except ValueError:
        return ()


def own_node(environ: Mapping[str, str]) -> str:
    """Return what Slurm calls this node; the machine's own name outside Slurm."""
    return environ.get("SLURMD_NODENAME") or socket.gethostname()


def _groups(names: Tuple[str, ...], nodes: int, own: str) -> List[Tuple[str, ...]]:
    """Deal the nodes of a job to groups, one task wide each; the group of this node first."""
    if len(names) < nodes:
        raise NoDevice(f"a task needs {nodes} nodes, but this job has {len(names)}")
    whole = len(names) - len(names) % nodes
    found = [names[start : start + nodes] for start in range(0, whole, nodes)]
    return sorted(found, key=lambda group: own not in group)


@dataclass(frozen=True)
class ProcessPlace:
    """What one process of a task gets of its node."""

    gpu: Optional[str]
    cpu_set: Optional[Tuple[int, ...]]
    cpus: int
    env: Mapping[str, str]


def process_places(
    span: Mapping[str, Any], environ: Mapping[str, str], *, pretended: Tuple[int, int]
) -> List[ProcessPlace]:
    """Return the places of a task's processes on this machine, by local rank. Raises NoDevice.

    span: as in an attempt's order. pretended: which node this machine stands for, and for how many.
    """
    which, nodes = pretended
    per_node, task = int(span["per_node"]), span["task"]
    number = int(span["beside"]) * nodes
    slots = make_slots({"task": task, "slots": number}, environ)
    mine = int(span["place"]) * nodes + which
    if mine >= len(slots):
        raise NoDevice(f"{own_node(environ)} has GPUs for {len(slots)} of {number} tasks")
    slot, cpus = slots[mine], int(task["cpus"])
    gpus = slot.process_gpus if slot.gpu else (None,) * per_node
    found = []
    for local_rank in range(per_node):
        part = None
        if slot.cpu_set is not None:
            part = slot.cpu_set[local_rank * cpus : (local_rank + 1) * cpus] or slot.cpu_set
        env: Dict[str, str] = {**slot.env, "CUDA_VISIBLE_DEVICES": gpus[local_rank] or ""}
        found.append(ProcessPlace(gpus[local_rank], part, cpus, env))
    return found
