"""The stages of a compile in order. Start reading here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from specc.bundling.provenance import provenance
from specc.frontend import parse_spec
from specc.kinds import plan_room
from specc.lock import lock_environments, lock_inputs
from specc.locking.lockfile import Lock, lock_path, read_lock, write_lock
from specc.model import Expansion, Facts, Json, Plan, Spec
from specc.problems import ExitCode, Problem, SpeccError, stop_on_errors
from specc.progress import Progress
from specc.sealed import Bundle
from specc.stages.expand import expand
from specc.stages.plan import make_plan
from specc.stages.render import render
from specc.stages.resolve import resolve
from specc.stages.seal import seal
from specc.stages.survey import survey, with_environments
from specc.stages.validate import validate
from specc.stages.write import write

if TYPE_CHECKING:
    from specc.rerun.done import Grown

Shrink = Callable[[Spec, Expansion], Expansion]
"""Chooses tasks, for instance those of a pilot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What can be said of a spec without looking at its inputs, code and wheels."""

    spec: Spec
    expansion: Expansion
    plan: Plan
    problems: tuple[Problem, ...]
    """Warnings of all stages, in the order of the stages."""


def check_spec(
    path: Path,
    *,
    only: Mapping[str, tuple[Json, ...]] | None = None,
    only_reason: str | None = None,
) -> Checked:
    """Run the stages that need no survey. Raises SpecInvalid at the first stage with errors.

    Task ids rest on the pins that the spec states; inputs at the desk count by name.
    """
    document = parse_spec(path)
    problems = stop_on_errors(validate(document))
    spec, found = resolve(document, only=only, only_reason=only_reason)
    problems = stop_on_errors((*problems, *found))
    expansion, found = expand(spec)
    problems = stop_on_errors((*problems, *found))
    plan, found = make_plan(spec, None, expansion)
    problems = stop_on_errors((*problems, *found))
    return Checked(spec=spec, expansion=expansion, plan=plan, problems=problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A bundle on disk."""

    path: Path
    bundle: Bundle
    problems: tuple[Problem, ...]
    """Warnings of all stages."""

    @property
    def bundle_id(self) -> str:
        return self.bundle.bundle_id


class NothingLeft(SpeccError):
    """Everything that the spec asks for has been done: no mistake, and no bundle."""

    exit_code = ExitCode.OK


def compile_spec(
    path: Path,
    *,
    out: Path,
    only: Mapping[str, tuple[Json, ...]] | None = None,
    only_reason: str | None = None,
    shrink: Shrink | None = None,
    grown: Grown | None = None,
    progress: Progress | None = None,
) -> Compiled:
    """Turn a spec into a bundle under `out`. Raises SpecInvalid, BundleInvalid, NothingLeft.

    What the lock beside the spec lacks is resolved and fetched first, and the lock is written.
    shrink: which tasks a pilot takes; the bundle is then marked as one.
    grown: what earlier bundles have done; it stays in the matrix and is not run.
    """
    document = parse_spec(path)
    problems = stop_on_errors(validate(document))
    spec, found = resolve(document, only=only, only_reason=only_reason)
    problems = stop_on_errors((*problems, *found))
    known = read_lock(lock_path(path))
    lock = lock_inputs(spec, known, progress=progress)
    facts, found = survey(spec, lock, progress=progress)
    problems = stop_on_errors((*problems, *found))
    expansion, found = _expand(spec, facts)
    problems = stop_on_errors((*problems, *found))
    if shrink is not None:
        expansion = shrink(spec, expansion)
    used = _environments_used(expansion)
    lock = lock_environments(spec, used, lock, progress=progress)
    _keep(lock, known, path)
    facts, found = with_environments(facts, spec, used, lock, progress=progress)
    problems = stop_on_errors((*problems, *found))
    about = provenance(document)
    if grown is not None:
        problems = (*problems, *grown.other_conditions(make_plan(spec, facts, expansion)[0]))
        expansion = _left(expansion, grown)
        about = {**about, "results": list(grown.origins)}
    plan, found = make_plan(spec, facts, expansion)
    problems = stop_on_errors((*problems, *found))
    plan = replace(plan, pilot=shrink is not None)
    bundle = seal(
        plan,
        render(plan, rooms=plan_room(spec.kind).RUNTIME_ROOMS),
        parent_bundle_id=grown.parent_bundle_id if grown else None,
    )
    target = write(bundle, out, provenance=about, progress=progress)
    return Compiled(path=target, bundle=bundle, problems=problems)


def lock_spec(
    path: Path,
    *,
    only: Mapping[str, tuple[Json, ...]] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Resolve anew every environment that tasks of a spec use; fetch them and the inputs.

    Returns the lock file's path. Raises SpecInvalid.
    """
    checked = check_spec(path, only=only)
    known = read_lock(lock_path(path))
    lock = lock_inputs(checked.spec, known, progress=progress)
    used = _environments_used(checked.expansion)
    lock = lock_environments(checked.spec, used, lock, anew=True, progress=progress)
    write_lock(lock, lock_path(path))
    return lock_path(path)


def _expand(spec: Spec, facts: Facts) -> tuple[Expansion, tuple[Problem, ...]]:
    pins = {name: fact.pin for name, fact in facts.inputs.items()}
    return expand(spec, pins, facts.code.tree if facts.code else None)


def _environments_used(expansion: Expansion) -> set[str]:
    """Return the environments of tasks that run: others are neither resolved nor fetched."""
    return {t.environment for t in expansion.tasks if t.environment and t.not_run is None}


def _left(expansion: Expansion, grown: Grown) -> Expansion:
    """Return the tasks without those that are done. Raises NothingLeft when none remains."""
    left = grown.leave_out(expansion)
    if all(task.not_run is not None for task in left.tasks):
        raise NothingLeft(f"nothing to compile: all {len(left.tasks)} tasks are done or left out")
    return left


def _keep(lock: Lock, known: Lock | None, spec_path: Path) -> None:
    if lock != known and (lock.environments or lock.inputs):
        write_lock(lock, lock_path(spec_path))


def expand_surveyed(path: Path) -> Expansion:
    """Return a spec's tasks under the ids that a compile gives them: inputs and code are hashed.

    Raises SpecInvalid.
    """
    spec = check_spec(path).spec
    facts, found = survey(spec, read_lock(lock_path(path)))
    stop_on_errors(found)
    expansion, found = _expand(spec, facts)
    stop_on_errors(found)
    return expansion
