"""`specc lock`: resolve environments and fetch what a spec names from elsewhere, pinned by hash.

The only step that asks a package index or a hub. It writes `<spec>.lock`, an input like any other,
and fills the store; what both have already is not asked for again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from specc.bundling.portable import named_environments
from specc.locking.fetch import fetch_wheels
from specc.locking.hub import fetch_hub
from specc.locking.lockfile import Lock, LockedEnvironment, LockedInput
from specc.locking.packages import fetch_package
from specc.locking.resolve import resolve, resolve_installer, resolve_locked
from specc.locking.store import Store
from specc.locking.target import Request, request_for
from specc.locking.tools import ToolFailed
from specc.model import Json, JsonPath, Spec
from specc.problems import Problem, SpecInvalid, error
from specc.progress import Progress, Silent

_LOCK_HINT = "check the spelling, the version, and that the package index can be reached"


def lock_inputs(spec: Spec, lock: Lock | None, *, progress: Progress | None = None) -> Lock:
    """Return the lock with every fetched input of the spec in it and in the store.

    Raises SpecInvalid when something cannot be fetched.
    """
    known = lock or Lock()
    store, told = Store(), progress or Silent()
    problems: list[Problem] = []
    inputs: dict[str, LockedInput] = {}
    for index, declared in enumerate(spec.data.get("inputs") or ()):
        source = declared.get("source")
        if source is None:
            continue
        locked = known.inputs.get(declared["name"])
        if locked is not None and locked.source == source and _has_all(locked, store):
            inputs[declared["name"]] = locked
            continue
        try:
            fetched = _fetch(source, store, told)
        except ToolFailed as reason:
            problems.append(_problem(spec, ("inputs", index, "source"), "E431", str(reason)))
            continue
        if locked is not None and locked.source == source and locked.files != fetched.files:
            message = (
                f"input {declared['name']} is not what was locked: its files have other hashes"
            )
            problems.append(_problem(spec, ("inputs", index, "source"), "E432", message))
        inputs[declared["name"]] = fetched
    if problems:
        raise SpecInvalid(problems)
    return Lock(environments=known.environments, inputs=inputs)


def lock_environments(
    spec: Spec,
    names: Iterable[str],
    lock: Lock | None,
    *,
    anew: bool = False,
    progress: Progress | None = None,
) -> Lock:
    """Return the lock with these environments in it, and their wheels in the store.

    anew: resolve again even what is locked. Without it a changed request is an error (E433), for
    a compile must not change versions behind the user's back.
    Raises SpecInvalid when something cannot be resolved or fetched.
    """
    known = lock or Lock()
    declared = named_environments(spec.data)
    environments = {name: e for name, e in known.environments.items() if name in declared}
    problems: list[Problem] = []
    for name in sorted(set(names)):
        request = request_for(declared[name])
        if not request.requirements:
            continue
        at = _place(spec, name)
        locked = None if anew else environments.get(name)
        if locked is not None and locked.request_sha256 != request.sha256:
            message = f"environment {name} changed since it was locked"
            problems.append(_problem(spec, at, "E433", message, "run `specc lock SPEC`"))
            continue
        try:
            environments[name] = _locked(
                request, _links(spec, declared[name]), locked, progress or Silent()
            )
        except ToolFailed as reason:
            problems.append(_problem(spec, at, "E430", str(reason)))
    if problems:
        raise SpecInvalid(problems)
    return Lock(environments=environments, inputs=known.inputs)


def _locked(
    request: Request, links: tuple[str, ...], locked: LockedEnvironment | None, progress: Progress
) -> LockedEnvironment:
    store = Store()
    if locked is not None:
        _restore(locked, request, links, store, progress)
        return locked
    progress.start("resolving packages", None)
    packages = resolve(request, find_links=links)
    installer = resolve_installer(request)
    progress.finish()
    found = fetch_wheels([*packages, installer], request, store, progress)
    wheels = {package.name: found[package.name] for package in packages}
    return LockedEnvironment(
        target=request.target,
        request_sha256=request.sha256,
        requirements=tuple(
            f"{package.pinned} --hash=sha256:{wheels[package.name].sha256}" for package in packages
        ),
        wheels=tuple(sorted(wheels.values(), key=lambda wheel: wheel.file)),
        installer=found[installer.name],
    )


def _restore(
    locked: LockedEnvironment,
    request: Request,
    links: tuple[str, ...],
    store: Store,
    progress: Progress,
) -> None:
    """Fetch what the lock names and the store lacks: exactly these versions and files."""
    files = (*locked.wheels, locked.installer)
    if all(store.has(file.sha256) for file in files):
        return
    progress.start("finding the locked packages", None)
    packages = resolve_locked(locked, request, find_links=links)
    progress.finish()
    found = {wheel.sha256 for wheel in fetch_wheels(packages, request, store, progress).values()}
    lost = [file.file for file in files if file.sha256 not in found]
    if lost:
        raise ToolFailed(
            f"the index no longer gives the locked {', '.join(lost)}: run `specc lock SPEC`"
        )


def _fetch(source: dict[str, Json], store: Store, progress: Progress) -> LockedInput:
    if "hub" in source:
        return fetch_hub(source, store, progress)
    progress.start(f"fetching {source['package']}", None)
    try:
        return fetch_package(source, store)
    finally:
        progress.finish()


def _has_all(locked: LockedInput, store: Store) -> bool:
    return all(store.has(file.sha256) for file in locked.files)


def _links(spec: Spec, environment: dict[str, Json]) -> tuple[str, ...]:
    places: Iterator[str] = iter(environment.get("find_links") or ())
    return tuple(p if "://" in p else str(spec.root / p) for p in places)


def _place(spec: Spec, name: str) -> JsonPath:
    named = name in (spec.data.get("environment") or {})
    return ("environment", name, "requirements") if named else ("environment", "requirements")


def _problem(spec: Spec, at: JsonPath, code: str, message: str, hint: str = _LOCK_HINT) -> Problem:
    path = ".".join(map(str, at))
    return error(code, message, mark=spec.document.mark(*at), path=path, hint=hint)
