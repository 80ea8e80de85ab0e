"""Find what a task printed: which stretch of which file belongs to which of its attempts.

Reads a run's folder, on the cluster or in a copy. Attempts of a slot share one output file; the
journal says where each stands, and in journals that don't, its title line does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from specc.model import Json
from specc.problems import BundleInvalid, SpeccError
from specc.watching.find import Target
from specc.watching.queue import array_of
from specc_runtime.contract.fields import Damage
from specc_runtime.contract.runs import AttemptState, LaunchState, RunState, TaskState, fold
from specc_runtime.contract.tasks import TaskRow, read_tasks

_TITLE = re.compile(rb"== task ([0-9a-f]{16}) attempt ([0-9]+)\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Part of a file that belongs to one attempt."""

    path: Path
    start: int
    end: int

    def text(self) -> str:
        """Return what stands there, without its title line."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.start)
                data = file.read(self.end - self.start)
        except OSError as error:
            return f"({self.path}: {error.strerror})\n"
        title = _TITLE.match(data)
        return data[title.end() if title else 0 :].decode("utf-8", "replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLog:
    """One attempt of one task, and what it printed."""

    task: TaskState
    row: TaskRow
    attempt: AttemptState
    launch: LaunchState
    outputs: tuple[Stretch, ...]
    """What it printed; of a task wider than one process also what each further rank did."""
    job_log: Path | None
    """slurm-<array>_<element>.out, where it can be found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run with its task table."""

    target: Target
    rows: Mapping[str, TaskRow]
    state: RunState

    def chosen(self, selectors: Sequence[str]) -> tuple[TaskState, ...]:
        """Return the tasks that all selectors fit: starts of ids, and axis=value."""
        return tuple(
            self.state.tasks[row.task_id]
            for row in self.rows.values()
            if all(_fits(row, selector) for selector in selectors)
        )

    def failed(self) -> tuple[TaskState, ...]:
        """Return the tasks that failed, in the order of the task table."""
        return tuple(task for task in self.state.tasks.values() if task.state == "failed")

    def logs(self, task: TaskState, *, number: int | None = None) -> tuple[AttemptLog, ...]:
        """Return the attempts of a task, or the one of that number."""
        launches = {launch.folder.launch: launch for launch in self.state.launches}
        return tuple(
            self._log(task, attempt, launches[attempt.launch])
            for attempt in task.attempts
            if number is None or attempt.attempt == number
        )

    def _log(self, task: TaskState, attempt: AttemptState, launch: LaunchState) -> AttemptLog:
        folder = Path(launch.folder.path)
        own = folder / f"output.{attempt.slot}.log"
        found = {own: _stretch(own, task.task_id, attempt)}
        for path in sorted(folder.glob(f"output.{attempt.slot}.rank*.log")):
            found[path] = by_title(path, task.task_id, attempt.attempt)
        return AttemptLog(
            task=task,
            row=self.rows[task.task_id],
            attempt=attempt,
            launch=launch,
            outputs=tuple(
                Stretch(path=path, start=place[0], end=place[1])
                for path, place in found.items()
                if place is not None
            ),
            job_log=_job_log(self.target, launch),
        )


def read_run(wanted: Target) -> Run:
    """Read a run. Raises BundleInvalid."""
    try:
        rows = read_tasks(wanted.bundle)
        state = fold(wanted.folder, rows, check=False, go_on=True)
    except (Damage, OSError) as damage:
        raise BundleInvalid(str(damage)) from damage
    return Run(target=wanted, rows={row.task_id: row for row in rows}, state=state)


def require_tasks(run: Run, selectors: Sequence[str]) -> tuple[TaskState, ...]:
    """Return the tasks that are meant. Raises SpeccError when no task fits."""
    found = run.chosen(selectors)
    if not found:
        names = ", ".join(next(iter(run.rows.values())).axes) if run.rows else ""
        raise SpeccError(
            f"no task of {run.target.bundle_id} fits {' '.join(selectors)}",
            hint=f"give the start of a task id, or axis=value with an axis of: {names}",
        )
    return found


def _fits(row: TaskRow, selector: str) -> bool:
    name, equals, value = selector.partition("=")
    if not equals:
        return row.task_id.startswith(selector)
    if name == "repetition":
        return str(row.repetition) == value
    return name in row.axes and _shown(row.axes[name]) == value


def _shown(value: Json) -> str:
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def _stretch(output: Path, task_id: str, attempt: AttemptState) -> tuple[int, int] | None:
    """Return where an attempt's text stands in its slot's file, title included; None for nothing.

    The end of one that still runs is the file's, and moves.
    """
    told = attempt.output
    if told is None:
        return by_title(output, task_id, attempt.attempt)
    size = output.stat().st_size if output.is_file() else 0
    if attempt.outcome in ("completed", "failed") and not (attempt.failure or {}).get("derived"):
        size = int(told["offset"]) + int(told["bytes"])
    return (int(told["offset"]), size) if size > told["offset"] else None


def by_title(output: Path, task_id: str, number: int) -> tuple[int, int] | None:
    """Find an attempt's text by the title lines in a file; None when it is not there."""
    try:
        data = output.read_bytes()
    except OSError:
        return None
    titles = list(_TITLE.finditer(data))
    ends = [*(title.start() for title in titles[1:]), len(data)]
    for title, end in zip(titles, ends, strict=False):
        if (title.group(1).decode(), int(title.group(2))) == (task_id, number):
            return title.start(), end
    return None


def _job_log(wanted: Target, launch: LaunchState) -> Path | None:
    slurm = launch.info["slurm"] if launch.info is not None else {}
    element = array_of(slurm)
    if element is None:
        return None
    name = f"slurm-{element[0]}_{element[1]}.out"
    places = (wanted.bundle, Path(slurm.get("SLURM_SUBMIT_DIR", wanted.bundle)))
    return next((place / name for place in places if (place / name).is_file()), None)


def follow(wanted: Target, task_id: str) -> Iterator[str]:
    """Yield what a task prints, piece by piece, until it ends; empty pieces while it is silent."""
    shown: dict[tuple[int, Path], int] = {}
    while True:
        run = read_run(wanted)
        task = run.state.tasks[task_id]
        for log in run.logs(task):
            for stretch in log.outputs:
                key = (log.attempt.attempt, stretch.path)
                text = stretch.text()
                yield text[shown.get(key, 0) :]
                shown[key] = len(text)
        if task.state != "running":
            return
        yield ""
