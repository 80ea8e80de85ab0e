"""Commented starter specs, one for each kind: `templates/init/<kind>.yaml`, written out as is."""

from __future__ import annotations

from pathlib import Path

from specc import resources
from specc.problems import ExitCode, SpeccError


class FileExists(SpeccError):
    """A starter would overwrite a file."""

    exit_code = ExitCode.USAGE


def examples() -> tuple[Path, ...]:
    """Return the example specs that specc ships, sorted by name."""
    return tuple(sorted(resources.folder("specs").glob("*.yaml")))


def write_starter(kind: str, target: Path) -> None:
    """Write the starter of a kind. Raises FileExists: what a user wrote is never overwritten."""
    text = (resources.template_folder() / "init" / f"{kind}.yaml").read_text(encoding="utf-8")
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise FileExists(f"{target} exists", hint="choose another name with --out") from None
