"""Call uv and pip, the only programs that talk to a package index."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

_LAST_LINES = 12


class ToolFailed(Exception):
    """uv or pip ended with an error; the message is its last words."""


def uv_binary() -> str:
    """Path of the uv that specc depends on."""
    from uv import find_uv_bin

    return os.fspath(find_uv_bin())


@cache
def uv_version() -> str:
    """Version of that uv: bundles ship the same one."""
    return run([uv_binary(), "--version"]).split()[1]


def run(command: Sequence[str], *, stdin: str = "", env: Mapping[str, str] | None = None) -> str:
    """Run a tool and return its stdout. Raises ToolFailed with the end of its stderr."""
    surroundings = {
        **os.environ,
        "UV_PYTHON_DOWNLOADS": "never",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "NO_COLOR": "1",
        **(env or {}),
    }
    done = subprocess.run(
        list(command),
        input=stdin,
        capture_output=True,
        text=True,
        env=surroundings,
        check=False,
        umask=0o022,
    )
    if done.returncode:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()[-_LAST_LINES:]
        raise ToolFailed("\n".join(words) or f"{Path(command[0]).name} exited {done.returncode}")
    return done.stdout


def pip(*arguments: str, env: Mapping[str, str] | None = None) -> str:
    """Run the pip beside this interpreter, with the user's own pip configuration."""
    return run([sys.executable, "-m", "pip", *arguments], env=env)


@cache
def configured_find_links() -> tuple[str, ...]:
    """Return the folders and pages that pip is configured to look in; uv does not read these."""
    try:
        listed = pip("config", "list")
    except ToolFailed:
        return ()
    found: list[str] = []
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        if key.rpartition(".")[2] != "find-links":
            continue
        for place in str(ast.literal_eval(value)).split():
            if place not in found:
                found.append(place)
    return tuple(found)
