"""Run one shard: lease, launch folder, what is done already, fixtures, tasks, exit code."""

from __future__ import annotations

import json
import os
import platform
import socket
import sys
import time
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Tuple

from . import limits
from .books import Books
from .contract import categories
from .contract.fields import Damage
from .contract.launches import list_shard
from .contract.manifest import Manifest
from .contract.runs import RunState, fold
from .contract.tasks import TaskRow, shard_tasks
from .environment import Prepared, installed_packages
from .fixtures import FixtureFailed, Fixtures
from .journal import FULL, Journal, JournalLost
from .lease import Held, Lease, take
from .log import Log, say
from .pool import Pool
from .progress import Progress, terminal_mode
from .running import Place, Todo
from .sampling import describe_hardware, start_sampler
from .signals import Signals
from .slots import NoDevice, make_slots
from .slurm_env import Allocation

_GRACE_S = 10.0


@dataclass(frozen=True)
class Setting:
    """What is the same for all shards that one command runs."""

    bundle: str
    manifest: Manifest
    tasks: Tuple[TaskRow, ...]
    shape: Mapping[str, Any]
    run: str
    """Path of the run's folder."""
    allocation: Allocation
    prepared: Prepared
    network: str
    verified: str
    inputs: Mapping[str, Any]
    """What the inputs at the cluster were found to be, by name; see `arrivals`."""


def run_shard(setting: Setting, shard_id: str, only: Optional[str] = None) -> int:
    """Run what is left of a shard and return the exit code.

    only: a task_id; the shard's other tasks are left alone.
    """
    rows = shard_tasks(setting.tasks, shard_id)
    if only is not None:
        rows = tuple(row for row in rows if row.task_id == only)
    shard = os.path.join(setting.run, shard_id)
    try:
        os.makedirs(shard, exist_ok=True)
        lease = take(os.path.join(shard, "lease"), setting.allocation)
    except Held as held:
        say(f"{shard_id}: held by {held}; nothing was started")
        return categories.EXIT_TRY_AGAIN
    except OSError as error:
        return _no_results(error, shard)
    try:
        before = fold(setting.run, rows, shard_id=shard_id, ended=True)
        return _launch(setting, shard_id, rows, before, lease)
    except Damage as damage:
        say(
            f"an earlier launch's journal is damaged, so nothing can be said to be done: {damage}\n"
            "copy that launch's folder again; without a good copy, move it out of the results, "
            "and its tasks run again"
        )
        return categories.EXIT_BAD_BUNDLE
    except OSError as error:
        return _no_results(error, shard)
    finally:
        lease.release()


def _no_results(error: OSError, shard: str) -> int:
    say(
        f"results can't be read and written at {error.filename or shard}: {error.strerror}\n"
        "make room, or give SPECC_RESULTS a folder that you may read and write"
    )
    return categories.EXIT_TRY_AGAIN if error.errno in FULL else categories.EXIT_USAGE


def _launch(
    setting: Setting, shard_id: str, rows: Tuple[TaskRow, ...], before: RunState, lease: Lease
) -> int:
    folder, name = _new_folder(setting.run, shard_id)
    log = Log(os.path.join(folder, "log.jsonl"))
    done = [state for state in before.tasks.values() if state.done is not None]
    signals = Signals()
    try:
        _write_launch(setting, shard_id, folder, name)
        journal = Journal(os.path.join(folder, "events.jsonl"))
        journal.write("launch_started", launch=name, tasks=len(rows), done=len(done))
        for state in done:
            if state.done is not None:
                journal.write("task_reused", task_id=state.task_id, launch=state.done.launch)
        progress = Progress(
            os.path.join(folder, "progress.json"),
            total=len(rows),
            done=len(done),
            mode=terminal_mode(os.environ),
            label=shard_id,
        )
        code, reason = _work(
            setting, _todo(rows, before), folder, f"{shard_id}/{name}",
            journal=journal, log=log, progress=progress, signals=signals, lease=lease,
        )  # fmt: skip
        counts = {
            "completed": progress.completed,
            "failed": progress.failed,
            "not_run": progress.not_run,
        }
        journal.write("launch_ended", exit_code=code, reason=reason, counts=counts)
        journal.close()
        return code
    except (JournalLost, OSError) as error:
        log.error(f"the launch can't go on: {error}")
        return categories.EXIT_TRY_AGAIN
    finally:
        signals.close()
        log.close()


def _todo(rows: Tuple[TaskRow, ...], before: RunState) -> List[Todo]:
    todo = []
    for row in rows:
        state = before.tasks[row.task_id]
        if state.done is not None:
            continue
        number = max((attempt.attempt for attempt in state.attempts), default=0) + 1
        saved = state.checkpoint
        resume: Optional[Dict[str, Any]] = None
        if saved is not None:
            segments = [dict(vars(segment)) for segment in saved.segments]
            resume = {"segments": segments, "progress": saved.progress}
        todo.append(Todo(row, number, resume))
    return todo


def _work(
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


def _new_folder(run: str, shard_id: str) -> Tuple[str, str]:
    number = max((launch.number for launch in list_shard(run, shard_id)), default=0) + 1
    while True:
        name = f"launch-{number:03d}"
        folder = os.path.join(run, shard_id, name)
        try:
            os.mkdir(folder)
        except FileExistsError:
            number += 1
            continue
        return folder, name


def _write_launch(setting: Setting, shard_id: str, folder: str, name: str) -> None:
    prepared = setting.prepared
    value = {
        "schema_version": categories.SCHEMA_VERSION,
        "bundle_id": setting.manifest.bundle_id,
        "run_id": os.path.basename(setting.run),
        "shard_id": shard_id,
        "launch": name,
        "shape": setting.shape["name"],
        "condition_id": setting.shape["condition_id"],
        "host": socket.gethostname(),
        "user_id": os.getuid(),
        "pid": os.getpid(),
        "started_epoch_ns": time.time_ns(),
        "anchor": {"t_ns": time.monotonic_ns(), "epoch_ns": time.time_ns()},
        "network": setting.network,
        "slurm": dict(setting.allocation.variables),
        "deadline_s": setting.allocation.seconds_left(),
        "python": f"{platform.python_version()} {sys.executable}",
        "environment": {
            "name": prepared.name,
            "mode": prepared.mode,
            "path": prepared.path,
            "packages": installed_packages(sys.path),
            "image": prepared.image,
            "image_sha256": prepared.image_sha256,
            "modules": [name for name in os.environ.get("LOADEDMODULES", "").split(":") if name],
        },
        "inputs": dict(setting.inputs),
        "hardware": describe_hardware(),
        "bundle_verified": setting.verified,
    }
    path = os.path.join(folder, "launch.json")
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False)
        file.write("\n")
    os.replace(path + ".new", path)
