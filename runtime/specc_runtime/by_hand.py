"""Try one task by hand: show what it would get, or open a shell that has it.

Both take slot 0, as a launch does for its first task, and write nothing into the run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, Dict, Mapping

from .contract.tasks import TaskRow
from .log import say
from .shard.setting import Setting
from .slots.slots import NoDevice, Slot, make_slots


def describe(setting: Setting, row: TaskRow, stated: Mapping[str, str]) -> Dict[str, Any]:
    """Return the task with what it runs in. stated: variables of its environment."""
    slot: Dict[str, Any] = {"reason": None}
    try:
        first = make_slots(setting.shape, os.environ)[0]
        slot.update(gpu=first.gpu, cpus=first.cpus, cpu_set=first.cpu_set)
        variables = {**stated, **first.env}
    except NoDevice as error:
        # where the task is only looked at, nobody has given GPUs
        slot["reason"] = str(error)
        variables = dict(stated)
    return {
        **vars(row),
        "runs_in": {
            "slot": slot,
            "variables": variables,
            "python": sys.executable,
            "environment": setting.prepared.name,
            "bundle": setting.bundle,
            "run": setting.run,
            "resources": dict(setting.shape["task"]),
        },
    }


def shell(setting: Setting, row: TaskRow) -> int:
    """Open a shell with the devices, the CPUs and the variables that the task would have."""
    slot = make_slots(setting.shape, os.environ)[0]
    _pin(slot)
    program = os.environ.get("SHELL") or "/bin/sh"
    own = {"SPECC_TASK_ID": row.task_id, "SPECC_BUNDLE": setting.bundle}
    say(f"task {row.task_id}: {json.dumps(row.axes)}; leave the shell to come back")
    return subprocess.call([program], cwd=setting.bundle, env={**os.environ, **slot.env, **own})


def _pin(slot: Slot) -> None:
    if slot.cpu_set is not None:
        os.sched_setaffinity(0, slot.cpu_set)
