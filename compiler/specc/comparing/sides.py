"""Read one side of a comparison: a bundle, results, a run's folder, or a report folder.

Reads the results of what has no summary yet; writes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from specc.bundle_folders import named_run
from specc.collate.pipeline import analyse
from specc.collate.records.cache import Cache, caches_in
from specc.collate.records.cache_damage import cache_damage_named
from specc.collate.values import ResultsInvalid
from specc.model import Json
from specc.problems import ExitCode, SpeccError
from specc_runtime.contract.manifest import MANIFEST

SUMMARY = "summary.json"


class SideUnclear(SpeccError):
    """A path that names more than one run, or none."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One run of one study, as collate sees it."""

    shown: str
    """As the user named it."""
    summary: Mapping[str, Json]
    """Cells and machines of this run alone."""
    bundle_id: str
    run_id: str


def read_side(
    named: str,
    *,
    reports: Iterable[Path] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> Side:
    """Read a side. named: a folder, or FOLDER:RUN to pick one of its runs.

    reports: folders that collate has written to, whose caches spare reading long results again.
    Raises SideUnclear when several runs could be meant, ResultsInvalid when there is none.
    """
    path, run_id = named_run(Path(named))
    stored = path / SUMMARY
    if stored.is_file():
        summary = _stored(stored)
    else:
        progress(f"collating {path}")
        cache = Cache(others=caches_in(reports), progress=progress)
        with cache_damage_named(cache):
            summary = analyse([path], cache).summary
    if run_id is None and not (path / MANIFEST).is_file():
        # the folder of one run, whose bundle may hold others
        name = path.resolve().name
        run_id = name if any(cell["run_id"] == name for cell in summary["cells"]) else None
    return one_run(summary, shown=named, run_id=run_id)


def one_run(summary: Mapping[str, Json], *, shown: str, run_id: str | None = None) -> Side:
    """Return one run of a summary; run_id None: the only one there is."""
    runs = sorted({cell["run_id"] for cell in summary["cells"] if cell["run_id"]})
    if run_id is not None and run_id not in runs:
        raise ResultsInvalid(
            f"{shown}: there is no run {run_id}", hint=f"it holds {', '.join(runs) or 'no run'}"
        )
    if run_id is None and len(runs) > 1:
        raise SideUnclear(
            f"{shown} holds several runs: {', '.join(runs)}",
            hint=f"name one: {shown.rstrip('/')}:{runs[-1]}, or the folder of one run",
        )
    if not runs:
        raise ResultsInvalid(f"{shown}: nothing has been run", hint="run the bundle first")
    chosen = run_id or runs[0]
    cells = [cell for cell in summary["cells"] if cell["run_id"] == chosen]
    studies = sorted({cell["bundle_id"] for cell in cells})
    if len(studies) > 1:
        raise SideUnclear(
            f"{shown} holds several studies: {', '.join(studies)}",
            hint="compare bundle with bundle",
        )
    prefix = f"{chosen}/"
    machines = [
        {**one, "launches": mine}
        for one in summary["machines"]
        if (mine := [launch for launch in one["launches"] if launch.startswith(prefix)])
    ]
    kept = {**summary, "cells": cells, "machines": machines}
    kept["runs"] = [run for run in summary["runs"] if run["run_id"] == chosen]
    return Side(shown=shown, summary=kept, bundle_id=studies[0], run_id=chosen)


def same_run(one: Side, other: Side) -> bool:
    """Return whether both sides are of one and the same run, wherever they were read from.

    Bundles that were copied to two clusters have runs of one name; those began at other times.
    """
    return _identity(one) == _identity(other)


def _identity(side: Side) -> tuple[Json, ...]:
    starts = [
        (run["bundle_id"], run["started_epoch_ns"], sorted(run["hosts"]))
        for run in side.summary["runs"]
    ]
    return side.bundle_id, side.run_id, sorted(starts, key=repr)


def _stored(path: Path) -> dict[str, Json]:
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as reason:
        raise ResultsInvalid(f"{path} can't be read: {reason}", hint="collate again") from reason
    needed = ("schema_version", "cells", "metrics", "machines", "runs", "bundles", "axes")
    if not isinstance(summary, dict) or not all(key in summary for key in needed):
        raise ResultsInvalid(f"{path} is not a summary of specc collate", hint="collate again")
    if summary["schema_version"] != 1:
        raise ResultsInvalid(
            f"{path} has version {summary['schema_version']}, this specc reads version 1",
            hint="collate the results with this specc",
        )
    return summary
