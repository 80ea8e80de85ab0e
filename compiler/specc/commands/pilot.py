"""The verb that measures what tasks need before a whole study is submitted: pilot."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from specc.bundle_folders import run_folder
from specc.commands.console import Answer, bars, verb
from specc.commands.specs import SpecPath, Usage
from specc.problems import ExitCode

_CODES = {
    "GO": ExitCode.OK,
    "NO-GO": ExitCode.FINDINGS,
    "INCONCLUSIVE": ExitCode.INCONCLUSIVE,
}


@verb
def pilot(
    spec: SpecPath,
    out: Annotated[Path, typer.Option("--out", help="Folder for the bundle's folder.")] = Path(
        "build"
    ),
    *,
    results: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            metavar="RESULTS",
            help="Read a pilot that has run (BUNDLE, or BUNDLE:r1): proposals, and GO or NO-GO.",
        ),
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="With --from: write the proposals into SPEC.")
    ] = False,
) -> Answer:
    """Compile a short pilot of a spec, or read one.

    A pilot is a bundle of the smallest and the largest point of each job shape; where tasks share
    GPUs, of as many as fill those of a job. Run it like any other; --from then tells what the
    whole study should ask for.
    """
    if results:
        return _read(spec, [run_folder(path) for path in results], apply=apply)
    if apply:
        raise Usage("--apply needs --from RESULTS", hint="run the pilot's bundle first")
    from specc.pilot.choose import pilot_tasks
    from specc.pipeline import compile_spec

    with bars() as progress:
        made = compile_spec(spec, out=out, shrink=pilot_tasks, progress=progress)
    tasks = len(made.bundle.plan.expansion.tasks)
    data = {"bundle": str(made.path), "bundle_id": made.bundle_id, "tasks": tasks}
    return Answer(text=str(made.path), data=data, problems=made.problems)


def _read(spec: Path, results: list[Path], *, apply: bool) -> Answer:
    from specc.pilot.reading import read_pilot
    from specc.pilot.telling import reading_json, reading_text

    found = read_pilot(spec, results)
    applied = apply and bool(found.edits)
    if applied:
        from specc.pilot.apply import apply as write

        write(spec, found.edits)
    return Answer(
        text=reading_text(found, applied=applied),
        data=reading_json(found, applied=applied),
        code=_CODES[found.answer],
    )
