"""Pretend GPUs for tests of the node: entries of CUDA_VISIBLE_DEVICES, and programs on PATH."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FAKES = Path(__file__).parent / "fakes"
UUIDS = ["GPU-aaaaaaaa-0000-0000-0000-000000000000", "GPU-bbbbbbbb-0000-0000-0000-000000000000"]


def programs(folder: Path, **tools: str) -> str:
    """Make programs of fakes; returns a PATH with them in front. tools: name -> fake module."""
    folder.mkdir(exist_ok=True)
    for name, module in tools.items():
        path = folder / name.replace("_", "-")
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "{FAKES / module}.py" "$@"\n')
        path.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def with_mps(folder: Path) -> str:
    return programs(
        folder, nvidia_cuda_mps_control="fake_mps_control", nvidia_smi="fake_nvidia_smi"
    )


def shared(share: float = 0.5, **more: Any) -> Mapping[str, Any]:
    """The task shape of a task that takes a share of a GPU."""
    return {"gpus": share, **more}
