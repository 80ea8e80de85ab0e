"""Read who holds a shard: the lease folder that the node's launches make.

Says what stands there; whether the holder is alive is for the reader to find out.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional

OWNER = "owner.json"
RELEASED = "released"


@dataclass(frozen=True)
class Holder:
    """The last one who took a shard."""

    owner: Mapping[str, Any]
    """job_id, restart, host, boot_id, pid_space, pid, start_ticks; empty when it can't be read."""
    released: bool
    """True when it has given the shard back."""


def read_holder(run: "str | os.PathLike[str]", shard_id: str) -> Optional[Holder]:
    """Return who took a shard last; None when nobody did, or the folder was not copied."""
    folder = os.path.join(os.fspath(run), shard_id, "lease")
    try:
        newest = max((name for name in os.listdir(folder) if name.isdigit()), key=int, default=None)
    except OSError:
        return None
    if newest is None:
        return None
    generation = os.path.join(folder, newest)
    return Holder(
        owner=_owner(os.path.join(generation, OWNER)),
        released=os.path.exists(os.path.join(generation, RELEASED)),
    )


def _owner(path: str) -> Dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            value = json.load(file)
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
