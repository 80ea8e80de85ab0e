"""Say which segments are read, and remembered, together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from specc.collate.values import TaskResult
from specc_runtime.contract.segments import Segment

BATCH = 64 << 20
"""Small files are read together until they are this long."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A segment, and whose rows it holds."""

    place: int
    """Of the task in the study's list."""
    task_id: str
    segment: Segment


@dataclass(frozen=True, slots=True)
class Batch:
    """What is read, and remembered, together: one long file or several short ones of a run."""

    run: str
    stretches: tuple[Stretch, ...]

    @property
    def bytes(self) -> int:
        return sum(one.segment.bytes for one in self.stretches)


def batches_of(tasks: Sequence[TaskResult], wrong: dict[int, str]) -> list[Batch]:
    """Return what to read, in the order of launches; what overlaps is noted in `wrong`.

    wrong: place of a task -> what is wrong with its segments.
    """
    found: dict[str, dict[str, list[Stretch]]] = {}
    for place, task in enumerate(tasks):
        if task.state == "completed" and task.run_path is not None:
            files = found.setdefault(task.run_path, {})
            for segment in task.segments:
                one = Stretch(place, task.task_id, segment)
                files.setdefault(segment.path(task.run_path), []).append(one)
    batches = []
    for run, files in found.items():
        ordered = sorted(files.values(), key=lambda file: _launch(file[0].segment))
        batches += _grouped(run, [_in_order(file, wrong) for file in ordered])
    return batches


def _in_order(file: Sequence[Stretch], wrong: dict[int, str]) -> list[Stretch]:
    end, kept = 0, []
    for one in sorted(file, key=lambda one: one.segment.offset):
        segment = one.segment
        if segment.offset < end:
            at = f"{segment.launch}/{segment.file}"
            wrong[one.place] = f"{at}: two segments overlap at byte {segment.offset}"
            continue
        end = segment.offset + segment.bytes
        kept.append(one)
    return kept


def _launch(segment: Segment) -> tuple[str, int]:
    shard, _, launch = segment.launch.rpartition("/launch-")
    return shard, int(launch)


def _grouped(run: str, files: Sequence[Sequence[Stretch]]) -> list[Batch]:
    """Put files together, in their order, until they are `BATCH` long."""
    groups: list[list[Stretch]] = []
    size = 0
    for file in files:
        more = sum(one.segment.bytes for one in file)
        if groups and size + more <= BATCH:
            groups[-1].extend(file)
            size += more
        else:
            groups.append(list(file))
            size = more
    return [Batch(run, tuple(group)) for group in groups]
