"""Find or build the Python environment that a shape's tasks run in.

A wheelhouse environment is built once for each lock at its final path, by whoever holds the
lease while others wait; `.ready` is written last. Nothing is fetched from a network.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from .lease import Held, Lease, take
from .log import say
from .slurm_env import Allocation

_WAIT_LIMIT_S = 3600.0
_WAIT_STEP_S = 1.0
_READY = ".ready"
# lowest driver that runs each CUDA major version, from NVIDIA's CUDA compatibility table
_DRIVERS = {11: (450, 80), 12: (525, 60), 13: (580, 0)}


class EnvironmentFailed(Exception):
    """The environment can't be had here; the message says what to load or free."""


@dataclass(frozen=True)
class Prepared:
    """An environment that is ready to run in."""

    name: Optional[str]
    mode: str
    path: Optional[str]
    """Folder of a wheelhouse environment; None when the interpreter is inherited."""
    python: str


def prepare(
    bundle: str, predicate: Mapping[str, Any], shape: Mapping[str, Any], allocation: Allocation
) -> Prepared:
    """Return the shape's environment, built where there is none. Raises EnvironmentFailed."""
    name = shape["environment"]
    if name is None:
        return Prepared(None, "inherit", None, sys.executable)
    stated = predicate["environments"][name]
    if stated["mode"] != "wheelhouse":
        return Prepared(name, stated["mode"], None, sys.executable)
    prefix = _prefix(name, stated)
    if not _is_ready(prefix, stated["lock_sha256"]):
        check_platform(stated, needs_gpu=bool(shape["task"]["gpus"]))
        python = find_python(stated["python"])
        building = _Building(bundle, name, stated["lock_sha256"], prefix, python)
        _build_once(building, allocation)
    return Prepared(name, "wheelhouse", prefix, os.path.join(prefix, "bin", "python"))


def environments_root(environ: Mapping[str, str]) -> str:
    """Return the folder where environments are kept."""
    asked = environ.get("SPECC_ENV_DIR")
    if asked:
        return os.path.abspath(asked)
    home = environ.get("HOME") or os.path.expanduser("~")
    cache = environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
    return os.path.join(cache, "specc", "env")


def _prefix(name: str, stated: Mapping[str, Any]) -> str:
    lock = stated["lock_sha256"][:16]
    python = (stated.get("python") or "any").replace(".", "")
    folder = f"{name}-{lock}-py{python}-{platform.machine()}"
    return os.path.join(environments_root(os.environ), folder)


@dataclass(frozen=True)
class _Building:
    """An environment that is not there yet."""

    bundle: str
    name: str
    lock: str
    prefix: str
    python: str


def _is_ready(prefix: str, lock: str) -> bool:
    try:
        with open(os.path.join(prefix, _READY), encoding="utf-8") as file:
            return bool(file.read().strip() == lock)
    except OSError:
        return False


def _build_once(building: _Building, allocation: Allocation) -> None:
    name, prefix = building.name, building.prefix
    end = time.monotonic() + _WAIT_LIMIT_S
    told = False
    while time.monotonic() < end:
        try:
            lease = take(prefix + ".lease", allocation)
        except Held as held:
            if not told:
                say(f"environment {name}: waiting for {held}, who builds it")
                told = True
            time.sleep(_WAIT_STEP_S)
        except OSError as error:
            raise EnvironmentFailed(
                f"environment {name}: {error}; set SPECC_ENV_DIR to a folder that you may write to"
            ) from None
        else:
            try:
                if not _is_ready(prefix, building.lock):
                    _build(building, lease)
            finally:
                lease.release()
        if _is_ready(prefix, building.lock):
            return
    raise EnvironmentFailed(f"environment {name}: nobody finished building {prefix} within an hour")


def _build(building: _Building, lease: Lease) -> None:
    name, prefix = building.name, building.prefix
    say(f"environment {name}: building {prefix}")
    script = os.path.join(building.bundle, "env", name, "setup.sh")
    log_path = prefix + ".log"
    with open(log_path, "wb") as log:
        # a build that was cut off may have left half an environment: setup.sh starts anew
        process = subprocess.Popen(
            ["sh", script, prefix, building.python],
            cwd=building.bundle,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        while True:
            try:
                code = process.wait(timeout=1.0)
                break
            except subprocess.TimeoutExpired:
                lease.beat()
    if code != 0:
        raise EnvironmentFailed(
            f"environment {name}: {script} ended with code {code};"
            f" the end of {log_path}:\n{_tail(log_path)}"
        )
    draft = os.path.join(prefix, _READY + ".new")
    with open(draft, "w", encoding="utf-8") as file:
        file.write(building.lock + "\n")
    os.replace(draft, os.path.join(prefix, _READY))


def _tail(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return "".join(file.readlines()[-15:])


def find_python(version: Optional[str]) -> str:
    """Return an interpreter of a version like "3.11". Raises EnvironmentFailed with advice."""
    if version is None or version == f"{sys.version_info[0]}.{sys.version_info[1]}":
        # of a virtual environment the base interpreter: environments are not built on one another
        return os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        path = os.path.join(folder, f"python{version}")
        if os.access(path, os.X_OK) and _version_of(path) == version:
            return path
    raise EnvironmentFailed(
        f"the lock is for Python {version}, but this is {platform.python_version()} and no"
        f" python{version} is on PATH; load it (module load Python/{version}) or set SPECC_PYTHON"
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
