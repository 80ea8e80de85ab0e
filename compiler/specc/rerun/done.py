"""Tell which tasks earlier results have completed, so that a grown study runs the others only.

A door: reads bundles and results as collate does. A task counts by its id: the same work.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from specc.collate.finding.lineage import lineage_of, newest
from specc.collate.finding.read import read
from specc.collate.pipeline import settle
from specc.collate.values import ResultsInvalid
from specc.matrix.identity import conditions
from specc.model import Expansion, Json, Plan
from specc.problems import Problem, warning
from specc.rerun.history import journals_sha256

_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class DoneTask:
    """Where a task was completed."""

    bundle_id: str
    run_id: str
    condition_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grown:
    """What a study has already."""

    parent_bundle_id: str
    """The bundle that the next one continues, so that collate merges the two."""
    done: Mapping[str, DoneTask]
    """By task id."""
    origins: tuple[Mapping[str, Json], ...]
    """Which results this rests on, by hash of their journals."""

    def leave_out(self, expansion: Expansion) -> Expansion:
        """Return the tasks with those that are done kept in the matrix, but not run."""
        return replace(
            expansion,
            tasks=tuple(
                replace(task, not_run=f"done in {found.bundle_id} run {found.run_id}")
                if task.not_run is None and (found := self.done.get(task.task_id)) is not None
                else task
                for task in expansion.tasks
            ),
        )

    def other_conditions(self, plan: Plan) -> Iterator[Problem]:
        """Yield a warning where tasks were done under another condition than the rest will be.

        plan: of all tasks, as if none were done.
        """
        now = conditions(plan)
        moved = [
            task_id
            for task_id, condition in now.items()
            if task_id in self.done and self.done[task_id].condition_id != condition
        ]
        if moved:
            yield warning(
                "W322",
                f"{len(moved)} tasks were done under another condition (environment, resources or"
                f" cluster) than this spec gives them: {', '.join(moved[:_MOST_NAMED])}",
                mark=None,
                hint="collate keeps such numbers apart; leave --skip-done out to measure them anew",
            )


def read_done(paths: Sequence[Path]) -> Grown:
    """Read what bundles and results of one study have completed. Raises ResultsInvalid."""
    found = read(paths)
    lines = sorted({lineage_of(source, found.sources) for source in found.sources})
    if len(lines) > 1:
        raise ResultsInvalid(
            f"these are results of {len(lines)} studies: {', '.join(lines)}",
            hint="a bundle continues one; give the bundles of one study",
        )
    done: dict[str, DoneTask] = {}
    for task in settle(found)[0]:
        if task.state == "completed":
            where = DoneTask(task.bundle_id, task.run_id, task.condition_id)
            done.setdefault(task.task_id, where)
    return Grown(
        parent_bundle_id=newest(found.sources).bundle_id,
        done=done,
        origins=tuple(
            {
                "bundle_id": run.source.bundle_id,
                "run_id": run.run_id,
                "journals_sha256": journals_sha256(run),
            }
            for run in found.runs
        ),
    )
