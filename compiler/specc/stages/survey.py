"""Look at the world a spec names: inputs, code, locked environments, and the runtime to ship.

A door: it reads files and asks git. Nothing is fetched; what must be fetched, the lock has fetched.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import specc_runtime
from specc.bundling.hashing import HashMemory
from specc.locking.lockfile import Lock
from specc.locking.store import Store
from specc.model import Facts, FileFact, Spec
from specc.problems import Problem
from specc.progress import Progress
from specc.surveying.code import survey_code
from specc.surveying.environments import survey_environments
from specc.surveying.files import Shelf, fact
from specc.surveying.inputs import survey_inputs


def survey(
    spec: Spec, lock: Lock | None, *, progress: Progress | None = None
) -> tuple[Facts, tuple[Problem, ...]]:
    """Return what inputs, code and runtime are. Environments follow once the tasks are known."""
    memory = HashMemory(progress=progress)
    inputs, input_problems = survey_inputs(spec, Shelf(lock, Store(), memory))
    code, code_problems = survey_code(spec, memory)
    facts = Facts(inputs=inputs, code=code, environments={}, runtime=_runtime(memory))
    memory.save()
    return facts, (*input_problems, *code_problems)


def with_environments(
    facts: Facts,
    spec: Spec,
    names: Iterable[str],
    lock: Lock | None,
    *,
    progress: Progress | None = None,
) -> tuple[Facts, tuple[Problem, ...]]:
    """Return the facts with those environments added that tasks which run will use."""
    memory = HashMemory(progress=progress)
    environments, problems = survey_environments(spec, names, Shelf(lock, Store(), memory))
    memory.save()
    return dataclasses.replace(facts, environments=environments), problems


def survey_runtime() -> tuple[FileFact, ...]:
    """Return the files of the runtime that this specc ships."""
    memory = HashMemory()
    found = _runtime(memory)
    memory.save()
    return found


def _runtime(memory: HashMemory) -> tuple[FileFact, ...]:
    root = Path(specc_runtime.__file__).parent
    files = sorted(path for path in root.rglob("*.py") if path.is_file())
    found = (
        fact(path, f"runtime/specc_runtime/{path.relative_to(root).as_posix()}", memory)
        for path in files
    )
    # how the installer set the mode bits on this machine is no property of the bundle
    return tuple(dataclasses.replace(f, executable=False) for f in found)
