"""The work of one launch: its slots, fixtures and sensors around the pool."""

from __future__ import annotations

import os
from typing import List, Mapping, Optional, Tuple

from . import limits
from .books import Books
from .contract import categories
from .fixtures import FixtureFailed, Fixtures
from .journal import Journal
from .lease import Lease
from .log import Log, say
from .pool import Pool
from .progress import Progress
from .running import Place, Todo
from .sampling import start_sampler
from .setting import Setting
from .signals import Signals
from .slots import NoDevice, make_slots

_GRACE_S = 10.0


def work(
    setting: Setting,
    todo: List[Todo],
    folder: str,
    launch: str,
    *,
    journal: Journal,
    log: Log,
    progress: Progress,
    signals: Signals,
    lease: Lease,
) -> Tuple[int, Optional[str]]:
    """Run the tasks; returns the exit code and, unless all went well, why."""
    if not todo:
        say(f"{launch.partition('/')[0]}: all tasks were done before")
        return categories.EXIT_OK, "all tasks were done before"
    try:
        slots = make_slots(setting.shape, os.environ)
    except NoDevice as error:
        log.error(str(error))
        for each in todo:
            journal.write("task_not_run", task_id=each.row.task_id, reason=str(error))
        progress.not_run += len(todo)
        return categories.EXIT_FAILED, str(error)
    if len(slots) < setting.shape["slots"]:
        log.warning(f"{len(slots)} of {setting.shape['slots']} slots fit this machine")
    limits.adopt_orphans()
    limits.set_oom_score(-500)
    place = _place(setting, folder, launch)
    books = Books(folder, slots, journal=journal, log=log, progress=progress)
    sampler = start_sampler(os.path.join(folder, "hardware.jsonl"), log)
    fixtures = Fixtures(setting.shape["fixtures"], journal)

    def waiting() -> bool:
        return not lease.beat() or signals.waiting()

    try:
        fixtures.start(slots[0].env, [journal.fd, *signals.fds], waiting)
        pool = Pool(
            place,
            slots=slots,
            todo=todo,
            books=books,
            fixtures=fixtures,
            signals=signals,
            seconds_left=setting.allocation.seconds_left,
            beat=lease.beat,
            keep=[sampler.pid] if sampler is not None and sampler.pid else [],
        )
        pool.run()
    except FixtureFailed as error:
        for each in todo:
            journal.write("task_not_run", task_id=each.row.task_id, reason=str(error))
        progress.not_run += len(todo)
        return categories.EXIT_FAILED, str(error)
    finally:
        books.close()
        fixtures.stop()
        if sampler is not None:
            sampler.stop()
    return _exit_code(pool)


def _exit_code(pool: Pool) -> Tuple[int, Optional[str]]:
    if pool.stopping == "SIGINT":
        return categories.EXIT_INTERRUPTED, pool.stopping
    if pool.again:
        return categories.EXIT_TRY_AGAIN, pool.stopping
    if pool.failed:
        return categories.EXIT_FAILED, f"{pool.failed} tasks failed"
    return categories.EXIT_OK, None


def _place(setting: Setting, folder: str, launch: str) -> Place:
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
        env={},
        grace_s=_grace_s(os.environ),
        in_slurm=setting.allocation.job_id is not None,
    )


def _grace_s(environ: Mapping[str, str]) -> float:
    try:
        return max(0.0, float(environ.get("SPECC_GRACE_S", _GRACE_S)))
    except ValueError:
        say(f"SPECC_GRACE_S={environ['SPECC_GRACE_S']!r} is no number; {_GRACE_S:g} s are used")
        return _GRACE_S
