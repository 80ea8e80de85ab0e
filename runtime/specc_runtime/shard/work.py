"""The work of one launch: its slots, fixtures and sensors around the pool."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Mapping, Optional, Sequence, Tuple

from .. import limits
from ..books.books import Books
from ..books.journal import Journal
from ..books.progress import Progress
from ..books.sampling import start_sampler
from ..causes.asking import Asking
from ..contract import categories
from ..fixtures.fixtures import FixtureFailed, Fixtures
from ..fixtures.mps import Mps
from ..fixtures.stage import Stage
from ..log import Log, say
from ..pool.pool import Pool
from ..pool.running import Place, Todo
from ..signals import Signals, stopped
from ..slots.gpu_check import crowded, name_by_uuid, occupied, usable
from ..slots.places import lay_out
from ..slots.slots import NoDevice, Slot
from ..slurm_env import ask_time_left
from .deadline import ENDS, WARNING, Deadline
from .lease import Lease
from .setting import Setting

_GRACE_S = 10.0


@dataclass(frozen=True)
class Outcome:
    """How the work of a launch ended."""

    exit_code: int
    reason: Optional[str]
    """Why it is not all done; None when it is."""
    out_of_time: bool = False
    """True when only the end of the allocation stopped it."""
    gained: int = 0
    """Tasks completed, and tasks whose last checkpoint is where none was before."""


def work(
    setting: Setting,
    todo: Sequence[Todo],
    folder: str,
    launch: str,
    *,
    journal: Journal,
    log: Log,
    progress: Progress,
    signals: Signals,
    lease: Lease,
) -> Outcome:
    """Run the tasks of which there is at least one."""
    shape = setting.shape
    try:
        slots, aside = _slots(shape, log)
    except NoDevice as error:
        log.error(str(error))
        return _nothing_ran(todo, str(error), journal, progress)
    limits.adopt_orphans()
    limits.set_oom_score(-500)
    stage = _stage(setting, folder, slots, (journal.fd, *signals.fds))
    fixtures = Fixtures(shape["fixtures"], stage, journal, log)
    place = _place(setting, folder, launch, fixtures.env)
    books = Books(folder, slots, journal=journal, log=log, progress=progress)
    for gpu, reason in aside.items():
        books.gpu_set_aside(gpu, reason)
    sampler = start_sampler(os.path.join(folder, "hardware.jsonl"), log)

    end = _deadline(setting, place.grace_s)

    def waiting() -> bool:
        return not lease.beat() or signals.waiting() or end.is_here()

    try:
        fixtures.start(waiting)
        pool = Pool(
            place,
            slots=usable(slots, mps=fixtures.mps, log=log),
            todo=todo,
            books=books,
            fixtures=fixtures,
            signals=signals,
            end=end,
            beat=lease.beat,
            keep=[sampler.pid] if sampler is not None and sampler.pid else [],
        )
        pool.run()
    except FixtureFailed as error:
        return _nothing_ran(todo, str(error), journal, progress)
    finally:
        books.close()
        fixtures.stop(_leaving_s(end, place.grace_s))
        if sampler is not None:
            sampler.stop()
    return _outcome(pool, books, signals)


def _deadline(setting: Setting, grace_s: float) -> Deadline:
    return Deadline(
        setting.allocation.seconds_left,
        grace_s=grace_s,
        estimate_s=setting.shape["task"]["estimate_s"],
        ask=lambda: ask_time_left(os.environ),
    )


def _leaving_s(end: Deadline, grace_s: float) -> Optional[float]:
    """Return how long fixtures may take to end; None: as long as they like.

    Slurm kills what is still there some time after its signal, and at the end of the allocation.
    """
    left = end.seconds_left()
    limits_s = [grace_s] if stopped() else []
    if left is not None:
        limits_s.append(max(0.5, left - 2))
    return min(limits_s, default=None)


def _nothing_ran(
    todo: Sequence[Todo], reason: str, journal: Journal, progress: Progress
) -> Outcome:
    for each in todo:
        journal.write("task_not_run", task_id=each.row.task_id, reason=reason)
    progress.not_run += len(todo)
    return Outcome(categories.EXIT_FAILED, reason)


def _outcome(pool: Pool, books: Books, signals: Signals) -> Outcome:
    if pool.stopping == "SIGINT":
        return Outcome(categories.EXIT_INTERRUPTED, pool.stopping)
    if pool.again:
        # whoever sent another signal cancels this job, or has Slurm start it again
        in_time = pool.stopping in ENDS and not signals.other_than(WARNING)
        return Outcome(
            categories.EXIT_TRY_AGAIN, pool.stopping, out_of_time=in_time, gained=books.gained
        )
    if books.unsafe is not None:
        # the next launch looks at what is there, and runs again what is not
        return Outcome(categories.EXIT_TRY_AGAIN, books.unsafe)
    if pool.failed:
        return Outcome(categories.EXIT_FAILED, f"{pool.failed} tasks failed")
    return Outcome(categories.EXIT_OK, None)


def _slots(shape: Mapping[str, Any], log: Log) -> Tuple[Tuple[Slot, ...], Mapping[str, str]]:
    """Return the slots, and the GPUs left out of them with the reasons. Raises NoDevice."""
    if any(fixture["type"] == Mps.type for fixture in shape["fixtures"]):
        name_by_uuid(os.environ)
    aside = occupied(shape, os.environ, log)
    slots = lay_out(shape, os.environ, without=tuple(aside))
    if len(slots) < shape["slots"]:
        log.warning(f"{len(slots)} of {shape['slots']} slots fit this machine")
    crowded(slots, shape["task"]["gpu_memory_bytes"], log)
    return slots, aside


def _stage(setting: Setting, folder: str, slots: Sequence[Slot], own: Tuple[int, ...]) -> Stage:
    gpus = dict.fromkeys(entry for slot in slots for entry in slot.entries)
    inputs = {entry["name"]: entry["path"] for entry in setting.manifest.predicate["inputs"]}
    job_id = setting.allocation.job_id
    return Stage(setting.bundle, folder, inputs, tuple(gpus), job_id, slots[0].env, own)


def _place(setting: Setting, folder: str, launch: str, env: Mapping[str, str]) -> Place:
    predicate = setting.manifest.predicate
    return Place(
        bundle=setting.bundle,
        run=setting.run,
        launch=launch,
        launch_path=folder,
        kind=setting.manifest.kind,
        inputs={entry["name"]: entry["path"] for entry in predicate["inputs"]},
        shape=setting.shape,
        on_failure=predicate["on_failure"],
        env=env,
        grace_s=_grace_s(os.environ),
        slurm=Asking(setting.allocation.job_id, setting.allocation.restart),
        own_job=setting.own_job,
    )


def _grace_s(environ: Mapping[str, str]) -> float:
    try:
        return max(0.0, float(environ.get("SPECC_GRACE_S", _GRACE_S)))
    except ValueError:
        say(f"SPECC_GRACE_S={environ['SPECC_GRACE_S']!r} is no number; {_GRACE_S:g} s are used")
        return _GRACE_S
