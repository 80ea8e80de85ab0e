"""Find the bundles and runs that are meant by paths. Lists folders and reads nothing in them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from specc.problems import BundleInvalid
from specc_runtime.contract.manifest import MANIFEST

_LEVELS_UP = 4
"""From a launch folder up to the bundle: shard, run, results, bundle."""


def bundles_at(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield each bundle once: given, the one that given results stand in, or those just below.

    A bundle that was given itself keeps the path it was given by; others are absolute.
    """
    seen = set()
    for path in paths:
        start = path.resolve()
        above = [start, *list(start.parents)[:_LEVELS_UP]]
        around = [folder for folder in above if file_at(folder / MANIFEST)][:1]
        below = [] if around else sorted(file.parent for file in start.glob(f"*/{MANIFEST}"))
        for folder in (*around, *below):
            if folder not in seen:
                seen.add(folder)
                yield path if folder == start else folder


def report_folder(path: Path) -> Path:
    """Return where `specc collate PATH` writes to, unless told: NAME-report in this folder."""
    return Path(f"{path.resolve().name}-report")


def report_folders(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield where an earlier collate of these paths, or of their whole bundles, has written to."""
    for path in paths:
        yield report_folder(path)
        yield from map(report_folder, bundles_at([path]))


def named_run(named: Path) -> tuple[Path, str | None]:
    """Split FOLDER:RUN, which names one run of a bundle; None for the run where none is named.

    What stands there under the whole name is meant itself: a folder may have a colon in its name,
    and so may a run whose folder was renamed.
    """
    text = str(named)
    if os.path.lexists(named):
        return named, None
    colons = [at for at, sign in enumerate(text) if sign == ":" and "/" not in text[at:]]
    splits = [(Path(text[:at]), text[at + 1 :]) for at in reversed(colons) if at]
    usable = [one for one in splits if one[1] not in ("", ".", "..")]
    if not usable:
        return named, None
    return next((one for one in usable if folder_at(one[0])), usable[0])


def run_folder(named: Path) -> Path:
    """Return the folder of the run that BUNDLE:RUN or RESULTS:RUN names; any other path as it is.

    Raises BundleInvalid where there is no such run.
    """
    folder, run_id = named_run(named)
    if run_id is None:
        return named
    results = folder / "results"
    root = results if folder_at(results) else folder
    if folder_at(root / run_id):
        return root / run_id
    if not folder_at(folder):
        raise BundleInvalid(f"there is no {folder}", hint="give BUNDLE, or BUNDLE:RUN for one run")
    there = sorted(path.name for path in root.iterdir() if folder_at(path))
    said = f"there are {', '.join(there)}" if root == results and there else f"{root} holds none"
    raise BundleInvalid(f"{named}: there is no run {run_id}", hint=said)


def file_at(path: Path) -> bool:
    """Tell whether a file stands there; False where we may not look."""
    try:
        return path.is_file()
    except OSError:
        return False


def folder_at(path: Path) -> bool:
    """Tell whether a folder stands there; False where we may not look."""
    try:
        return path.is_dir()
    except OSError:
        return False
