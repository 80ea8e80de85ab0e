"""The verbs about what a run brings back: collate."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from specc.commands.console import Answer, steps, verb
from specc.model import Json

Paths = Annotated[list[Path], typer.Argument(metavar="PATH", hidden=True)]
"""Hidden from the list of arguments, where typer would show a Python type; the text has it."""


@verb
def collate(
    paths: Paths,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder to write to; default: NAME-report here, NAME that of the first PATH.",
        ),
    ] = None,
) -> Answer:
    """Turn what runs have written into tables, plots and a report.

    PATH is a bundle or a results folder; there may be several.
    """
    from specc.collate.pipeline import collate as collate_paths

    folder = out or Path(f"{paths[0].resolve().name}-report")
    with steps() as progress:
        made = collate_paths(paths, folder, progress=progress)
    files = [str(path) for path in made.paths]
    data = {"out": str(folder), "files": files, "completeness": made.completeness}
    return Answer(text=f"{_counts(made.completeness)}\n{folder / 'report.html'}", data=data)


def _counts(completeness: Mapping[str, Json]) -> str:
    """Say how many tasks ended how: "14 tasks: 12 completed, 2 failed"."""
    counts = {state: n for state, n in completeness.items() if state not in ("expected", "tasks")}
    said = [f"{n} {state.replace('_', ' ')}" for state, n in counts.items() if n]
    return f"{completeness['expected']} tasks: {', '.join(said)}"
