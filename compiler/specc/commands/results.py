"""The verbs about what a run brings back: collate, export, rerun."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from specc.bundle_folders import report_folder, run_folder
from specc.commands.compare import (
    Across,
    GateFile,
    Reports,
    earlier,
    given_baseline,
    judged,
)
from specc.commands.console import Answer, bars, steps, verb
from specc.commands.outside import outside
from specc.model import Json
from specc.problems import ExitCode, warning

Paths = Annotated[list[Path], typer.Argument(metavar="PATH", hidden=True)]
"""Hidden from the list of arguments, where typer would show a Python type; the text has it."""


@verb
def collate(
    paths: Paths,
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder to write to; default: NAME-report here, NAME that of the first PATH.",
        ),
    ] = None,
    rehash: Annotated[
        bool, typer.Option("--rehash", help="Check every byte again, also of unchanged files.")
    ] = False,
    baseline: Annotated[
        str | None,
        typer.Option("--baseline", metavar="BASE", help="Run to compare with, see specc compare."),
    ] = None,
    gate: GateFile = None,
    across: Across = "",
) -> Answer:
    """Turn what runs have written into tables, plots and a report.

    PATH is a bundle or a results folder (all runs), or BUNDLE:r1 or BUNDLE/results/r1 (that run
    alone); there may be several. Exits 1 where a gate of the spec or of --gate says FAIL, 5 where
    one is INCONCLUSIVE.
    """
    from specc.collate.memory import keep_memory

    keep_memory()
    from specc.collate.pipeline import collate as collate_paths

    paths = [run_folder(path) for path in paths]
    folder = outside(out or report_folder(paths[0]))
    with steps() as progress:
        held = given_baseline(baseline, gate, across, current=paths[0], progress=progress)
        made = collate_paths(paths, folder, rehash=rehash, baseline=held, progress=progress)
    files = [str(path) for path in made.paths]
    left_out = made.summary["not_written"]
    data = {"out": str(folder), "files": files, "completeness": made.completeness}
    data["not_written"] = left_out
    problems = tuple(
        warning(
            "W551", f"{one['file']} was not written: {one['reason']}", mark=None, hint=one["fix"]
        )
        for one in left_out
    )
    said, data["gates"], code = judged(made.summary, by_file=gate is not None)
    text = "\n".join([_counts(made.completeness), *said, str(folder / "report.html")])
    return Answer(text=text, data=data, problems=problems, code=code)


@verb
def export(
    paths: Paths,
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.")],
    *,
    formats: Annotated[
        str,
        typer.Option("--format", metavar="NAME,…", help="dataset, prometheus, junit, ro-crate."),
    ] = "all",
    report: Reports = None,
) -> Answer:
    """Write results for other programs: data set, Prometheus, JUnit, RO-Crate.

    PATH is a bundle or a results folder (all runs), or BUNDLE:r1 or BUNDLE/results/r1 (that run
    alone); there may be several. Exit code 1: a value that is not 0 would be 0.000000 in the CSV,
    which was not written; the Parquet file beside it has every digit.
    """
    from specc.exporting.pipeline import export as export_paths
    from specc.exporting.pipeline import read_formats

    paths = [run_folder(path) for path in paths]
    wanted = read_formats(formats)
    outside(out)
    with steps() as progress:
        reports = earlier(paths, report)
        made = export_paths(paths, out, wanted, reports=reports, progress=progress)
    refused = made.refused
    note = "" if refused is None else f"specc: no CSV: {refused}\n  hint: {refused.hint}"
    return Answer(
        text="\n".join([_counts(made.completeness), *_files(made.paths, out)]),
        data={
            "out": str(out),
            "files": [str(path) for path in made.paths],
            "completeness": made.completeness,
            "refused": None if refused is None else str(refused),
        },
        code=ExitCode.OK if refused is None else ExitCode.FINDINGS,
        note=note,
    )


def _files(paths: Sequence[Path], out: Path) -> list[str]:
    """Return the files of a folder, those of a folder within it as one line: they are hundreds."""
    below = Counter(path.parent for path in paths if path.parent != out)
    counts = [
        f"{folder}/ ({count} file{'' if count == 1 else 's'})" for folder, count in below.items()
    ]
    return [*(str(path) for path in paths if path.parent == out), *counts]


@verb
def rerun(
    results: Annotated[list[Path], typer.Argument(metavar="RESULTS", hidden=True)],
    *,
    run: Annotated[
        str | None, typer.Option("--run", metavar="ID", help="Which run; default: the only one.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Ship wheels and inputs instead of borrowing them.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="One more attempt for tasks that are given up.")
    ] = False,
    give_up_capped: Annotated[
        bool, typer.Option("--give-up-capped", help="Leave out tasks whose cure meets a limit.")
    ] = False,
    include_running: Annotated[
        bool, typer.Option("--include-running", help="Also tasks of shards that are at work.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would go in; write nothing.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for the bundle's folder; default: beside the parent."),
    ] = None,
) -> Answer:
    """Compile the bundle of what failed or is missing, cured.

    RESULTS are bundles with results, or results and their bundles; BUNDLE:r1 is that run alone.
    Exactly the failed, missing and
    invalid tasks go in, under the same ids; each gets what on_failure says for its cause. The
    bundle borrows wheels and inputs from the one that it continues.
    """
    from specc.rerun.describe import rerun_json, rerun_text
    from specc.rerun.pipeline import Wanted
    from specc.rerun.pipeline import rerun as compile_rerun

    wanted = Wanted(
        results=[run_folder(path) for path in results],
        run_id=run,
        out=out,
        full=full,
        again=again,
        give_up_capped=give_up_capped,
        include_running=include_running,
        dry_run=dry_run,
    )
    with bars() as progress:
        made = compile_rerun(wanted, progress=progress)
    said, data = rerun_text(made), rerun_json(made)
    if dry_run:
        return Answer(text=said, data=data, problems=made.problems)
    # the folder alone on stdout, or nothing, as compile does it: next=$(specc rerun BUNDLE)
    folder = "" if made.path is None else str(made.path)
    return Answer(text=folder, data=data, problems=made.problems, note=said)


def _counts(completeness: Mapping[str, Json]) -> str:
    """Say how many tasks ended how: "14 tasks: 12 completed, 2 failed"."""
    counts = {state: n for state, n in completeness.items() if state not in ("expected", "tasks")}
    said = [f"{n} {state.replace('_', ' ')}" for state, n in counts.items() if n]
    expected = completeness["expected"]
    text = f"{expected} task{'' if expected == 1 else 's'}: {', '.join(said)}"
    missing = completeness["tasks"]["missing"]
    idle = len(missing) + completeness["not_run"] == completeness["expected"]
    # a task has a run id as soon as its bundle has a run
    if not missing or not idle or any(one["run_id"] for one in missing):
        return text
    return f"{text}\nnot run yet: `specc run BUNDLE`, or sbatch its job scripts"
