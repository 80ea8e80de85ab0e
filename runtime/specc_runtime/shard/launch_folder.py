"""The folder of one start of a shard: made by mkdir, so that no two starts share one."""

from __future__ import annotations

import json
import os
import platform
import socket
import sys
import time
from typing import Tuple

from ..books.sampling import describe_hardware
from ..contract import categories
from ..contract.launches import list_shard
from ..entering.environment import installed_packages
from .setting import Setting


def new_folder(run: str, shard_id: str) -> Tuple[str, str]:
    """Make the folder of the next launch; returns its path and its name."""
    number = max((launch.number for launch in list_shard(run, shard_id)), default=0) + 1
    while True:
        name = f"launch-{number:03d}"
        folder = os.path.join(run, shard_id, name)
        try:
            os.mkdir(folder)
        except FileExistsError:
            number += 1
            continue
        return folder, name


def write_launch(setting: Setting, shard_id: str, folder: str, name: str) -> None:
    """Write launch.json: who runs this, where, and on what."""
    prepared = setting.prepared
    value = {
        "schema_version": categories.SCHEMA_VERSION,
        "bundle_id": setting.manifest.bundle_id,
        "run_id": os.path.basename(setting.run),
        "shard_id": shard_id,
        "launch": name,
        "shape": setting.shape["name"],
        "condition_id": setting.shape["condition_id"],
        "host": socket.gethostname(),
        "user_id": os.getuid(),
        "pid": os.getpid(),
        "started_epoch_ns": time.time_ns(),
        "anchor": {"t_ns": time.monotonic_ns(), "epoch_ns": time.time_ns()},
        "network": setting.network,
        "slurm": dict(setting.allocation.variables),
        "deadline_s": setting.allocation.seconds_left(),
        "python": f"{platform.python_version()} {sys.executable}",
        "environment": {
            "name": prepared.name,
            "mode": prepared.mode,
            "path": prepared.path,
            "packages": installed_packages(sys.path),
            "image": prepared.image,
            "image_sha256": prepared.image_sha256,
            "modules": [name for name in os.environ.get("LOADEDMODULES", "").split(":") if name],
        },
        "inputs": dict(setting.inputs),
        "hardware": describe_hardware(),
        "bundle_verified": setting.verified,
    }
    path = os.path.join(folder, "launch.json")
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False)
        file.write("\n")
    os.replace(path + ".new", path)
