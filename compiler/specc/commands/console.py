"""Run a verb and tell the user what came of it. The only module of the desk that prints.

stdout carries the answer: text, or with --json exactly one JSON object. Everything else
(problems, notes, progress) goes to stderr. Nothing heavy is imported before it is needed.
"""

from __future__ import annotations

import errno
import functools
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from specc.model import Json, SourceFile
from specc.problems import ExitCode, Problem, SpeccError, SpecInvalid
from specc.progress import Progress, Silent

if TYPE_CHECKING:
    from rich.progress import Progress as Live
    from rich.progress import TaskID

    from specc.local_run import Listener
    from specc.watching.status import RunStatus

_UNBROKEN = 12
"""Texts of up to so many signs stay whole in tables."""
JsonFlag = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a verb has to say."""

    text: str
    """For stdout; empty when there is nothing to say."""
    data: dict[str, Json]
    """The same for --json; `ok` and `exit_code` are added."""
    code: ExitCode = ExitCode.OK
    problems: tuple[Problem, ...] = ()
    """Warnings; they go to stderr."""
    note: str = ""
    """One or more lines for stderr."""
    live: Callable[[], Iterable[str]] | None = None
    """Instead of the text, but not of --json: pieces that come in time. Ctrl-C ends them."""


def verb(function: Callable[..., Answer]) -> Callable[..., None]:
    """Make a command of a function: give it --json, print its answer or its failure, and exit."""
    asked = inspect.Parameter(
        "as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=JsonFlag
    )
    own = inspect.signature(function, eval_str=True)

    @functools.wraps(function)
    def command(*, as_json: bool = False, **arguments: Any) -> None:
        try:
            answer = function(**arguments)
        except KeyboardInterrupt:
            data = {"error": "interrupted"}
            answer = Answer(text="", data=data, code=ExitCode.INTERRUPTED, note="interrupted")
        except SpeccError as error:
            answer = failure(error)
        except OSError as error:
            answer = refused(error)
        show(answer, as_json=as_json)
        raise typer.Exit(int(answer.code))

    signature = own.replace(parameters=[*own.parameters.values(), asked], return_annotation=None)
    vars(command)["__signature__"] = signature
    command.__annotations__ = {name: each.annotation for name, each in signature.parameters.items()}
    return command


def failure(error: SpeccError) -> Answer:
    """Turn an expected failure into an answer."""
    if isinstance(error, SpecInvalid):
        data = {"error": str(error)}
        return Answer(text="", data=data, code=error.exit_code, problems=error.problems)
    hint = f"\n  hint: {error.hint}" if error.hint else ""
    return Answer(
        text="",
        data={"error": str(error), "hint": error.hint},
        code=error.exit_code,
        note=f"specc: {error}{hint}",
    )


def refused(error: OSError) -> Answer:
    """Turn what the system refused for a file into an answer; anything else is a bug and raised.

    A full disk may be tried again; any other place can't be used as it is.
    """
    if error.filename is None or isinstance(error, BrokenPipeError):
        raise error
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    said = f"{os.fsdecode(error.filename)}: {error.strerror}"
    hint = "free some space" if full else "check that folder, or choose another"
    return Answer(
        text="",
        data={"error": said, "hint": hint},
        code=ExitCode.TRY_AGAIN if full else ExitCode.USAGE,
        note=f"specc: {said}\n  hint: {hint}",
    )


def show(answer: Answer, *, as_json: bool) -> None:
    """Print an answer: problems and notes first, so that the answer is the last thing seen."""
    if answer.problems:
        from specc.diagnostics import render_text

        sources = _sources(answer.problems)
        print(render_text(answer.problems, sources, colour=wants_colour()), file=sys.stderr)
    if answer.note:
        print(answer.note, file=sys.stderr)
    if as_json:
        print(to_json(answer))
    elif answer.live is not None:
        with suppress(KeyboardInterrupt):
            for piece in answer.live():
                print(piece, end="", flush=True)
    elif answer.text:
        print(answer.text.rstrip("\n"))


def to_json(answer: Answer) -> str:
    """Return the one object that --json prints."""
    import json

    from specc.diagnostics import render_json

    head: dict[str, Json] = {"ok": answer.code == ExitCode.OK, "exit_code": int(answer.code)}
    problems = {"problems": render_json(answer.problems)}
    return json.dumps(head | answer.data | problems, ensure_ascii=False)


def _sources(problems: Iterable[Problem]) -> dict[str, SourceFile]:
    """Read the texts that problems point to; one that can't be read is shown without excerpt."""
    sources: dict[str, SourceFile] = {}
    for shown in {problem.mark.file for problem in problems if problem.mark}:
        path = Path(shown)
        with suppress(OSError):
            text = path.read_text(encoding="utf-8-sig", errors="replace")
            sources[shown] = SourceFile(path=path, shown=shown, text=text)
    return sources


