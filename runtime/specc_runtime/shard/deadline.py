"""When a launch starts no more tasks, and when it stops those that run.

The end of the allocation decides; Slurm's warning can only make it earlier, and so can other
signals, which the pool heeds at once.
"""

from __future__ import annotations

from typing import Callable, Optional

STOP_MARGIN_S = 5.0
"""Kept for the last lines, beside the time that a task gets to end by itself."""
# the lead in the script is 120 s at most, and Slurm looks for jobs near their end twice a minute
_WARNING_S = 180.0

DEADLINE = "deadline"
NO_TIME = "the allocation ends before another task could"
WARNED = "Slurm warned of the allocation's end, and nobody says how long a task takes"
WARNING = "SIGUSR1"
ENDS = (DEADLINE, NO_TIME, WARNED, WARNING)
"""Reasons to stop that a requeue gets past: the time of this launch was over."""


class Deadline:
    """The end of the allocation, as a pool heeds it."""

    def __init__(
        self,
        seconds_left: Callable[[], Optional[float]],
        *,
        grace_s: float,
        estimate_s: Optional[float],
    ) -> None:
        """estimate_s: how long one task takes; None when nobody said so."""
        self._seconds_left = seconds_left
        self._needed_s = grace_s + STOP_MARGIN_S
        self._estimate_s = estimate_s
        self._warned = False

    def seconds_left(self) -> Optional[float]:
        """Return the time to the end [s]; None without one."""
        return self._seconds_left()

    def takes(self, signal: str) -> bool:
        """Tell whether a signal is only Slurm's warning, after which running tasks go on.

        With more time left it is somebody's wish that the launch ends now.
        """
        left = self._seconds_left()
        if signal != WARNING or left is None or left > _WARNING_S:
            return False
        self._warned = True
        return True

    def is_here(self) -> bool:
        """Tell whether what runs must be stopped now."""
        left = self._seconds_left()
        return left is not None and left < self._needed_s

    def no_more(self) -> Optional[str]:
        """Say why no further task should start; None when one may."""
        left = self._seconds_left()
        if left is None:
            return None
        if left < self._needed_s + (self._estimate_s or 0.0):
            return NO_TIME
        return WARNED if self._warned and self._estimate_s is None else None
