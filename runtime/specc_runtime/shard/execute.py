"""Run one shard: lease, launch folder, what is done already, tasks, exit code."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Optional

from ..books.journal import FULL, Journal, JournalLost
from ..books.progress import Progress, terminal_mode
from ..contract import categories
from ..contract.fields import Damage
from ..contract.runs import fold
from ..contract.tasks import shard_tasks
from ..log import Log, say
from ..signals import Signals
from .launch_folder import new_folder, write_launch
from .lease import Held, Lease, take
from .requeue import requeue
from .setting import Setting
from .todo import Left, what_is_left
from .work import Outcome, work


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
        left = what_is_left(
            rows,
            before,
            setting.manifest.predicate["on_failure"],
            again=setting.again or only is not None,
            job_id=setting.allocation.job_id,
        )
        return _launch(setting, shard_id, left, lease)
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


def _launch(setting: Setting, shard_id: str, left: Left, lease: Lease) -> int:
    folder, name = new_folder(setting.run, shard_id)
    log = Log(os.path.join(folder, "log.jsonl"))
    signals = Signals()
    try:
        write_launch(setting, shard_id, folder, name)
        journal = Journal(os.path.join(folder, "events.jsonl"))
        journal.write("launch_started", launch=name, tasks=left.total, done=len(left.done))
        for task_id, launch in left.done:
            journal.write("task_reused", task_id=task_id, launch=launch)
        progress = Progress(
            os.path.join(folder, "progress.json"),
            total=left.total,
            done=len(left.done),
            mode=terminal_mode(os.environ),
            label=shard_id,
        )
        progress.give_up(len(left.given_up))
        outcome = Outcome(categories.EXIT_OK, "all tasks were done before")
        if left.todo:
            outcome = work(
                setting, left.todo, folder, f"{shard_id}/{name}",
                journal=journal, log=log, progress=progress, signals=signals, lease=lease,
            )  # fmt: skip
        elif not left.given_up:
            say(f"{shard_id}: all tasks were done before")
        outcome = _with_given_up(outcome, len(left.given_up), log)
        if outcome.exit_code == categories.EXIT_TRY_AGAIN:
            _go_on(setting, outcome, journal, log)
        counts = {
            "completed": progress.completed,
            "failed": progress.failed,
            "stopped": progress.stopped,
            "not_run": progress.not_run,
        }
        code = outcome.exit_code
        journal.write("launch_ended", exit_code=code, reason=outcome.reason, counts=counts)
        journal.close()
        if journal.unsafe:
            raise JournalLost("its journal may not have reached the disk")
        return code
    except (JournalLost, OSError) as error:
        log.error(f"the launch can't go on: {error}")
        return categories.EXIT_TRY_AGAIN
    finally:
        signals.close()
        log.close()


def _with_given_up(outcome: Outcome, given_up: int, log: Log) -> Outcome:
    """Count the tasks that no launch takes up any more: a shard that has some did not succeed."""
    if not given_up:
        return outcome
    tasks = "1 task has" if given_up == 1 else f"{given_up} tasks have"
    log.warning(
        f"{tasks} used up the attempts that on_failure allows, so nothing was tried again; "
        "`specc rerun` makes a bundle that cures what can be, --again tries once more as it is"
    )
    if outcome.exit_code != categories.EXIT_OK:
        return outcome
    return replace(outcome, exit_code=categories.EXIT_FAILED, reason=f"{tasks} failed before")


def _go_on(setting: Setting, outcome: Outcome, journal: Journal, log: Log) -> None:
    """Requeue this job where that leads on; else say how the work goes on."""
    job_id = setting.allocation.job_id
    by_hand = "to go on: ./submit.sh --resume"
    if not (outcome.out_of_time and setting.own_job and job_id):
        log.info(by_hand)
        return
    if not outcome.gained:
        # the next start would get just as far
        log.warning(f"nothing new was completed or saved, so the job is not requeued; {by_hand}")
        return
    journal.sync()
    answer = requeue(job_id)
    journal.write("requeue", granted=answer.granted, detail=answer.detail)
    if answer.granted:
        log.warning("work is left: Slurm starts this job again")
    else:
        log.warning(f"Slurm does not requeue this job ({answer.detail}); {by_hand}")
