"""Find the runs that are meant by paths: bundles, runs, results, or folders of them.

A door: lists folders. What the runs say is read by `status`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from specc.bundle_folders import bundles_at
from specc.problems import BundleInvalid
from specc_runtime.contract.fields import Damage
from specc_runtime.contract.launches import find_runs
from specc_runtime.contract.manifest import MANIFEST, manifest_id

FIRST_RUN = "r1"
_NUMBERED = re.compile(r"r([0-9]+)")
_HINT = "give the folder that `specc compile` printed, or results together with their bundle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One run of one bundle."""

    bundle: Path
    bundle_id: str
    run_id: str
    folder: Path
    """Where the run's results stand; it may not exist yet."""
    other_runs: tuple[str, ...] = ()
    """Runs of the bundle that were not asked for."""


def results_root(bundle: Path, bundle_id: str, elsewhere: Path | None = None) -> Path:
    """Return where runs of a bundle are written: in the bundle, unless told (by SPECC_RESULTS)."""
    told = elsewhere or os.environ.get("SPECC_RESULTS")
    return Path(told) / bundle_id if told else bundle / "results"


def chosen_run(run_id: str | None) -> str:
    """Return the run that is meant: as given, else SPECC_RUN, else the first."""
    return run_id or os.environ.get("SPECC_RUN") or FIRST_RUN


def target(bundle: Path, *, run_id: str | None = None, results: Path | None = None) -> Target:
    """Return the run of a bundle that is meant; by default its newest. Raises BundleInvalid."""
    bundle_id = _bundle_id(bundle)
    return _of_root(bundle, bundle_id, results_root(bundle, bundle_id, results), run_id)


def find_targets(
    paths: Sequence[Path], *, run_id: str | None = None, results: Path | None = None
) -> tuple[Target, ...]:
    """Return the runs at the given paths, each once, in the order of the paths.

    A results folder that stands outside its bundle needs the bundle among the paths as well.
    Raises BundleInvalid for a path at which there is no run and no bundle, or nothing at all.
    """
    for path in paths:
        if not path.exists():
            raise BundleInvalid(f"there is no {path}", hint=_HINT)
    known = {_bundle_id(path): path for path in bundles_at(paths)}
    found: dict[Path, Target] = {}
    told_runs: set[str] = set()
    for path in paths:
        for each in _runs_given(path, known, run_id):
            found.setdefault(each.folder, each)
            told_runs.add(each.bundle_id)
    for path in paths:
        for bundle in bundles_at([path]):
            bundle_id = _bundle_id(bundle)
            if bundle_id not in told_runs:
                each = target(bundle, run_id=run_id, results=results)
                found.setdefault(each.folder, each)
    if not found:
        raise BundleInvalid(f"no bundle at {', '.join(map(str, paths))}", hint=_HINT)
    _refuse_unknown_run(run_id, found.values())
    return tuple(found.values())


def _refuse_unknown_run(run_id: str | None, targets: Collection[Target]) -> None:
    there = sorted({name for each in targets for name in each.other_runs})
    if run_id is not None and there and not any(each.folder.is_dir() for each in targets):
        raise BundleInvalid(f"there is no run {run_id}", hint=f"there are {', '.join(there)}")


def _runs_given(path: Path, known: dict[str, Path], run_id: str | None) -> Iterator[Target]:
    """Yield the runs of a path that is no bundle itself: a run, a results folder, or their root."""
    if (path / MANIFEST).is_file():
        return
    roots: dict[Path, str] = {}
    for run in find_runs(path):
        if run.bundle_id is None:
            continue
        folder = Path(run.path)
        bundle = known.get(run.bundle_id)
        if bundle is None:
            raise BundleInvalid(
                f"{folder} belongs to bundle {run.bundle_id}, which is not here", hint=_HINT
            )
        if path.resolve() in (folder, *folder.parents[:0]) or path.resolve().is_relative_to(folder):
            yield Target(bundle=bundle, bundle_id=run.bundle_id, run_id=run.run_id, folder=folder)
        else:
            roots.setdefault(folder.parent, run.bundle_id)
    for root, bundle_id in roots.items():
        yield _of_root(known[bundle_id], bundle_id, root, run_id)


def _of_root(bundle: Path, bundle_id: str, root: Path, run_id: str | None) -> Target:
    there = _run_names(root)
    chosen = run_id or os.environ.get("SPECC_RUN") or (there[-1] if there else FIRST_RUN)
    return Target(
        bundle=bundle,
        bundle_id=bundle_id,
        run_id=chosen,
        folder=root / chosen,
        other_runs=tuple(name for name in there if name != chosen),
    )


def _run_names(root: Path) -> list[str]:
    """Return the runs below a results folder, the newest numbered one last."""
    try:
        names = [each.name for each in os.scandir(root) if each.is_dir()]
    except OSError:
        return []

    def order(name: str) -> tuple[bool, int, str]:
        number = _NUMBERED.fullmatch(name)
        return number is not None, int(number.group(1)) if number else 0, name

    return sorted(names, key=order)


def _bundle_id(bundle: Path) -> str:
    try:
        found = manifest_id(bundle)
    except (Damage, OSError) as damage:
        raise BundleInvalid(str(damage), hint="copy the bundle again") from damage
    if found is None:
        raise BundleInvalid(f"{bundle} is not a bundle: it has no {MANIFEST}", hint=_HINT)
    return found
