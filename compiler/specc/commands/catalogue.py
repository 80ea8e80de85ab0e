"""The verb that lists studies: index."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from specc.commands.console import Answer, steps, verb
from specc.commands.outside import outside


@verb
def index(
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER", hidden=True)],
    *,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Page to write; default: stdout.")
    ] = None,
) -> Answer:
    """List studies: bundle, runs, date, recipe, purpose, results, report.

    FOLDER holds bundles, or reports of specc collate, or folders with them. Bundles without a
    report, and results that are not there, are told as such.
    """
    from specc.exporting.index import entries, markdown

    if out is not None:
        outside(out.parent)
    with steps() as progress:
        progress("reading")
        found = entries(folders)
        page = markdown(found, beside=Path() if out is None else out.parent)
    data = {
        "studies": [
            {
                "bundle_id": one.bundle_id,
                "name": one.name,
                "runs": list(one.runs),
                "started_epoch_ns": one.started_epoch_ns,
                "spec_sha256": one.spec_sha256,
                "purpose": one.purpose,
                "axes": dict(one.axes),
                "completed": one.completed,
                "expected": one.expected,
                "parent_bundle_id": one.continues,
                "results": None if one.results is None else str(one.results),
                "report": None if one.report is None else str(one.report),
                "damage": one.damage,
            }
            for one in found
        ]
    }
    if out is None:
        return Answer(text=page.rstrip("\n"), data=data)
    from specc.collate.export import write_text

    write_text(out, page)
    return Answer(text=str(out), data=data)
