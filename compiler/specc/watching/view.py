"""The live view of runs as values of rich: what stands where, for a width, a height and a moment.

Pure. Colours are the terminal's own sixteen, so that they suit dark and light; a shard's state
has a sign of its own as well, so that the view works without them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from specc.watching.shards import STATES, ShardStatus, State
from specc.watching.status import RunStatus, SlotStatus
from specc.watching.words import axes, clock, counts

_LOOKS: Mapping[State, tuple[str, str, str]] = {
    "done": ("●", "o", "green"),
    "failed": ("✗", "x", "red"),
    "running": ("▶", ">", "cyan"),
    "queued": ("·", ".", "blue"),
    "stopped": ("‖", "=", "yellow"),
    "died": ("†", "!", "magenta"),
    "unknown": ("?", "?", "magenta"),
    "waiting": ("○", "-", "bright_black"),
}
"""Sign, sign for terminals without Unicode, colour."""
_ROWS = 10
"""More shards than these are shown as cells instead of rows."""
_LEAST = 3
_AIRY = 24
"""Lines of a terminal from which on parts are set apart by an empty one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """For whom the view is drawn."""

    width: int
    height: int
    unicode: bool
    now_epoch_ns: int
    """To show how long tasks have been at work; clocks of nodes may differ a little."""
    foot: str


