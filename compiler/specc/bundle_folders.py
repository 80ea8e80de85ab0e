"""Find the bundles that are meant by paths. Lists folders and reads nothing in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

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
