"""What is the same for all shards that one command runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Tuple

from ..contract.manifest import Manifest
from ..contract.tasks import TaskRow
from ..entering.environment import Prepared
from ..slurm_env import Allocation


@dataclass(frozen=True)
class Setting:
    """What is the same for all shards that one command runs."""

    bundle: str
    manifest: Manifest
    tasks: Tuple[TaskRow, ...]
    shape: Mapping[str, Any]
    run: str
    """Path of the run's folder."""
    allocation: Allocation
    prepared: Prepared
    network: str
    verified: str
    inputs: Mapping[str, Any]
    """What the inputs at the cluster were found to be, by name; see `arrivals`."""
    again: bool
    """Tasks that were given up get one more attempt."""
    own_job: bool
    """The Slurm job is one element of this bundle's array: it may requeue itself."""
