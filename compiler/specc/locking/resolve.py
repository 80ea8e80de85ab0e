"""Resolve an environment's requirements for its target, with uv. Addresses stay in memory.

uv writes its resolution as pylock, which names every wheel that the target accepts with its hash.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from specc.locking.builds import cuda_builds, other_builds, own_builds
from specc.locking.lockfile import LockedEnvironment
from specc.locking.target import Request
from specc.locking.tools import ToolFailed, configured_find_links, run, uv_binary, uv_version
from specc.locking.wheels import best_wheel, wheel_version
from specc.model import Json

_UNREACHED = re.compile(
    r"failed to fetch|error sending request|connectivity is disabled|could ?n.t connect", re.I
)
"""What uv says when an index does not answer, or when it may not ask one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A file that an index offers."""

    file: str
    sha256: str
    bytes: int | None
    """None where the index does not say."""
    local: Path | None
    """Where it lies already, when it comes from a folder of this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One resolved package and the one file to take of it."""

    name: str
    version: str
    archive: Archive
    is_wheel: bool
    """False: only the source is offered, and a wheel must be built from it."""
    index: str | None
    """Address of the index it comes from, when it is not the configured one. Never stored."""

    @property
    def pinned(self) -> str:
        return f"{self.name}=={self.version}"


def resolve(request: Request, *, find_links: Iterable[str] = ()) -> tuple[Package, ...]:
    """Return the packages of an environment, sorted by name. Raises ToolFailed."""
    links = (*find_links, *configured_find_links())
    options, wanted = _options(request, links), "\n".join(request.requirements)
    own, others = own_builds(links, request), _without(other_builds(links, request))
    if own:
        # several builds of one version are told apart by their local part only (2.13.0+cpu)
        pins = "".join(f"{name}=={version}\n" for name, version in sorted(own.items()))
        try:
            return _compile(options, wanted, request, constraints=pins + others)
        except ToolFailed:
            pass  # the spec asks for another version than the one that lies here
    return _from_backend(options, wanted, request, constraints=others)


def resolve_installer(request: Request) -> Package:
    """Return the uv that installs the environment on the node: the version that resolved it."""
    command = _options(request, configured_find_links())
    (package,) = _compile([*command, "--no-deps"], f"uv=={uv_version()}", request)
    if not package.is_wheel:
        raise ToolFailed(f"uv {package.version} has no wheel for {request.platform}")
    return package


def resolve_locked(
    locked: LockedEnvironment, request: Request, *, find_links: Iterable[str] = ()
) -> tuple[Package, ...]:
    """Return the packages that a lock names, installer included, as an index offers them now."""
    links = (*find_links, *configured_find_links())
    options = [*_options(request, links), "--no-deps"]
    pins = [line.split(" ")[0] for line in locked.requirements]
    installer = wheel_version(locked.installer.file)
    if installer and not any(pin.startswith("uv==") for pin in pins):
        pins.append(f"uv=={installer[1]}")
    files = frozenset(file.file for file in (*locked.wheels, locked.installer))
    wanted = "\n".join(pins)
    if any("+" in pin for pin in pins):
        return _compile(options, wanted, request, files=files)
    others = _without(other_builds(links, request))
    return _from_backend(options, wanted, request, constraints=others, files=files)


def _from_backend(
    options: list[str],
    requirements: str,
    request: Request,
    *,
    constraints: str,
    files: frozenset[str] = frozenset(),
) -> tuple[Package, ...]:
    """Resolve with the index that uv knows for the accelerator; without it, with the usual one.

    The usual index offers one build of each version. It is taken only where the CUDA runtime it
    requires is that of the accelerator.
    """
    backend = ["--torch-backend", request.accelerator]
    unreached = ""
    try:
        packages = _compile(
            [*options, *backend], requirements, request, constraints=constraints, files=files
        )
    except ToolFailed as reason:
        if not _UNREACHED.search(str(reason)):
            raise
        said = str(reason).splitlines()[0]
        unreached = f"could not reach the package index of {request.accelerator} builds ({said})"
    if unreached:
        try:
            packages = _compile(
                options, requirements, request, constraints=constraints, files=files
            )
        except ToolFailed as reason:
            raise ToolFailed(f"{unreached}, nor resolve without it: {reason}") from None
    found = cuda_builds({package.name: package.version for package in packages})
    if found == (request.accelerator,) or not (found or unreached):
        return packages
    if not unreached and not request.accelerator.startswith("cu"):
        return packages  # somebody asks for CUDA's libraries by name
    offered = f"{' and '.join(found)} builds" if found else "no build that names its CUDA version"
    start = f"{unreached}, and the configured one has" if unreached else "the package index has"
    raise ToolFailed(
        f"{start} {offered}: let this machine reach an index of {request.accelerator} builds, name"
        " a folder with such wheels under environment.find_links,"
        + (f" or write accelerator: {found[0]}" if found else " or lock on another machine")
    )


def _without(builds: Iterable[tuple[str, str]]) -> str:
    return "".join(f"{name}!={version}\n" for name, version in builds)


def _options(request: Request, links: Iterable[str]) -> list[str]:
    options = ["--python-version", request.python, "--python-platform", request.platform]
    for link in links:
        options += ["--find-links", link]
    return options


def _compile(
    options: list[str],
    requirements: str,
    request: Request,
    *,
    constraints: str = "",
    files: frozenset[str] = frozenset(),
) -> tuple[Package, ...]:
    import tempfile

    with tempfile.TemporaryDirectory(prefix="specc-lock-") as folder:
        asked = Path(folder, "requirements.in")
        asked.write_text(f"{requirements}\n", "utf-8")
        if constraints:
            limits = Path(folder, "constraints.txt")
            limits.write_text(constraints, "utf-8")
            options = [*options, "--constraints", str(limits)]
        command = [uv_binary(), "pip", "compile", "--quiet", "--generate-hashes", "--no-header"]
        text = run([*command, "--format", "pylock.toml", *options, str(asked)])
    packages = tomllib.loads(text).get("packages", [])
    return tuple(sorted((_package(p, request, files) for p in packages), key=lambda p: p.name))


def _package(data: dict[str, Json], request: Request, files: frozenset[str]) -> Package:
    name, version = data["name"], data.get("version")
    wheels = {archive.file: archive for archive in map(_archive, data.get("wheels") or ())}
    chosen = best_wheel(files & wheels.keys() or wheels, request)
    if version is None or (chosen is None and "sdist" not in data):
        raise ToolFailed(
            f"{name} has no wheel for Python {request.python} on {request.platform} and no source"
            " archive in an index"
        )
    return Package(
        name=name,
        version=version,
        archive=wheels[chosen] if chosen else _archive(data["sdist"]),
        is_wheel=chosen is not None,
        index=data.get("index"),
    )


def _archive(data: dict[str, Json]) -> Archive:
    address = str(data.get("url") or data.get("path") or "")
    parts = urlsplit(address)
    local = Path(url2pathname(parts.path)) if parts.scheme in ("", "file") else None
    return Archive(
        file=data.get("name") or unquote(parts.path).rpartition("/")[2],
        sha256=data["hashes"]["sha256"],
        bytes=data.get("size"),
        local=local,
    )
