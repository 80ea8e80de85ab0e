"""Watch runs on a terminal until somebody leaves, or in lines where there is none.

How often it looks grows by itself: slowly while nothing changes, and with what a look costs.
"""

from __future__ import annotations

import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from rich.console import Console
from rich.live import Live

from specc.watching.find import Target
from specc.watching.status import RunStatus, status_of
from specc.watching.view import Frame, view
from specc.watching.words import counts, total_text

FIRST_S = 2.0
LAST_S = 30.0
_SLOWER = 1.3
_SHARE = 10.0
"""A look never takes more than a tenth of the time."""
_DRAW_S = 1.0


class Pace:
    """How long to wait before the next look."""

    def __init__(self) -> None:
        self.wait_s = FIRST_S
        self._seen: Any = None

    def looked(self, seen: Any, cost_s: float) -> float:
        """Note what a look found and what it cost; returns the seconds until the next one."""
        changed = seen != self._seen
        self._seen = seen
        grown = FIRST_S if changed else self.wait_s * _SLOWER
        self.wait_s = min(LAST_S, max(grown, cost_s * _SHARE))
        return self.wait_s


def watch(targets: Sequence[Target]) -> bool:
    """Show runs until `q` or Ctrl-C; without a terminal, until nothing runs or waits any more.

    Returns whether it was on a terminal, where nothing of it stays to be read.
    """
    console = Console()
    # a dumb terminal can't draw over what stands there: rich would show nothing at all
    on_terminal = console.is_terminal and not console.is_dumb_terminal and sys.stdin.isatty()
    with suppress(KeyboardInterrupt):
        if on_terminal:
            _on_terminal(targets, console)
        else:
            _in_lines(targets, console)
    return on_terminal


def look(targets: Sequence[Target]) -> tuple[RunStatus, ...]:
    """Read the status of all runs once."""
    return tuple(status_of(each) for each in targets)


def _on_terminal(targets: Sequence[Target], console: Console) -> None:
    pace = Pace()
    with _keys() as pressed, Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            started = time.monotonic()
            found = look(targets)
            wait_s = pace.looked(_news(found), time.monotonic() - started)
            due = time.monotonic() + wait_s
            looked = time.strftime("%H:%M:%S")
            while (left := due - time.monotonic()) > 0:
                over = "" if at_work(found) else "nothing runs or waits   "
                foot = f" q leaves   {over}looked at {looked}, again in {left:.0f} s"
                live.update(view(found, _frame(console, foot)), refresh=True)
                if pressed(min(left, _DRAW_S)):
                    return


def _frame(console: Console, foot: str) -> Frame:
    return Frame(
        width=console.width,
        height=console.height,
        unicode=console.encoding.startswith("utf"),
        now_epoch_ns=time.time_ns(),
        foot=foot,
    )


@contextmanager
def _keys() -> Iterator[Callable[[float], bool]]:
    """Take keys one by one; yields a function that waits and tells whether `q` was pressed."""
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)

    def pressed(seconds: float) -> bool:
        ready, _, _ = select.select([fd], [], [], seconds)
        return bool(ready) and sys.stdin.read(1) in ("q", "Q", "")

    tty.setcbreak(fd)
    try:
        yield pressed
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def _in_lines(targets: Sequence[Target], console: Console) -> None:
    pace = Pace()
    last = ""
    while True:
        started = time.monotonic()
        found = look(targets)
        line = "; ".join(summary(each) for each in found)
        if line != last:
            console.out(f"{time.strftime('%H:%M:%S')}  {line}", highlight=False)
            last = line
        if not at_work(found):
            if len(found) > 1:
                console.out(total_text(found), highlight=False)
            return
        time.sleep(pace.looked(_news(found), time.monotonic() - started))


def summary(status: RunStatus) -> str:
    """Return a run in one line; what changes by the clock alone is left out."""
    sums = status.totals
    head = f"{status.bundle_id} {status.run_id}: {sums.shown_percent} % of {sums.to_run} tasks"
    return f"{head}, {counts(sums)}"


def at_work(found: Sequence[RunStatus]) -> bool:
    """Return whether anything runs, waits in the queue, or may do so."""
    states = {shard.state for status in found for shard in status.shards}
    return bool(states & {"running", "queued", "unknown"})


def _news(found: Sequence[RunStatus]) -> Any:
    return [(status.totals, [shard.state for shard in status.shards]) for status in found]