def as_exit_code(code: int) -> ExitCode:
    """Name the exit code of a job script; one that specc doesn't know is an internal error."""
    return ExitCode(code) if code in list(ExitCode) else ExitCode.INTERNAL


def wants_colour() -> bool:
    """Return whether stderr takes colour: a terminal, and nobody said no."""
    if "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb":
        return False
    return sys.stderr.isatty()


def as_table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int] = ()
) -> str:
    """Return a table as text, as wide as its terminal. right: columns of numbers.

    Short texts are never broken; long numbers are, lest they leave no room for words.
    """
    import io

    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    texts = [tuple(row) for row in rows]
    for place, head in enumerate(heads):
        longest = max((len(row[place]) for row in texts), default=0)
        table.add_column(
            head,
            justify="right" if place in right else "left",
            no_wrap=longest <= _UNBROKEN,
            overflow="fold",
        )
    for row in texts:
        table.add_row(*map(Text, row))
    text = io.StringIO()
    width = None if sys.stdout.isatty() else 160
    Console(file=text, width=width, color_system=None).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def say(line: str) -> None:
    """Tell something on stderr while a verb is at work."""
    print(line, file=sys.stderr, flush=True)


@contextmanager
def bars() -> Iterator[Progress]:
    """Show work in bytes on stderr while it is a terminal; otherwise stay silent."""
    if not sys.stderr.isatty():
        yield Silent()
        return
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with _live(*columns) as live:
        yield _Bars(live)


@contextmanager
def steps() -> Iterator[Callable[[str], None]]:
    """Show what is being done on stderr while it is a terminal; otherwise stay silent."""
    if not sys.stderr.isatty():
        yield lambda _what: None
        return
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    with _live(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()) as live:
        task = live.add_task("", total=None)
        yield lambda what: live.update(task, description=what)


@contextmanager
def watched_run() -> Iterator[Listener]:
    """Pass a run's lines on to stderr, under them a bar of its tasks while it is a terminal."""
    from specc.local_run import Listener

    if not sys.stderr.isatty():
        yield Listener(line=say, status=None)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with _live(*columns) as live:
        task = live.add_task("tasks", total=None)

        def show_status(found: RunStatus) -> None:
            sums = found.totals
            label = f"{sums.running} running, {sums.failed} failed"
            live.update(task, description=label, completed=sums.done, total=sums.total)

        yield Listener(
            line=lambda line: live.console.out(line, highlight=False), status=show_status
        )


def _live(*columns: Any) -> Live:
    from rich.console import Console
    from rich.progress import Progress as Live

    return Live(*columns, console=Console(stderr=True), transient=True)


class _Bars:
    """Shows a piece of work as a bar: a `specc.progress.Progress`."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._task: TaskID | None = None

    def start(self, what: str, total_bytes: int | None) -> None:
        self._task = self._live.add_task(what, total=total_bytes)

    def advance(self, done_bytes: int) -> None:
        if self._task is not None:
            self._live.advance(self._task, done_bytes)

    def finish(self) -> None:
        if self._task is not None:
            self._live.remove_task(self._task)
            self._task = None