def view(all_runs: Sequence[RunStatus], frame: Frame) -> RenderableType:
    """Draw the status of runs."""
    share = max(_LEAST, (frame.height - 2) // len(all_runs))
    blocks = [_run(status, frame, share) for status in all_runs]
    foot = Text(frame.foot, style="dim", no_wrap=True, overflow="ellipsis")
    return Group(_Cut(Group(*blocks), max(1, frame.height - 1)), foot)


@dataclass(frozen=True, slots=True)
class _Cut:
    """The first lines of something, so that what stands below it is seen on any terminal."""

    whole: RenderableType
    lines: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        drawn = console.render_lines(self.whole, options.update(height=None), pad=False)
        for number, line in enumerate(drawn[: self.lines]):
            yield from line if number == 0 else (Segment.line(), *line)
        yield Segment.line()


def _run(status: RunStatus, frame: Frame, height: int) -> RenderableType:
    parts: list[RenderableType] = [*_head(status)]
    shards = _shards(status, frame)
    failures = _failures(status) if status.failures else None
    busy = sorted(
        (slot for slot in status.slots if slot.task_id), key=lambda slot: slot.since_epoch_ns or 0
    )
    gap = [Text("")] if height > _AIRY else []
    used = 11 + _height(status, frame) + (len(status.failures) + 3 if failures else 0)
    parts += [*gap, shards]
    if busy:
        most = max(_LEAST, height - used)
        parts += [*gap, _title(f"at work: {len(busy)}"), _slots(busy, status, frame, most)]
    if failures:
        parts += [*gap, _title("failures"), failures]
    parts += gap
    return Padding(Group(*parts), (0, 1))


def _head(status: RunStatus) -> Iterable[RenderableType]:
    sums = status.totals
    title = Text(no_wrap=True, overflow="ellipsis")
    title.append(status.bundle_id, style="bold")
    title.append(f"  run {status.run_id}")
    yield title
    bar = Table.grid(expand=True, padding=(0, 2, 0, 0))
    bar.add_column(ratio=1)
    bar.add_column(no_wrap=True)
    left = f"about {clock(status.eta_s)} left" if status.eta_s else ""
    bar.add_row(
        ProgressBar(
            total=max(1, sums.to_run), completed=sums.completed,
            complete_style="green", finished_style="green", style="bright_black",
        ),
        Text(f"{sums.shown_percent} %  {sums.completed}/{sums.to_run}  {left}".rstrip()),
    )  # fmt: skip
    yield bar
    yield _counts(status)
    yield Text(_queue(status), style="dim", no_wrap=True, overflow="ellipsis")


def _counts(status: RunStatus) -> Text:
    styles = {"completed": "green", "failed": "red", "running": "cyan", "stopped": "yellow",
              "unknown": "magenta", "missing": "", "invalid": "red"}  # fmt: skip
    text = Text(overflow="fold")
    for index, part in enumerate(counts(status.totals).split(", ")):
        text.append("   " if index else "")
        number_of, _, name = part.partition(" ")
        # while a run goes on, nothing is amiss with a task that has not come yet
        shown = "to run" if name == "missing" else name
        text.append(f"{number_of} {shown}", style=styles.get(name, ""))
    return text


def _queue(status: RunStatus) -> str:
    if status.queue.silence is not None:
        return f"Slurm: {status.queue.silence}"
    if not status.queue.elements:
        return "Slurm: no longer knows the jobs of this run"
    found = Counter(element.state for element in status.queue.elements.values())
    waits = Counter(e.reason for e in status.queue.elements.values() if e.waiting and e.reason)
    why = ", ".join(f"{reason}" for reason, _ in waits.most_common(2))
    parts = [f"{number} {state.lower()}" for state, number in found.most_common()]
    return f"Slurm: {', '.join(parts)}" + (f" (waiting for {why})" if why else "")


def _title(text: str) -> RenderableType:
    return Rule(Text(text, style="bold"), align="left", style="bright_black")


def _sign(state: State, frame: Frame) -> Text:
    sign, plain, colour = _LOOKS[state]
    return Text(sign if frame.unicode else plain, style=colour)


def _shards(status: RunStatus, frame: Frame) -> RenderableType:
    found = Counter(shard.state for shard in status.shards)
    legend = Text()
    for state in STATES:
        if found[state]:
            legend.append("   " if legend else "")
            legend.append_text(_sign(state, frame))
            # no line break between a number and what it counts
            legend.append(f"\N{NO-BREAK SPACE}{found[state]}\N{NO-BREAK SPACE}{state}")
    many = len(status.shards) > _ROWS
    body = _cells(status, frame) if many else _rows(status, frame)
    return Group(_title(f"shards: {len(status.shards)}"), legend, body)


def _cells(status: RunStatus, frame: Frame) -> RenderableType:
    text = Text()
    most = max(_ROWS, _lines_of_cells(frame) * (frame.width - 2) * 10 // 11 - _ROWS)
    for number, shard in enumerate(status.shards[:most]):
        # a gap after ten, so that one can count
        text.append(" " if number and number % 10 == 0 else "")
        text.append_text(_sign(shard.state, frame))
    if len(status.shards) > most:
        text.append(f" … and {len(status.shards) - most} more", style="dim")
    return text


def _lines_of_cells(frame: Frame) -> int:
    """Return how many lines the cells of shards may take: the rest of the view counts as well."""
    return max(_LEAST, frame.height // 3)


def _rows(status: RunStatus, frame: Frame) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0), expand=True)
    for _ in range(3):
        table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for shard in status.shards:
        state = Text(shard.state, style=_LOOKS[shard.state][2])
        table.add_row(
            _sign(shard.state, frame), shard.shard_id, state,
            f"{shard.completed}/{shard.total}", _detail(shard),
        )  # fmt: skip
    return table


def _detail(shard: ShardStatus) -> str:
    parts = [f"{shard.failed} failed"] if shard.failed else []
    parts += [f"{shard.stopped} stopped"] if shard.stopped else []
    parts += [shard.detail] if shard.detail else []
    parts += [f"on {shard.node}"] if shard.node and " on " not in shard.detail else []
    parts += [f"launch {shard.launches}"] if shard.launches > 1 else []
    return ", ".join(parts)


def _slots(
    busy: Sequence[SlotStatus], status: RunStatus, frame: Frame, most: int
) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0), expand=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for slot in busy[:most]:
        gpu = f"GPU {slot.gpu}" if slot.gpu else f"slot {slot.slot}"
        since = slot.since_epoch_ns or frame.now_epoch_ns
        elapsed = max(0.0, (frame.now_epoch_ns - since) / 1e9)
        again = f"  (attempt {slot.attempt})" if slot.attempt and slot.attempt > 1 else ""
        named = axes(status.tasks[slot.task_id or ""]) + again
        table.add_row(slot.shard_id, gpu, Text(clock(elapsed), style="cyan"), named)
    if len(busy) > most:
        table.add_row("", "", "", Text(f"… and {len(busy) - most} more", style="dim"))
    return table


def _failures(status: RunStatus) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0), expand=True)
    table.add_column(justify="right", style="red", no_wrap=True)
    table.add_column(style="red", no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for failures in status.failures:
        named = axes(status.tasks[failures.task_id])
        table.add_row(str(failures.tasks), failures.category, f"{failures.message}  ({named})")
    return table


def _height(status: RunStatus, frame: Frame) -> int:
    """Return about how many lines the shards take."""
    if len(status.shards) <= _ROWS:
        return len(status.shards)
    return min(_lines_of_cells(frame), 1 + len(status.shards) * 11 // 10 // max(1, frame.width - 2))
