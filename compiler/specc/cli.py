"""The command line: which verbs there are, and how the process ends.

Each verb lives in `commands/`, imports what it needs when it runs, and answers with a value
that `commands/console.py` prints. A bug stays a traceback, with exit code 70.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from specc.commands import bundles, catalogue, clusters, compare, pilot, results, specs, watching
from specc.problems import ExitCode

app = typer.Typer(
    name="specc",
    help="Compile experiment specs into sealed, offline job bundles, and read what comes back.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"specc {version('specc')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


VERBS = (
    specs.init,
    specs.validate,
    specs.lock,
    specs.plan,
    specs.compile_,
    pilot.pilot,
    specs.diff,
    bundles.verify,
    bundles.run,
    watching.status,
    watching.logs,
    bundles.pin,
    results.collate,
    compare.compare,
    results.export,
    catalogue.index,
    results.rerun,
    specs.schema,
    specs.explain,
)
"""In the order in which a user meets them."""

for _verb in VERBS:
    app.command(_verb.__name__.rstrip("_"))(_verb)
app.add_typer(clusters.app)


def main() -> None:
    """Run the command line. Never returns."""
    try:
        _with_a_home()
        app()
    except Exception:
        traceback.print_exc()
        print(
            f"specc: this is a bug in specc {' '.join(sys.argv[1:2])}, not in your spec; "
            "please report it with the lines above",
            file=sys.stderr,
        )
        sys.exit(int(ExitCode.INTERNAL))


def _with_a_home() -> None:
    """Give users without one, as containers have them, a home that can't be written.

    altair can't be imported without any.
    """
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = os.devnull
