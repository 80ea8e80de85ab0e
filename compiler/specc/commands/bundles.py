"""The verbs about bundles: verify, run, pin."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from specc.bundle_folders import run_folder
from specc.commands.console import Answer, as_exit_code, bars, verb, watched_run
from specc.problems import ExitCode

BundlePath = Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder of a compiled bundle.")]
RunId = Annotated[
    str | None, typer.Option("--run", help="Name of the run; default: $SPECC_RUN, else r1.")
]
ResultsPath = Annotated[
    Path | None,
    typer.Option("--results", help="Where results go; default: $SPECC_RESULTS, else the bundle."),
]


@verb
def verify(bundle: BundlePath) -> Answer:
    """Compare every file of a bundle with its manifest."""
    from specc.verify import findings, verify_bundle

    with bars() as progress:
        found = verify_bundle(bundle, progress=progress)
    manifest = found.manifest
    files = len(manifest.subjects) if manifest else 0
    broken = not found.intact or bool(found.extra)
    verdict = "does not match its manifest" if broken else "matches its manifest"
    name = manifest.bundle_id if manifest else str(bundle)
    data = {
        "bundle_id": manifest.bundle_id if manifest else None,
        "files": files,
        "changed": list(found.changed),
        "missing": list(found.missing),
        "extra": list(found.extra),
        "modes": [path for path, _, _ in found.modes],
        "detail": found.detail,
    }
    return Answer(
        text="\n".join((*findings(found), f"{name} {verdict} ({files} files)")),
        data=data,
        code=ExitCode.BAD_BUNDLE if broken else ExitCode.OK,
    )


@verb
def run(
    bundle: BundlePath,
    run_id: RunId = None,
    network: Annotated[
        Literal["on", "off"],
        typer.Option(help="off: cut the network off where the kernel allows it."),
    ] = "on",
    results: ResultsPath = None,
    again: Annotated[
        bool, typer.Option("--again", help="Give failed tasks that were given up another attempt.")
    ] = False,
) -> Answer:
    """Run a bundle here, CPU first; finished tasks are kept.

    Ctrl-C stops it in order; the same command then goes on with what is left.
    """
    from specc.local_run import LocalRun, run_here
    from specc.watching.find import chosen_run
    from specc.watching.status import read_status
    from specc.watching.words import as_json as status_json
    from specc.watching.words import as_text

    wanted = LocalRun(
        bundle=bundle, run_id=chosen_run(run_id), network=network, results=results, again=again
    )
    try:
        with watched_run() as listener:
            code = run_here(wanted, listener)
    except KeyboardInterrupt:
        note = "interrupted; finished tasks are kept, and the same command goes on with the rest"
        data = {"error": "interrupted"}
        return Answer(text="", data=data, code=ExitCode.INTERRUPTED, note=note)
    found = read_status(bundle, run_id=wanted.run_id, results=results)
    return Answer(text=as_text(found), data=status_json(found), code=as_exit_code(code))


@verb
def pin(
    bundle: BundlePath,
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="The spec to write pins into.")],
    results: Annotated[
        list[Path] | None,
        typer.Option(
            "--results", metavar="PATH", help="Where runs were written; BUNDLE:r1: that one."
        ),
    ] = None,
) -> Answer:
    """Pin a spec's cluster inputs to what a run has seen."""
    from specc.pin import pin as pin_inputs

    found = pin_inputs(spec, bundle, map(run_folder, results or ()))
    lines = [f"{name}: {value}" for name, value in found.pins.items()] or ["nothing to pin"]
    return Answer(text="\n".join(lines), data={"spec": str(spec), "pins": dict(found.pins)})
