"""The kinds of experiment a node can run: name -> module with `run(attempt)`."""

KINDS = {
    "command": "kinds.command.run",
    "inference": "kinds.inference.run",
    "training": "kinds.training.run",
}

PRELOADED = frozenset({"command"})
"""Kinds of the standard library alone: the pool imports them once, instead of each attempt."""
