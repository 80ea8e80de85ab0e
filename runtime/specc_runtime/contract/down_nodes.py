"""Read which nodes went down and when, as status.sh recorded it, and whose jobs they took along.

Without accounting Slurm forgets why it put a job back into the queue. What it still says is when,
and when which node went down, both by its own clock. Nothing here fails: silence blames no node.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import Dict, Iterable, List, Mapping, Optional, Tuple

FILE = "nodes.txt"
"""Lines of `sinfo -N -R -o '%N|%T|%H|%E'` about nodes that are down."""
_SAME_MOMENT_S = 5.0
"""Slurm takes the jobs of a node in the moment in which it takes the node for down."""

DownNodes = Mapping[str, Tuple[Tuple[datetime, str], ...]]
"""Node -> since when it is down, and Slurm's reason."""


def read_down_nodes(folder: str) -> DownNodes:
    """Read what stands in a run's folder of Slurm's words."""
    try:
        with open(os.path.join(folder, FILE), encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return {}
    found: Dict[str, List[Tuple[datetime, str]]] = {}
    for line in lines:
        name, _, rest = line.partition("|")
        state, _, rest = rest.partition("|")
        since, _, reason = rest.partition("|")
        when = _time(since)
        if name and state.startswith("down") and when is not None:
            found.setdefault(name, []).append((when, reason.strip()))
    return {name: tuple(times) for name, times in found.items()}


def took_along(nodes: DownNodes, names: Iterable[str], requeued: Optional[str]) -> Optional[str]:
    """Say which of these nodes went down when a job was put back; None for none of them.

    requeued: Slurm's time of that, in the cluster's own time zone as those of nodes.
    """
    moment = _time(requeued or "")
    if moment is None:
        return None
    for name in names:
        for since, reason in nodes.get(name, ()):
            if abs((since - moment).total_seconds()) <= _SAME_MOMENT_S:
                return f"{name} ({reason})" if reason not in ("", "none") else name
    return None


def _time(text: str) -> Optional[datetime]:
    try:
        return datetime.strptime(text.strip(), "%Y-%m-%dT%H:%M:%S")
    except ValueError:
        return None
