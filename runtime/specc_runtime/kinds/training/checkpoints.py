"""Checkpoints of a run in the task's state folder: tensors as safetensors, the rest as JSON.

`epoch-0003.json` is written last and names the hash of `epoch-0003.safetensors`, and one of its own
fields: without it there is no checkpoint. Nothing here can run code of a file.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

_NAME = re.compile(r"epoch-(\d{4,})\.json")
_FIELDS = ("task_id", "epoch", "step", "segments", "sha256", "plain", "own_sha256")


@dataclass(frozen=True)
class Checkpoint:
    """A run after a whole number of epochs."""

    epoch: int
    """Epochs done."""
    step: int
    """Steps done."""
    segments: List[Dict[str, Any]]
    """Rows that belong to it, those of earlier attempts first."""
    plain: Mapping[str, Any]
    """What is no tensor (JSON)."""
    tensors: Mapping[str, torch.Tensor]

    @property
    def name(self) -> str:
        return _stem(self.epoch)


class Unusable(Exception):
    """There is a checkpoint, but it can't be gone on from. The message says why."""


def write(folder: Path, task_id: str, checkpoint: Checkpoint) -> None:
    """Write a checkpoint so that it is there whole or not at all, also after a crash of the node.

    Raises OSError.
    """
    data = save({name: value.contiguous() for name, value in checkpoint.tensors.items()})
    told = {
        "task_id": task_id,
        "epoch": checkpoint.epoch,
        "step": checkpoint.step,
        "segments": checkpoint.segments,
        "sha256": hashlib.sha256(data).hexdigest(),
        "plain": checkpoint.plain,
    }
    told["own_sha256"] = _own_sha256(told)
    _replace(folder / f"{checkpoint.name}.safetensors", data)
    _replace(folder / f"{checkpoint.name}.json", json.dumps(told).encode() + b"\n")


def keep_last(folder: Path, count: int) -> None:
    """Remove all but the last `count` checkpoints."""
    for epoch in _epochs(folder)[count:]:
        for suffix in (".json", ".safetensors"):  # in this order: never a JSON without its tensors
            (folder / f"{_stem(epoch)}{suffix}").unlink(missing_ok=True)


def remove_after(folder: Path, epoch: int) -> None:
    """Remove checkpoints later than `epoch`: what comes now will be written in their place."""
    for later in [each for each in _epochs(folder) if each > epoch]:
        for suffix in (".json", ".safetensors"):
            (folder / f"{_stem(later)}{suffix}").unlink(missing_ok=True)


def newest(folder: Path, task_id: str, *, until: int) -> Tuple[Optional[Checkpoint], Optional[str]]:
    """Find the last usable checkpoint up to epoch `until`, which has rows to go with it.

    Returns it (None: start anew), and why it is not the one of `until` (None: it is).
    """
    complaints: List[str] = []
    epochs = [epoch for epoch in _epochs(folder) if epoch <= until]
    if not epochs or epochs[0] != until:
        complaints.append(f"{_stem(until)}: there is no such checkpoint")
    for epoch in epochs:
        try:
            return _read(folder, _stem(epoch), task_id), "; ".join(complaints) or None
        except Unusable as error:
            complaints.append(f"{_stem(epoch)}: {error}")
    return None, "; ".join(complaints)


def _read(folder: Path, stem: str, task_id: str) -> Checkpoint:
    try:
        told = json.loads((folder / f"{stem}.json").read_bytes())
        data = (folder / f"{stem}.safetensors").read_bytes()
    except (OSError, ValueError) as error:
        raise Unusable(f"it can't be read ({error})") from error
    if not isinstance(told, dict) or any(field not in told for field in _FIELDS):
        raise Unusable("its JSON lacks a field")
    if told["task_id"] != task_id or told["epoch"] != int(stem.rpartition("-")[2]):
        raise Unusable(f"it is that of task {told['task_id']} after epoch {told['epoch']}")
    if _own_sha256(told) != told["own_sha256"]:
        raise Unusable("its JSON doesn't match its own hash")
    if hashlib.sha256(data).hexdigest() != told["sha256"]:
        raise Unusable("its tensors don't match their hash")
    try:
        tensors = load(data)
    except SafetensorError as error:
        raise Unusable(f"its tensors can't be read ({error})") from error
    return Checkpoint(told["epoch"], told["step"], told["segments"], told["plain"], tensors)


def _own_sha256(told: Mapping[str, Any]) -> str:
    """Hash all fields but the hash itself: a wrong count of rows would go unseen otherwise."""
    rest = {name: value for name, value in told.items() if name != "own_sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def flatten(prefix: str, tensors: Mapping[str, torch.Tensor]) -> Dict[str, torch.Tensor]:
    """Put a prefix before each name."""
    return {f"{prefix}/{name}": value.detach() for name, value in tensors.items()}


def part(prefix: str, tensors: Mapping[str, torch.Tensor]) -> Dict[str, torch.Tensor]:
    """Return the tensors with this prefix, without it."""
    start = f"{prefix}/"
    return {name[len(start) :]: value for name, value in tensors.items() if name.startswith(start)}


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> Dict[str, torch.Tensor]:
    """Return what the optimiser keeps of each parameter, as "<number>/<name>"."""
    return dict(_of_optimizer(optimizer.state_dict()["state"]))


def _of_optimizer(state: Mapping[int, Mapping[str, Any]]) -> Iterator[Tuple[str, torch.Tensor]]:
    for number, kept in state.items():
        for name, value in kept.items():
            if value is not None:
                # a number beside the tensors is kept as one: float64 holds it exactly
                tensor = torch.is_tensor(value)
                yield f"{number}/{name}", value if tensor else torch.tensor(float(value))


def restore_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]
) -> None:
    """Give back what `optimizer_tensors` returned."""
    of = [value for group in optimizer.param_groups for value in group["params"]]
    state: Dict[int, Dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        number, _, name = key.partition("/")
        state.setdefault(int(number), {})[name] = _laid_out_like(of[int(number)], value)
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _laid_out_like(parameter: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Return `value` in the parameter's order of memory: another one would take other code."""
    if value.shape != parameter.shape:
        return value
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def _epochs(folder: Path) -> List[int]:
    """Return the epochs of all checkpoints, last first."""
    found = [_NAME.fullmatch(path.name) for path in folder.iterdir()]
    return sorted((int(match.group(1)) for match in found if match), reverse=True)


def _stem(epoch: int) -> str:
    return f"epoch-{epoch:04d}"


def _replace(path: Path, data: bytes) -> None:
    draft = path.with_name(f".{path.name}.part")
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        # on a full disk half a checkpoint is room that others need
        with suppress(OSError):
            draft.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
