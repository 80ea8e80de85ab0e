"""How far a node's clocks are from the leader's: round trips over their line, the fastest counts.

The rule of NTP: a message that took the shortest time had the least room to be late on one way
only, so the truth lies within half its round trip of the middle.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Dict

from .link import Link, Message

ROUND_TRIPS = 16


@dataclass(frozen=True)
class ClockOffset:
    """A node's clocks against the leader's."""

    offset_ns: int
    """Node's monotonic clock minus the leader's: subtract it from a row's t_ns."""
    epoch_offset_ns: int
    """Node's wall clock minus the leader's."""
    uncertainty_ns: int
    """Half the shortest round trip: neither offset is wrong by more, but for the clocks' ticks."""

    def fields(self) -> Dict[str, int]:
        """Return the fields of a `rank` record."""
        return {
            "clock_offset_ns": self.offset_ns,
            "clock_epoch_offset_ns": self.epoch_offset_ns,
            "clock_uncertainty_ns": self.uncertainty_ns,
        }


def measure(link: Link) -> ClockOffset:
    """Ask the other end for its clocks, several times. Raises LinkLost."""
    return min((_once(link) for _ in range(ROUND_TRIPS)), key=lambda one: one.uncertainty_ns)


def answer(link: Link) -> None:
    """The node's side of one round trip. Raises LinkLost."""
    link.send(what="clock", t_ns=time.monotonic_ns(), epoch_ns=time.time_ns())


def _once(link: Link) -> ClockOffset:
    epoch_ns = time.time_ns()
    sent_ns = time.monotonic_ns()
    told: Message = link.ask(do="clock")
    trip_ns = time.monotonic_ns() - sent_ns
    half_ns = trip_ns // 2
    return ClockOffset(
        offset_ns=int(told["t_ns"]) - sent_ns - half_ns,
        epoch_offset_ns=int(told["epoch_ns"]) - epoch_ns - half_ns,
        uncertainty_ns=trip_ns - half_ns,
    )
