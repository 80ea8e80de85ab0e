"""The verbs about what a run brings back: collate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from specc.commands.console import Answer, steps, verb

Paths = Annotated[
    list[Path], typer.Argument(metavar="PATH…", help="Bundles, results folders, or both.")
]


@verb
def collate(
    paths: Paths,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where the report goes; default: PATH/report.")
    ] = None,
) -> Answer:
    """Turn what runs have written into tables, plots and a report."""
    from specc.collate.pipeline import collate as collate_paths

    folder = out or Path(f"{paths[0].resolve().name}-report")
    with steps() as progress:
        made = collate_paths(paths, folder, progress=progress)
    files = [str(path) for path in made.paths]
    data = {"out": str(folder), "files": files, "completeness": made.completeness}
    return Answer(text=f"{folder}", data=data)
