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

from specc.locking.lockfile import LockedEnvironment
from specc.locking.target import Request
from specc.locking.tools import ToolFailed, configured_find_links, run, uv_binary, uv_version
from specc.locking.wheels import best_wheel, wheel_version
from specc.model import Json


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
    command = _options(request, links)
    wanted = "\n".join(request.requirements)
    local = _local_builds(links, request)
    if local:
        # several builds of one version are told apart by their local part only (2.13.0+cpu)
        overrides = "".join(f"{name}=={version}\n" for name, version in sorted(local.items()))
        try:
            return _compile(command, wanted, request, constraints=overrides)
        except ToolFailed:
            pass  # the spec asks for another version than the one that lies here
    return _compile([*command, "--torch-backend", request.accelerator], wanted, request)


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
    command = _options(request, (*find_links, *configured_find_links()))
    if not any("+" in line for line in locked.requirements):
        command += ["--torch-backend", request.accelerator]
    pins = [line.split(" ")[0] for line in locked.requirements]
    installer = wheel_version(locked.installer.file)
    if installer and not any(pin.startswith("uv==") for pin in pins):
        pins.append(f"uv=={installer[1]}")
    files = frozenset(file.file for file in (*locked.wheels, locked.installer))
    return _compile([*command, "--no-deps"], "\n".join(pins), request, files=files)


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


def _local_builds(links: Iterable[str], request: Request) -> dict[str, str]:
    """Return name -> version of wheels in local folders, built for the accelerator."""
    found: dict[str, str] = {}
    for link in links:
        folder = Path(url2pathname(urlsplit(link).path)) if "://" in link else Path(link)
        if not folder.is_dir():
            continue
        for path in sorted(folder.glob(f"*+{request.accelerator}-*.whl"), key=_natural):
            named = wheel_version(path.name)
            if named and best_wheel([path.name], request):
                found[named[0]] = named[1]
    return found


def _natural(path: Path) -> list[tuple[int, str]]:
    return [
        (int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)
    ]
