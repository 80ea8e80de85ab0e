"""The body of an attempt's process: from the fork to its last report.

Whatever the kind raises becomes a report to the pool; nothing is classified here.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import time
import traceback
from typing import Any, Dict, Iterable, List, Mapping, Optional

from .. import limits
from ..kinds import KINDS, PRELOADED
from ..wide.rank_failure import RankFailed
from .attempt import Attempt, TaskError

_TRACE_LINES = 20
_ADOPTION_S = 5.0


class Stopped(BaseException):
    """The pool asked this attempt to end (SIGTERM)."""


def preload(kind: str) -> None:
    """Import a kind before anything is forked, where that costs the pool next to nothing.

    Bytecode is never written into a bundle, so each attempt would compile the kind's room anew.
    """
    if kind in PRELOADED:
        importlib.import_module(f"...{KINDS[kind]}", __name__)


def run_forked(
    order: Mapping[str, Any],
    *,
    records_fd: int,
    report_fd: int,
    output_fd: int,
    close: Iterable[int] = (),
    parent: int,
) -> None:
    """Run one attempt in this freshly forked process, and end the process."""
    code = 70
    try:
        _settle(order, output_fd, close, parent)
        attempt = Attempt(order, records_fd=records_fd, report_fd=report_fd)
        code = _run(order, attempt)
    except BaseException:
        traceback.print_exc()
    finally:
        _leave(code)


def _settle(order: Mapping[str, Any], output_fd: int, close: Iterable[int], parent: int) -> None:
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    # Slurm's warning before the end goes to every process of a step; the pool then ends attempts
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: _stop())
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for fd in close:
        # a full disk may be told of at any close of a file: that is the affair of who wrote it
        with contextlib.suppress(OSError):
            os.close(fd)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(output_fd, 1)
    os.dup2(output_fd, 2)
    _join(parent)
    signal.signal(signal.SIGTERM, lambda *_: _stop(parent))
    limits.set_oom_score(1000)
    limits.pin_to(order["cpu_set"])
    os.environ.update(order["env"])


def _join(parent: int) -> None:
    """Tie this process's life to the pool's, once the pool is its parent."""
    end = time.monotonic() + _ADOPTION_S
    while os.getppid() != parent and time.monotonic() < end:
        time.sleep(0.0005)  # forked by a warm parent: the process between is about to end
    limits.die_with_parent()
    if os.getppid() != parent:
        _leave(70)  # the pool died before the kernel was told to take this process along


def _stop(parent: Optional[int] = None) -> None:
    if parent is not None and os.getppid() != parent:
        # the pool is gone: nobody else would end the programs that this attempt started
        os.killpg(0, signal.SIGKILL)
    raise Stopped


def _run(order: Mapping[str, Any], attempt: Attempt) -> int:
    attempt.report("hello", pid=os.getpid())
    started = time.monotonic()
    try:
        attempt.record(
            "attempt",
            epoch_ns=time.time_ns(),
            pid=os.getpid(),
            slot=attempt.slot,
            neighbours=list(attempt.neighbours),
        )
        fields = _work(order, attempt)
        _flush()
        duration_s = time.monotonic() - started
        attempt.report("done", duration_s=duration_s, end=attempt.end(), **fields)
        return 0
    except Stopped:
        attempt.report("stopped", duration_s=time.monotonic() - started, end=attempt.end())
    except BaseException as error:
        _flush()
        attempt.report(
            "failed",
            duration_s=time.monotonic() - started,
            end=attempt.end(),
            **(error.report if isinstance(error, RankFailed) else describe(error)),
        )
    return 1


def _work(order: Mapping[str, Any], attempt: Attempt) -> Dict[str, Any]:
    """Do the task, here or as the leader of its ranks; returns what it leaves to vouch for."""
    if order.get("span") is not None:
        # the leader forks what runs this module again
        wide = importlib.import_module("...wide.wide", __name__)
        outcome = wide.lead(order, attempt)
        return {**outcome._asdict(), "segments": [*attempt.segments(), *outcome.segments]}
    module = importlib.import_module(f"...{KINDS[order['kind']]}", __name__)
    module.run(attempt)
    return {"segments": attempt.segments(), "artefacts": attempt.artefacts()}


def describe(error: BaseException) -> Dict[str, Any]:
    """Describe an exception as plain values: the evidence for its classification."""
    evidence: Dict[str, Any] = {}
    code = getattr(error, "error_code", None)  # torch.AcceleratorError: the CUDA error number
    if isinstance(code, int):
        evidence["device_error"] = code
    category = suggestion = transient = None
    if isinstance(error, TaskError):
        category, suggestion, transient = error.category, error.suggestion, error.transient
        evidence.update(error.evidence)
    if isinstance(error, SystemExit):
        evidence["system_exit"] = str(error.code)
    cause: Optional[BaseException] = error
    types: List[str] = []
    while cause is not None and len(types) < 40:
        types.extend(_name(base) for base in type(cause).__mro__)
        if isinstance(cause, OSError) and cause.errno is not None:
            evidence.setdefault("errno", cause.errno)
        hidden = cause.__suppress_context__
        cause = cause.__cause__ or (None if hidden else cause.__context__)
    trace = traceback.format_exception(type(error), error, error.__traceback__)
    return {
        "category": category,
        "transient": transient,
        "suggestion": suggestion,
        "type": _name(type(error)),
        "types": types,
        "message": str(error)[:2000] or _name(type(error)),
        "trace": "".join(trace).splitlines()[-_TRACE_LINES:],
        "evidence": evidence,
    }


def _name(kind: type) -> str:
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue


def _leave(code: int) -> None:
    _flush()
    # handlers that the pool or a warm parent registered are theirs to run, not a fork's
    os._exit(code)
