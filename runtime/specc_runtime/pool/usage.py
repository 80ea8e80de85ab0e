"""What attempts have used of the machine, as the kernel has counted it when they end.

Covers an attempt's process and the descendants that were waited for, on this node only. The peak is
that of the largest single process, the attempt's own included. Ranks of a wide task are counted
where they run, and their leader tells.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Dict, Iterable, Mapping, Optional, Sequence, Tuple

# Linux counts in KiB, macOS in bytes (man getrusage)
_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024


def counted(used: Any) -> Dict[str, Any]:
    """Return the fields of `usage` from a resource.struct_rusage."""
    return {
        "max_rss_bytes": used.ru_maxrss * _UNIT_BYTES,
        "user_s": used.ru_utime,
        "system_s": used.ru_stime,
    }


def together(nodes: Iterable[Sequence[Mapping[str, Any]]]) -> Optional[Dict[str, Any]]:
    """Return what the ranks of a task have used, given for each node; None when none is known.

    Times add up. The peak is that of the fullest node: the sum of its ranks' own peaks.
    """
    found = [node for node in nodes if node]
    if not found:
        return None
    return {
        "max_rss_bytes": max(sum(rank["max_rss_bytes"] for rank in node) for node in found),
        "user_s": sum(rank["user_s"] for node in found for rank in node),
        "system_s": sum(rank["system_s"] for node in found for rank in node),
    }


class Usage:
    """Keeps what ended processes have used until their attempts are written down."""

    def __init__(self) -> None:
        self._seen: Dict[int, Dict[str, Any]] = {}

    def reap(self) -> Tuple[int, int]:
        """Take one ended child: its pid and status, (0, 0) when none has ended.

        Raises ChildProcessError when there is no child.
        """
        pid, status, used = os.wait4(-1, os.WNOHANG)
        if pid:
            self._seen[pid] = counted(used)
        return pid, status

    def of(self, pid: Optional[int], last: Optional[Mapping[str, Any]] = None) -> Dict[str, Any]:
        """Return the journal's field `usage` of an ended process; no field for one never seen.

        last: its last report; that of a leader says what its ranks have used.
        """
        used = self._seen.pop(pid or 0, None)
        if last is not None and last.get("usage") is not None:
            used = last["usage"]
        return {} if used is None else {"usage": used}

    def forget(self) -> None:
        """Forget processes that were no attempt's own."""
        self._seen.clear()
