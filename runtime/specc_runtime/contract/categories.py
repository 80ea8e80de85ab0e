"""The closed lists of the contract: failure categories, task states, event names, exit codes.

Names, and what to do about each category. What counts as evidence for one is decided in
`classify.py` of the node.
"""

from __future__ import annotations

from typing import Dict

CATEGORIES = (
    "oom_host",
    "oom_gpu",
    "timeout",
    "preempted",
    "node",
    "gpu",
    "gpu_neighbour",
    "model_load",
    "dataset_load",
    "program",
    "health_check",
    "diverged",
    "stalled",
    "disk",
    "cancelled",
    "unknown",
)
"""Why a task failed. "unknown" is an answer: no evidence was found."""

TRANSIENT = frozenset({"preempted", "node", "gpu", "gpu_neighbour"})
"""Categories that another try may get past without any change."""

STOPPED = frozenset({"preempted", "cancelled"})
"""Categories that tell how an attempt was stopped, and nothing about its task."""

SPARED = ("preempted", "cancelled", "disk", "gpu_neighbour")
"""Failures that are no fault of the task: they use up none of its attempts."""

SUGGESTIONS: Dict[str, str] = {
    "oom_host": "raise task.memory, or lower what one task holds in memory",
    "oom_gpu": "lower the batch size, or raise task.gpu_memory",
    "timeout": "raise task.time_limit, or save checkpoints that a later launch goes on from",
    "preempted": "start the job again: completed tasks are skipped",
    "node": "start the job again on another node",
    "gpu": "start the job again; if it comes back, ask for another node (--exclude)",
    "gpu_neighbour": "run with fewer tasks per GPU",
    "model_load": "check the model's files and that they fit the settings",
    "dataset_load": "check the data set's files and that they fit the settings",
    "program": "read the end of its output; run it alone with: bash job.sbatch --task ID --shell",
    "health_check": "read the fixture's output in the launch's log",
    "diverged": "lower the learning rate, or look at the data of the last steps",
    "stalled": "look for a deadlock; raise task.stall_limit if the work is only quiet",
    "disk": "free space or quota, or set SPECC_RESULTS to a larger file system, and start again",
    "cancelled": "start the job again: completed tasks are skipped",
    "unknown": "read the end of its output and the node's kernel log",
}
"""What to do about a failure of each category, unless the kind knows better."""

STATES = ("completed", "failed", "running", "not_run", "missing", "invalid")
"""What a task's journal lines add up to; see `runs.TaskState`."""

FIXTURES = ("warm_parent", "mps", "server")
"""What a shard may start before its tasks; `fixtures.TYPES` of the node starts them."""

SCHEMA_VERSION = 1

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_BAD_BUNDLE = 4
EXIT_INTERNAL = 70
EXIT_TRY_AGAIN = 75
EXIT_INTERRUPTED = 130
