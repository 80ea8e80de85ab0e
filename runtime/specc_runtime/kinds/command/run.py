"""Run one program once, in each rank of a task that has several, and record its numbers.

The program is a child in the attempt's own process group, so what ends the attempt ends it too.
Its output goes to the slot's log; a stream that holds metrics passes through here on the way.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Mapping, NamedTuple, Tuple

from ... import limits
from ...attempts.attempt import TaskError
from . import metrics as reading
from . import parameters

if TYPE_CHECKING:
    from ...attempts.attempt import Attempt

DRAIN_S = 1.0
"""How long output is awaited from descendants that outlive the program."""

_PIPE_BYTES = 2 << 20
"""More than a pipe and the buffer behind it hold."""


class Ended(NamedTuple):
    """How the program ended, as the kernel reports it."""

    code: int
    """Exit code; minus the signal's number when a signal ended it."""
    wall_s: float
    usage: Any
    """resource.struct_rusage of the program and the children it waited for."""


def run(attempt: Attempt) -> None:
    """Start the program, wait for it, record `process` and one `metric` record for each number.

    Raises TaskError (program) for an unexpected exit code or a required metric that is missing.
    """
    # a signal that can be handled lets this process take the program along when the pool is killed
    limits.die_with_parent(signal.SIGTERM)
    scratch = tempfile.mkdtemp(prefix="specc-")
    try:
        _run_in(attempt, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _run_in(attempt: Attempt, scratch: str) -> None:
    settings = attempt.task.settings
    folder = _code_folder(attempt) if settings.get("workdir") == "code" else scratch
    declared = _read_here(settings.get("metrics", {}), attempt.rank)
    readers = [reading.LineReader(declared, stream) for stream in ("stdout", "stderr")]
    ended = _run_program(attempt, settings, (scratch, folder), readers)
    _record_process(attempt, ended)
    _check_exit(ended, settings.get("success", [0]))
    # files are taken from scratch alone: one in the code may be of another task, or of another run
    found = reading.collect(declared, readers, scratch)
    for name, metric in declared.items():
        _record_metric(attempt, name, metric, found[name])
    _check_required(declared, found)
    for name in settings.get("keep", []) if attempt.rank == 0 else ():
        _keep(attempt, scratch, name)


def _read_here(metrics: Mapping[str, Any], rank: int) -> Dict[str, Mapping[str, Any]]:
    """Return the metrics that this rank is to yield."""
    return {
        name: metric
        for name, metric in metrics.items()
        if rank == 0 or metric.get("ranks", "first") == "all"
    }


def _run_program(
    attempt: Attempt,
    settings: Mapping[str, Any],
    folders: Tuple[str, str],
    readers: List[reading.LineReader],
) -> Ended:
    scratch, folder = folders
    argv = _argv(settings, scratch, attempt)
    output = attempt.output_fd
    started = time.monotonic()
    with open(_stdin_path(settings, scratch), "rb") as stdin:
        try:
            child = subprocess.Popen(
                argv,
                stdin=stdin,
                stdout=subprocess.PIPE if readers[0].wanted else output,
                stderr=subprocess.PIPE if readers[1].wanted else output,
                cwd=folder,
                env=_environment(attempt, settings, scratch),
            )
        except (OSError, ValueError) as error:
            raise TaskError(
                "program",
                f"{argv[0]!r} cannot be started: {error}",
                "is it installed on the node and on PATH? The cluster profile can load a module",
            ) from error
    streams = [
        _Stream(pipe, reader, output)
        for pipe, reader in ((child.stdout, readers[0]), (child.stderr, readers[1]))
        if pipe is not None
    ]
    for stream in streams:
        stream.start()
    _, status, usage = os.wait4(child.pid, 0)
    wall_s = time.monotonic() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    for stream in streams:
        stream.drain()
    return Ended(child.returncode, wall_s, usage)


def _argv(settings: Mapping[str, Any], scratch: str, attempt: Attempt) -> List[str]:
    if settings.get("argv"):
        return parameters.arguments(settings["argv"], attempt.resolve)
    path = os.path.join(scratch, ".specc-script")
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(settings["script"])
    shell = settings.get("shell", ["bash", "-euo", "pipefail"])
    return [*shell, path, *parameters.arguments(settings.get("args", []), attempt.resolve)]


def _stdin_path(settings: Mapping[str, Any], scratch: str) -> str:
    given = settings.get("stdin")
    if given is None:
        return os.devnull
    # a file, not a pipe: a program that never reads cannot block the attempt
    path = os.path.join(scratch, ".specc-stdin")
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(given)
    return path


def _environment(attempt: Attempt, settings: Mapping[str, Any], scratch: str) -> Dict[str, str]:
    found = dict(os.environ)
    found.update(
        SPECC_TASK_ID=attempt.task.task_id,
        SPECC_REPETITION=str(attempt.task.repetition),
        SPECC_BUNDLE=str(attempt.bundle),
        SPECC_SCRATCH=scratch,
        SPECC_CODE=_code_folder(attempt),
    )
    for name, path in _inputs(attempt):
        found["SPECC_INPUT_" + parameters.sanitise(name)] = str(path)
    found.update(
        parameters.variables(settings, attempt.resolve, plain_names=bool(settings.get("script")))
    )
    return found


def _inputs(attempt: Attempt) -> Iterator[Tuple[str, Any]]:
    for name in attempt.input_names:
        yield name, attempt.resolve("input:" + name)


def _code_folder(attempt: Attempt) -> str:
    return os.path.join(str(attempt.bundle), "code")


class _Stream(threading.Thread):
    """Reads lines until the last writer has gone: looks for metrics, copies them to the log."""

    def __init__(self, pipe: Any, reader: reading.LineReader, output: int) -> None:
        super().__init__(daemon=True)
        self._pipe = pipe
        self._reader = reader
        self._output = output
        self._moved = 0
        self._writing = False

    def run(self) -> None:
        whole = True
        with self._pipe:
            while True:
                line = self._pipe.readline(reading.LONGEST_LINE + 1)
                if not line:
                    return
                self._writing = True
                if whole:
                    self._reader.line(line)
                # the rest of a line that is too long is no line
                whole = line.endswith(b"\n")
                _write_all(self._output, line)
                self._moved += len(line)
                self._writing = False

    def drain(self) -> None:
        """Wait for all that the program had printed when it ended.

        Descendants may hold the pipe open, in silence or printing on: neither is waited for.
        """
        end = self._moved + _PIPE_BYTES
        while self.is_alive() and self._moved < end:
            before = self._moved
            self.join(DRAIN_S)
            # a log that is taken slowly is no silence
            if self._moved == before and not self._writing:
                return


def _write_all(output: int, data: bytes) -> None:
    try:
        while data:
            data = data[os.write(output, data) :]
    except OSError:
        # a log that is full or closed must not stop the program, nor the reading of its numbers
        return


def _record_process(attempt: Attempt, ended: Ended) -> None:
    # a program inherits the peak of the process that started it, so less than that is not seen
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    peak = ended.usage.ru_maxrss * 1024
    attempt.record(
        "process",
        exit_code=ended.code,
        wall_s=ended.wall_s,
        user_s=ended.usage.ru_utime,
        system_s=ended.usage.ru_stime,
        max_rss_bytes=peak if peak > own else None,
        max_rss_bytes_reason=None if peak > own else f"below the {own} bytes of its parent",
    )


def _check_exit(ended: Ended, success: List[int]) -> None:
    if ended.code in success:
        return
    if ended.code < 0:
        raise TaskError(
            "program",
            f"the program was ended by {limits.signal_name(-ended.code)}",
            "its last lines of output stand beside this",
            evidence={"signal": limits.signal_name(-ended.code)},
        )
    raise TaskError(
        "program",
        f"the program ended with exit code {ended.code}",
        "its last lines of output stand beside this; settings.success can allow further codes",
        evidence={"exit_code": ended.code},
    )


def _record_metric(
    attempt: Attempt, name: str, metric: Mapping[str, Any], found: reading.Reading
) -> None:
    values = found.values or [reading.Value(None, found.reason)]
    for index, value in enumerate(values):
        attempt.record(
            "metric",
            metric=name,
            value=value.number,
            value_reason=value.reason,
            unit=metric["unit"],
            better=metric["better"],
            index=index,
        )


def _check_required(
    declared: Mapping[str, Mapping[str, Any]], found: Mapping[str, reading.Reading]
) -> None:
    missing = [
        f"{name} ({found[name].complaint})"
        for name, metric in declared.items()
        if metric.get("required", True) and found[name].complaint is not None
    ]
    if missing:
        raise TaskError(
            "program",
            "the program did not yield " + ", ".join(missing),
            "compare the pattern or key with its output (files are looked for in $SPECC_SCRATCH), "
            "or set required: false",
        )


def _keep(attempt: Attempt, folder: str, name: str) -> None:
    source = os.path.join(folder, name)
    try:
        shutil.copyfile(source, str(attempt.keep(name)))
    except OSError as error:
        raise TaskError(
            "program",
            f"{name} cannot be kept: {error.strerror or error}",
            "does the program write it into $SPECC_SCRATCH?",
        ) from error
