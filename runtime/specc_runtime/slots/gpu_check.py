"""Look at the GPUs before anything is started on them: their names, free memory and compute mode.

Asks nvidia-smi, and only where the answer changes something; where it can't say, nothing is done.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Dict, List, Mapping, MutableMapping, Sequence, Tuple

from ..log import Log
from .devices import ask_gpu, ask_tool, visible_gpus
from .slots import Slot


def name_by_uuid(environ: MutableMapping[str, str]) -> None:
    """Write CUDA_VISIBLE_DEVICES as UUIDs, where every index can be turned into one.

    An MPS daemon renumbers the GPUs it is given, so that its clients would miss theirs by index.
    """
    names = []
    for entry in visible_gpus(environ):
        name = _uuid(entry) if entry.isdigit() else entry
        if not name.startswith(("GPU-", "MIG-")):
            return
        names.append(name)
    if names:
        environ["CUDA_VISIBLE_DEVICES"] = ",".join(names)


def _uuid(index: str) -> str:
    answer = ask_tool(f"--id={index}", "--query-gpu=uuid", "--format=csv,noheader")
    return (answer or "").strip()


def occupied(shape: Mapping[str, Any], environ: Mapping[str, str], log: Log) -> Dict[str, str]:
    """Return the GPUs whose free memory does not hold one task, and why; never all of them."""
    needed = shape["task"]["gpu_memory_bytes"]
    if not needed or not shape["task"]["gpus"]:
        return {}
    gpus = visible_gpus(environ)
    found = {}
    for gpu in gpus:
        state = ask_gpu(gpu)
        if state is None or state.total_bytes is None or state.used_bytes is None:
            continue
        free = state.total_bytes - state.used_bytes
        if free < needed:
            found[gpu] = (
                f"{_gib(free)} of {_gib(state.total_bytes)} are free, a task needs {_gib(needed)}"
            )
    if len(found) < len(gpus):
        return found
    for gpu, reason in found.items():
        log.warning(f"GPU {gpu}: {reason}; it is used all the same, there is no other")
    return {}


def crowded(slots: Sequence[Slot], needed_bytes: Any, log: Log) -> None:
    """Warn of GPUs whose free memory does not hold all the tasks that are to share them."""
    if not needed_bytes:
        return
    for gpu, tasks in _tasks_on(slots).items():
        state = ask_gpu(gpu) if tasks > 1 else None
        if state is None or state.total_bytes is None or state.used_bytes is None:
            continue
        free = state.total_bytes - state.used_bytes
        if free < tasks * needed_bytes:
            log.warning(
                f"GPU {gpu}: {tasks} tasks of {_gib(needed_bytes)} are to share it, "
                f"but {_gib(free)} are free"
            )


def usable(slots: Sequence[Slot], *, mps: bool, log: Log) -> Tuple[Slot, ...]:
    """Return the slots that can be used at a time.

    A GPU in an exclusive compute mode takes one process, unless MPS stands between.
    """
    shared = [gpu for gpu, tasks in _tasks_on(slots).items() if tasks > 1]
    if mps or not shared:
        return tuple(slots)
    states = {gpu: ask_gpu(gpu) for gpu in shared}
    exclusive = {gpu for gpu, state in states.items() if state is not None and state.exclusive}
    if not exclusive:
        return tuple(slots)
    log.warning(f"one task at a time on {', '.join(sorted(exclusive))}: exclusive, and no MPS")
    taken: List[str] = []
    kept = []
    for slot in slots:
        if not exclusive.intersection(taken, slot.entries):
            taken += slot.entries
            kept.append(slot)
    return tuple(kept)


def _tasks_on(slots: Sequence[Slot]) -> Mapping[str, int]:
    return Counter(entry for slot in slots for entry in slot.entries)


def _gib(size: int) -> str:
    return f"{size / (1 << 30):.1f} GiB"
