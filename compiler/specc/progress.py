"""How long work tells how far it is. Stages call it; only the command line shows it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """A listener. One piece of work at a time: start, advance …, finish."""

    def start(self, what: str, total_bytes: int | None) -> None:
        """A piece of work begins; None when its size is unknown."""

    def advance(self, done_bytes: int) -> None:
        """So many more bytes are done."""

    def finish(self) -> None:
        """The piece of work is over."""


class Silent:
    """Tells nobody."""

    def start(self, what: str, total_bytes: int | None) -> None:
        """Nothing to show."""

    def advance(self, done_bytes: int) -> None:
        """Nothing to show."""

    def finish(self) -> None:
        """Nothing to show."""
