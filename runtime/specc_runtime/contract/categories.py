"""The closed lists of the contract: failure categories, task states, event names, exit codes.

Names only. What counts as evidence for a category is decided in `classify.py` of the node.
"""

from __future__ import annotations

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

STATES = ("completed", "failed", "running", "not_run", "missing", "invalid")
"""What a task's journal lines add up to; see `runs.TaskState`."""

FIXTURES = ("warm_parent",)
"""What a shard may start before its tasks; `fixtures.TYPES` of the node starts them."""

SCHEMA_VERSION = 1

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_BAD_BUNDLE = 4
EXIT_INTERNAL = 70
EXIT_TRY_AGAIN = 75
EXIT_INTERRUPTED = 130
