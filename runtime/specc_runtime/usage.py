"""What attempts have used of the machine, as the kernel has counted it when they end.

Covers an attempt's process and the descendants that were waited for, on this node only. The peak is
that of the largest single process, the attempt's own included.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Dict, Optional, Tuple

# Linux counts in KiB, macOS in bytes (man getrusage)
_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024


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
            self._seen[pid] = {
                "max_rss_bytes": used.ru_maxrss * _UNIT_BYTES,
                "user_s": used.ru_utime,
                "system_s": used.ru_stime,
            }
        return pid, status

    def of(self, pid: Optional[int]) -> Dict[str, Any]:
        """Return the journal's field `usage` of an ended process; no field for one never seen."""
        used = self._seen.pop(pid or 0, None)
        return {} if used is None else {"usage": used}

    def forget(self) -> None:
        """Forget processes that were no attempt's own."""
        self._seen.clear()
