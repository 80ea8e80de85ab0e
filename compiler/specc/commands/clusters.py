"""The verbs about clusters, `specc cluster …`: profile."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from specc.commands.console import Answer, verb
from specc.problems import ExitCode, SpeccError

app = typer.Typer(
    name="cluster",
    help="What specc knows of clusters.",
    rich_markup_mode=None,
    no_args_is_help=True,
)


class _NothingToRead(SpeccError):
    exit_code = ExitCode.USAGE


@verb
def profile(
    source: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="FILE", help="What probe.sh printed; default: standard input."
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the cluster; default: Slurm's own.")
    ] = None,
) -> Answer:
    """Make a cluster profile of what probe.sh printed on the cluster, and print it as YAML."""
    from specc.clusters.probe import read_probes
    from specc.clusters.profile import make_profile

    found = make_profile(read_probes(_told(source)), name=name)
    return Answer(
        text=found.text(),
        data={"profile": found.data(), "unknown": found.unknown(), "remarks": list(found.remarks)},
        note=f"{len(found.partitions)} partitions, {len(found.unknown())} fields without a figure;"
        f" save it as clusters/{found.name.value}.yaml beside your spec",
    )


def _told(source: Path | None) -> str:
    """Read the probe's text; at a terminal on a login node, run the probe instead."""
    from specc.clusters.probing import run_probe

    if source is not None:
        try:
            return source.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise _NothingToRead(f"can't read {source}: {error.strerror}") from error
    if not sys.stdin.isatty():
        return sys.stdin.buffer.read().decode("utf-8", errors="replace")
    told = run_probe()
    if told is None:
        raise _NothingToRead(
            "there is no Slurm on this machine, and nothing to read",
            hint="on the cluster, in a bundle: ./probe.sh > probe.txt;"
            " then here: specc cluster profile < probe.txt",
        )
    return told


app.command()(profile)
