"""Turn locked environments into facts: texts, wheels in the cache, the manifest's description."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from specc.bundling.hashing import HashMemory
from specc.bundling.portable import image_path, named_environments
from specc.locking.lockfile import Lock, LockedEnvironment, LockedFile
from specc.locking.store import Store
from specc.locking.target import Request, request_for
from specc.model import EnvironmentFact, FileFact, Json, Spec
from specc.problems import Problem, error
from specc.surveying.files import Shelf, Unusable, fact


def survey_environments(
    spec: Spec, names: Iterable[str], shelf: Shelf
) -> tuple[dict[str, EnvironmentFact], tuple[Problem, ...]]:
    """Return the facts of the environments `names`: those that tasks which run will use."""
    declared = named_environments(spec.data)
    facts: dict[str, EnvironmentFact] = {}
    problems: list[Problem] = []
    for name in sorted(set(names)):
        try:
            facts[name] = _look(spec, name, declared[name], shelf)
        except Unusable as reason:
            at = ("environment", name) if name in spec.data["environment"] else ("environment",)
            problems.append(
                error(
                    "E410",
                    str(reason),
                    mark=spec.document.mark(*at),
                    path=".".join(at),
                    hint="`specc lock SPEC` resolves and fetches anew",
                )
            )
    return facts, tuple(problems)


def _look(spec: Spec, name: str, declared: dict[str, Json], shelf: Shelf) -> EnvironmentFact:
    request = request_for(declared)
    description = _described(request, declared)
    wheels: tuple[FileFact, ...] = ()
    text = ""
    if request.requirements:
        locked = _locked(name, request, shelf.lock)
        text = "".join(f"{line}\n" for line in locked.requirements)
        wheels = tuple(_wheel(file, shelf.store) for file in (*locked.wheels, locked.installer))
        description["wheels"] = [file.file for file in locked.wheels]
        description["installer"] = locked.installer.file
    if request.mode == "container":
        description.update(_image(spec, name, declared))
        if declared.get("at") == "desk":
            image = _image_fact(spec, name, declared, shelf.memory)
            wheels = (*wheels, image)
            description["sha256"] = image.sha256
    return EnvironmentFact(
        name=name,
        mode=request.mode,
        python=request.python if request.requirements else declared.get("python"),
        platform=request.platform,
        accelerator=request.accelerator,
        requirements=text,
        wheels=wheels,
        description=description,
    )


def _locked(name: str, request: Request, lock: Lock | None) -> LockedEnvironment:
    locked = lock.environments.get(name) if lock else None
    if locked is None:
        raise Unusable(f"environment {name} is not locked")
    if locked.request_sha256 != request.sha256:
        raise Unusable(f"environment {name} changed since it was locked")
    return locked


def _wheel(file: LockedFile, store: Store) -> FileFact:
    path = store.path(file.sha256)
    if not path.exists():
        raise Unusable(f"{file.file} was locked but is not in the cache")
    return FileFact(path=f"wheels/{file.file}", source=path, bytes=file.bytes, sha256=file.sha256)


def _described(request: Request, declared: dict[str, Json]) -> dict[str, Json]:
    pinned = bool(request.requirements) and request.mode != "inherit"
    return {
        "mode": request.mode,
        "pinned": pinned,
        "python": request.python if request.requirements else declared.get("python"),
        "platform": request.platform,
        "accelerator": request.accelerator,
        "modules": list(declared.get("modules") or ()),
        "variables": dict(declared.get("variables") or {}),
    }


def _image(spec: Spec, name: str, declared: dict[str, Json]) -> dict[str, Json]:
    site = (spec.profile or {}).get("container") or {}
    at_desk = declared.get("at") == "desk"
    known = declared.get("sha256") or declared.get("digest")
    return {
        "image": image_path(name) if at_desk else declared.get("image"),
        "at": declared.get("at") or "cluster",
        "sha256": declared.get("sha256"),
        "digest": declared.get("digest"),
        "binds": [*(site.get("binds") or ()), *(declared.get("binds") or ())],
        "overlay": declared.get("overlay"),
        "nv": declared.get("nv"),
        "pinned": bool(known) or at_desk,
    }


def _image_fact(spec: Spec, name: str, declared: dict[str, Json], memory: HashMemory) -> FileFact:
    found = fact(Path(spec.root / declared["image"]), image_path(name), memory)
    if declared.get("sha256") not in (None, found.sha256):
        raise Unusable(f"image {declared['image']} is {found.sha256}, not {declared['sha256']}")
    return found
