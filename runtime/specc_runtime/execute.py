"""Run one shard: lease, launch folder, what is done already, tasks, exit code."""

from __future__ import annotations

import os
from typing import Optional, Tuple

from .contract import categories
from .contract.fields import Damage
from .contract.runs import RunState, fold
from .contract.tasks import TaskRow, shard_tasks
from .journal import FULL, Journal, JournalLost
from .launch_folder import new_folder, write_launch
from .lease import Held, Lease, take
from .log import Log, say
from .progress import Progress, terminal_mode
from .setting import Setting
from .signals import Signals
from .todo import what_is_left
from .work import work


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
    folder, name = new_folder(setting.run, shard_id)
    log = Log(os.path.join(folder, "log.jsonl"))
    done = [state for state in before.tasks.values() if state.done is not None]
    signals = Signals()
    try:
        write_launch(setting, shard_id, folder, name)
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
        code, reason = work(
            setting, what_is_left(rows, before), folder, f"{shard_id}/{name}",
            journal=journal, log=log, progress=progress, signals=signals, lease=lease,
        )  # fmt: skip
        counts = {
            "completed": progress.completed,
            "failed": progress.failed,
            "stopped": progress.stopped,
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
