"""Find or build the Python environment that a shape's tasks run in.

What a lock pins is built once for each lock (and image, and set of modules) at its final path; see
`building`. In a container that happens inside it. Nothing is fetched from a network.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from ..slurm_env import Allocation
from .building import EnvironmentFailed, Wanted, build_once, find_ready

_IMAGE_SHA256 = "SPECC_IMAGE_SHA256"
"""Set by the job script: hash of the image file that it started."""
# lowest driver that runs each CUDA major version, from NVIDIA's CUDA compatibility table
_DRIVERS = {11: (450, 80), 12: (525, 60), 13: (580, 0)}


@dataclass(frozen=True)
class Prepared:
    """An environment that is ready to run in."""

    name: Optional[str]
    mode: str
    path: Optional[str]
    """Folder of a pinned environment; None when the interpreter is inherited."""
    python: str
    image: Optional[str] = None
    """Container image as the manifest names it; None outside containers."""
    image_sha256: Optional[str] = None
    """Hash of the image file; None for a reference."""


def prepare(
    bundle: str,
    predicate: Mapping[str, Any],
    shape: Mapping[str, Any],
    allocation: Allocation,
    lender: Optional[str] = None,
) -> Prepared:
    """Return the shape's environment, built where there is none. Raises EnvironmentFailed.

    lender: bundle whose wheels are taken; None for the bundle's own.
    """
    name = shape["environment"]
    if name is None:
        return Prepared(None, "inherit", None, sys.executable)
    stated = predicate["environments"][name]
    image = stated.get("image")
    image_sha256 = os.environ.get(_IMAGE_SHA256) if image else None
    lock = stated.get("lock_sha256")
    if lock is None or stated["mode"] == "inherit":
        return Prepared(name, stated["mode"], None, sys.executable, image, image_sha256)
    folder = _folder(name, stated)
    prefix = find_ready(folder, lock)
    if prefix is None:
        check_platform(stated, needs_gpu=bool(shape["task"]["gpus"]))
        python = find_python(stated["python"], in_container=bool(image))
        prefix = build_once(Wanted(bundle, name, lock, folder, python, lender), allocation)
    python = os.path.join(prefix, "bin", "python")
    return Prepared(name, stated["mode"], prefix, python, image, image_sha256)


def environments_root(environ: Mapping[str, str]) -> str:
    """Return the folder where environments are kept."""
    asked = environ.get("SPECC_ENV_DIR")
    if asked:
        return os.path.abspath(asked)
    home = environ.get("HOME") or os.path.expanduser("~")
    cache = environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
    return os.path.join(cache, "specc", "env")


def stamps_root(environ: Mapping[str, str]) -> str:
    """Return the folder that remembers what was hashed already on this site."""
    return os.path.join(environments_root(environ), ".verified")


def _folder(name: str, stated: Mapping[str, Any]) -> str:
    """Return the environment's place: another lock, image or set of modules is another one."""
    python = (stated.get("python") or "any").replace(".", "")
    words = [name, stated["lock_sha256"][:16]]
    base: List[Any] = list(stated.get("modules") or ())
    if stated.get("image"):
        known = os.environ.get(_IMAGE_SHA256) or stated.get("sha256") or stated.get("digest")
        base.append(known or stated["image"])
    if base:
        words.append(hashlib.sha256(json.dumps(base).encode()).hexdigest()[:16])
    words.extend([f"py{python}", platform.machine()])
    return os.path.join(environments_root(os.environ), "-".join(words))


def find_python(version: Optional[str], *, in_container: bool = False) -> str:
    """Return an interpreter of a version like "3.11". Raises EnvironmentFailed with advice."""
    if version is None or version == f"{sys.version_info[0]}.{sys.version_info[1]}":
        # of a virtual environment the base interpreter: environments are not built on one another
        return os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        path = os.path.join(folder, f"python{version}")
        if os.access(path, os.X_OK) and _version_of(path) == version:
            return path
    advice = f"load it (module load Python/{version}) or set SPECC_PYTHON"
    if in_container:
        advice = f"use an image with Python {version}, or lock for the Python of this one"
    raise EnvironmentFailed(
        f"the lock is for Python {version}, but this is {platform.python_version()}"
        f" ({sys.executable}) and no python{version} is on PATH; {advice}"
    )


def _version_of(python: str) -> str:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run(
            [python, "-I", "-c", code], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def check_platform(stated: Mapping[str, Any], *, needs_gpu: bool) -> None:
    """Compare machine, glibc and GPU driver with the lock's target. Raises EnvironmentFailed."""
    match = re.fullmatch(r"(.+?)-manylinux_(\d+)_(\d+)", stated.get("platform") or "")
    if match is not None:
        machine, wanted = match.group(1), (int(match.group(2)), int(match.group(3)))
        if machine != platform.machine():
            raise EnvironmentFailed(
                f"the wheels are for {machine}, this machine is {platform.machine()};"
                " lock the spec for it, or send the job to another partition"
            )
        found = _numbers(_glibc())
        if found and found < wanted:
            raise EnvironmentFailed(
                f"the wheels need glibc {wanted[0]}.{wanted[1]}, here is {_glibc()};"
                " use newer nodes, or the environment mode container"
            )
    cuda = re.fullmatch(r"cu(\d\d)\d", stated.get("accelerator") or "")
    if cuda is not None and needs_gpu:
        _check_driver(int(cuda.group(1)), stated["accelerator"])


def _check_driver(major: int, accelerator: str) -> None:
    version = driver_version()
    if version is None:
        raise EnvironmentFailed("the tasks need a GPU, but no NVIDIA driver is loaded here")
    needed = _DRIVERS.get(major)
    if needed is not None and _numbers(version) < needed:
        raise EnvironmentFailed(
            f"{accelerator} needs driver {needed[0]}.{needed[1]} or newer, here is {version};"
            " lock for an older accelerator, or use other nodes"
        )


def driver_version(path: str = "/sys/module/nvidia/version") -> Optional[str]:
    """Return the version of the loaded NVIDIA driver; None without one."""
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return None


def _glibc() -> str:
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").rpartition(" ")[2]
    except (OSError, ValueError):
        return ""


def _numbers(version: str) -> Tuple[int, ...]:
    parts: List[int] = [int(part) for part in re.findall(r"\d+", version)[:2]]
    return tuple(parts)


def installed_packages(path: Sequence[str]) -> Dict[str, str]:
    """Return name -> version of the packages on an import path, names in their normal form.

    Read from the names of the .dist-info folders: opening each one's metadata costs 0.1 s and
    some hundred metadata operations.
    """
    found: Dict[str, str] = {}
    for folder in path:
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue  # a zip file, or nothing
        for entry in names:
            stem, _, ending = entry.rpartition(".")
            name, _, version = stem.partition("-")
            if ending in ("dist-info", "egg-info") and version:
                found.setdefault(re.sub("[-_.]+", "-", name).lower(), version)
    return dict(sorted(found.items()))
