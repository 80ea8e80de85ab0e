"""Which accelerator a wheel is built for: told by local versions (+cpu, +cu128) and by metadata.

A package index may offer several builds of one version, or one build without saying so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from specc.locking.target import Request
from specc.locking.wheels import best_wheel, wheel_version

_LOCAL = re.compile(r"\+(cpu|cu[0-9]{3}|rocm[0-9.]+|xpu)$")
_CUDA_RUNTIME = re.compile(r"nvidia-cuda-runtime(-cu[0-9]{2})?")


def own_builds(links: Iterable[str], request: Request) -> dict[str, str]:
    """Return name -> version of wheels in local folders, built for the accelerator."""
    return {
        name: version
        for name, version, accelerator, file in _local_wheels(links)
        if accelerator == request.accelerator and best_wheel([file], request)
    }


def other_builds(links: Iterable[str], request: Request) -> tuple[tuple[str, str], ...]:
    """Return (name, version) of wheels in local folders that are built for something else.

    A resolver takes them for newer ones: 2.13.0+cpu is greater than 2.13.0.
    """
    found = {
        (name, version)
        for name, version, accelerator, _ in _local_wheels(links)
        if accelerator != request.accelerator
    }
    return tuple(sorted(found))


def cuda_builds(versions: Mapping[str, str]) -> tuple[str, ...]:
    """Return the CUDA builds that packages (name -> version) belong to: ("cu130",).

    Told by the CUDA runtime that they require: each minor version of CUDA has its own.
    """
    found = {
        "cu" + "".join(version.split(".")[:2])
        for name, version in versions.items()
        if _CUDA_RUNTIME.fullmatch(name)
    }
    return tuple(sorted(found))


def _local_wheels(links: Iterable[str]) -> Iterator[tuple[str, str, str, str]]:
    """Yield (name, version, accelerator, file) of every wheel that names one, oldest first."""
    for link in links:
        folder = Path(url2pathname(urlsplit(link).path)) if "://" in link else Path(link)
        if not folder.is_dir():
            continue
        for path in sorted(folder.glob("*+*-*.whl"), key=_natural):
            named = wheel_version(path.name)
            built = named and _LOCAL.search(named[1])
            if named and built:
                yield *named, built[1], path.name


def _natural(path: Path) -> list[tuple[int, str]]:
    return [
        (int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)
    ]
