"""Keep what is written out of bundles: a sealed folder with a report in it no longer verifies."""

from __future__ import annotations

from pathlib import Path

from specc.problems import ExitCode, SpeccError

_SEALED = ("manifest.json", "tasks.jsonl")
"""Files that every bundle has and nothing else has both of."""


class InsideBundle(SpeccError):
    """A folder to write to that lies in a bundle."""

    exit_code = ExitCode.USAGE


def outside(out: Path) -> Path:
    """Return the folder. Raises InsideBundle where it is a bundle or lies in one."""
    whole = out.resolve()
    for folder in (whole, *whole.parents):
        if all((folder / name).is_file() for name in _SEALED):
            raise InsideBundle(
                f"{out} lies in the bundle {folder.name}, which is sealed: `specc verify` would"
                " find files that don't belong to it",
                hint="give --out a folder beside the bundle",
            )
    return out
