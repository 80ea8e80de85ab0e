"""The verbs for a run that is on its way: status, logs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from specc.bundle_folders import named_run, run_folder
from specc.commands.bundles import ResultsPath
from specc.commands.console import Answer, verb
from specc.model import Json
from specc.problems import ExitCode

if TYPE_CHECKING:
    from specc.watching.find import Target

Paths = Annotated[list[Path], typer.Argument(metavar="PATH", hidden=True)]
Words = Annotated[list[str] | None, typer.Argument(metavar="TASK", hidden=True)]
"""Both hidden from the list of arguments, where typer would show a Python type."""
NewestRun = Annotated[str | None, typer.Option("--run", help="Name of the run; default: newest.")]
FOLLOW_S = 1.0


@verb
def status(
    paths: Paths,
    run_id: NewestRun = None,
    results: ResultsPath = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it until q or Ctrl-C; lines without a terminal.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Compare finished rows with their hashes as well.")
    ] = False,
) -> Answer:
    """Tell how far runs are, from their files and Slurm's queue.

    Each PATH is a bundle, a run (BUNDLE:r1 or its folder), results, or a folder of them. Results
    that stand elsewhere than their bundle need the bundle as a further PATH.
    """
    from specc.watching.find import find_targets

    targets = find_targets([run_folder(path) for path in paths], run_id=run_id, results=results)
    answer = _told(targets, check=check)
    return replace(answer, live=lambda: _watched(targets)) if watch else answer


def _watched(targets: tuple[Target, ...]) -> Iterator[str]:
    from specc.watching.live import watch

    if watch(targets):
        yield _told(targets, check=False).text + "\n"


def _told(targets: tuple[Target, ...], *, check: bool) -> Answer:
    from specc.watching.status import status_of
    from specc.watching.words import as_json as status_json
    from specc.watching.words import as_text, total_text

    found = [status_of(each, check=check) for each in targets]
    code = ExitCode.BAD_BUNDLE if any(each.damage for each in found) else ExitCode.OK
    if len(found) == 1:
        return Answer(text=as_text(found[0]), data=status_json(found[0]), code=code)
    blocks = [*(as_text(each) for each in found), total_text(found)]
    data: dict[str, Json] = {"runs": [status_json(each) for each in found]}
    return Answer(text="\n".join(blocks), data=data, code=code)


@verb
def logs(
    words: Words = None,
    *,
    failed: Annotated[
        bool, typer.Option("--failed", help="All failed tasks, with their last lines.")
    ] = False,
    attempt: Annotated[int | None, typer.Option("--attempt", help="Only this attempt.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on while the task runs.")] = False,
    run_id: NewestRun = None,
    results: ResultsPath = None,
) -> Answer:
    """Show what a task printed, and how its attempts ended.

    TASK is the start of a task id, or axis=value, several of which narrow it down. A further word
    that is a folder names the bundle or its results, BUNDLE:r1 a run of it; without one it is the
    folder you are in.
    """
    from specc.watching.find import find_targets
    from specc.watching.log_words import as_json, failed_text, task_text
    from specc.watching.logs import read_run, require_tasks

    given = words or []
    places = [word for word in given if named_run(Path(word))[0].is_dir()]
    folders = [run_folder(Path(word)) for word in places] or [Path()]
    selectors = [word for word in given if word not in places]
    if not selectors and not failed:
        raise typer.BadParameter("say which TASK, or --failed")
    run = read_run(find_targets(folders, run_id=run_id, results=results)[0])
    tasks = require_tasks(run, selectors)
    if failed:
        tasks = tuple(task for task in tasks if task.state == "failed")
        return Answer(text=failed_text(run, tasks), data=as_json(run, tasks, number=attempt))
    if follow and len(tasks) == 1:
        followed = tasks[0].task_id
        return Answer(
            text="",
            data=as_json(run, tasks, number=attempt),
            live=lambda: _following(run.target, followed),
        )
    texts = [task_text(run, task, run.logs(task, number=attempt)) for task in tasks]
    return Answer(text="\n".join(texts), data=as_json(run, tasks, number=attempt))


def _following(wanted: Target, task_id: str) -> Iterator[str]:
    import time

    from specc.watching.logs import follow

    for piece in follow(wanted, task_id):
        if not piece:
            time.sleep(FOLLOW_S)
        yield piece
