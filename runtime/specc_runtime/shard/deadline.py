"""When a launch starts no more tasks, and when it stops those that run.

The end of the allocation decides; Slurm's warning can only make it earlier, and so can other
signals, which the pool heeds at once. Slurm may move that end while the job runs (an administrator
changes its limit, or it was suspended), so it is asked once more before a launch gives up.
"""

from __future__ import annotations

import time
from typing import Callable, Optional

STOP_MARGIN_S = 5.0
"""Kept for the last lines, beside the time that a task gets to end by itself."""
# the lead in the script is 120 s at most, and Slurm looks for jobs near their end twice a minute
_WARNING_S = 180.0
_ASK_EVERY_S = 30.0
# what Slurm says has whole seconds, and takes time to arrive
_CHANGED_S = 4.0

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
        ask: Callable[[], Optional[float]] = lambda: None,
    ) -> None:
        """estimate_s: how long one task takes; None when nobody said so.

        ask: what Slurm says now of the time left [s]; None when it says nothing.
        """
        self._told_left = seconds_left
        self._ask = ask
        self._asked: Optional[float] = None
        self._changed_s = 0.0
        self._needed_s = grace_s + STOP_MARGIN_S
        self._estimate_s = estimate_s
        self._warned = False

    def seconds_left(self) -> Optional[float]:
        """Return the time to the end [s]; None without one."""
        left = self._told_left()
        return None if left is None else left + self._changed_s

    def takes(self, signal: str) -> bool:
        """Tell whether a signal is only Slurm's warning, after which running tasks go on.

        With more time left it is somebody's wish that the launch ends now.
        """
        if signal != WARNING:
            return False
        left = self.seconds_left()
        if left is not None and left > _WARNING_S:
            left = self._asked_again()
        if left is None or left > _WARNING_S:
            return False
        self._warned = True
        return True

    def is_here(self) -> bool:
        """Tell whether what runs must be stopped now."""
        left = self.seconds_left()
        # while there is time to wait for the answer
        if left is not None and left < self._needed_s + STOP_MARGIN_S:
            left = self._asked_again()
        return left is not None and left < self._needed_s

    def no_more(self) -> Optional[str]:
        """Say why no further task should start; None when one may."""
        needed_s = self._needed_s + (self._estimate_s or 0.0)
        left = self.seconds_left()
        if left is not None and left < needed_s:
            left = self._asked_again()
        if left is None:
            return None
        if left < needed_s:
            return NO_TIME
        return WARNED if self._warned and self._estimate_s is None else None

    def _asked_again(self) -> Optional[float]:
        """Return the time left, after a look whether Slurm has changed it."""
        now = time.monotonic()
        if self._asked is None or now - self._asked >= _ASK_EVERY_S:
            self._asked = now
            left, known = self._ask(), self.seconds_left()
            if left is not None and known is not None and abs(left - known) > _CHANGED_S:
                self._changed_s += left - known
        return self.seconds_left()
