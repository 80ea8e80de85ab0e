"""Which of a package's wheels the target takes, by the tags in its name (PEP 425, 427, 600)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from specc.locking.target import Request

_WHEEL = re.compile(
    r"(?P<name>[^-]+)-(?P<version>[^-]+)(-\d[^-]*)?"
    r"-(?P<python>[^-]+)-(?P<abi>[^-]+)-(?P<platform>[^-]+)\.whl"
)


def best_wheel(files: Iterable[str], request: Request) -> str | None:
    """Return the file name that fits best, None when none does. The order given does not matter."""
    ranked = [(rank, file) for file in files if (rank := _rank(file, request)) is not None]
    return min(ranked)[1] if ranked else None


def wheel_version(file: str) -> tuple[str, str] | None:
    """Return (name, version) of a wheel's file name; None when it is not one."""
    found = _WHEEL.fullmatch(file)
    return (found["name"].replace("_", "-").lower(), found["version"]) if found else None


def _rank(file: str, request: Request) -> tuple[int, int] | None:
    found = _WHEEL.fullmatch(file)
    if found is None:
        return None
    platforms = (*request.pip_platforms, "any")
    allowed = [platforms.index(p) for p in found["platform"].split(".") if p in platforms]
    pythons = [
        rank
        for python in found["python"].split(".")
        for abi in found["abi"].split(".")
        if (rank := _python_rank(python, abi, request)) is not None
    ]
    return (min(pythons), min(allowed)) if allowed and pythons else None


def _python_rank(python: str, abi: str, request: Request) -> int | None:
    """Rank of an interpreter tag, 0 the best: cp311-cp311, cp311-abi3 …, cp311-none, py3-none."""
    minor = int(request.python.split(".")[1])
    own = f"cp3{minor}"
    if python == own and abi == own:
        return 0
    older = re.fullmatch(r"cp3(\d+)", python)
    if older and abi == "abi3" and int(older[1]) <= minor:
        return 1 + minor - int(older[1])
    if python == own and abi == "none":
        return 100
    generic = re.fullmatch(r"py3(\d*)", python)
    if generic and abi == "none" and (not generic[1] or int(generic[1]) <= minor):
        return 101
    return None
