"""Open a torch device, pin its threads, and wait for it. Shared by all kinds that run torch."""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, Optional

import torch

from ..attempts.attempt import TaskError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def open_device(name: str) -> torch.device:
    """Return the device, ready for use. `cuda` is the first visible one.

    Raises TaskError (gpu) when there is none, saying why as far as torch knows.
    """
    if name != "cuda":
        return torch.device("cpu")
    if torch.version.cuda is None and getattr(torch.version, "hip", None) is None:
        raise TaskError(
            "gpu",
            f"this task needs a GPU, but torch {torch.__version__} is a build for the CPU",
            "give these points an environment with an accelerator (environment.<name>.accelerator)",
            transient=False,
        )
    if not torch.cuda.is_available():
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        shown = "unset" if visible is None else repr(visible)
        raise TaskError(
            "gpu",
            f"this task needs a GPU, but torch sees none (CUDA_VISIBLE_DEVICES is {shown})",
            "ask for one with task.gpus, check `nvidia-smi` on the node, and that its driver "
            f"is new enough for CUDA {torch.version.cuda}",
            transient=False,
        )
    device = torch.device("cuda", 0)
    torch.cuda.set_device(device)
    # makes the context now, so that the load peak holds it and the first batch does not
    torch.zeros(1, device=device)
    return device


def pin_threads(threads: int) -> Dict[str, Any]:
    """Fix the number of torch's threads; returns what is really in force.

    Must run before any parallel work of this process.
    """
    torch.set_num_threads(threads)
    reason: Optional[str] = None
    try:
        torch.set_num_interop_threads(1)
    except RuntimeError as error:
        # torch allows this once, before its first parallel work
        reason = str(error).splitlines()[0]
    return {
        "threads": torch.get_num_threads(),
        "interop_threads": torch.get_num_interop_threads(),
        "interop_threads_reason": reason,
    }


def waiter(device: torch.device) -> Callable[[], None]:
    """Return the call that waits until all work given to the device is done."""
    if device.type == "cuda":
        return lambda: torch.cuda.synchronize(device)
    return lambda: None


def describe(device: torch.device) -> Dict[str, Any]:
    """Name the device and the builds that drive it, for a record."""
    found: Dict[str, Any] = {
        "device": device.type,
        "device_name": None,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
    }
    if device.type == "cuda":
        found["device_name"] = torch.cuda.get_device_name(device)
        found["tf32"] = torch.backends.cuda.matmul.allow_tf32
    return found
