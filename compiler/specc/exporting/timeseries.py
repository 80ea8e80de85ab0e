"""Cut time series into one file for each run of a task.

Pure. Which series there are is the kind's to say, by `ExportRoom.series`. One file's text is in
memory at a time, and the rows of some tasks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import polars as pl

from specc.collate.values import TaskResult
from specc.exporting.csv_text import every_digit
from specc.kinds.sentences import file_name

FOLDER = "timeseries"


def series_files(
    tasks: Sequence[TaskResult], series: Iterable[Mapping[str, pl.LazyFrame]]
) -> Iterator[tuple[str, str]]:
    """Yield path and text of each series of each task, a task's rows in their order.

    series: by name, of some tasks at a time; of those all of their rows.
    """
    stems = _stems(tasks)
    for each in series:
        for name, lazy in each.items():
            frame = lazy.collect()
            for (task,), rows in frame.group_by("task", maintain_order=True):
                text = every_digit(rows.drop("task"))
                yield f"{FOLDER}/{stems[int(str(task))]}_{file_name(name)}.csv", text


def _stems(tasks: Sequence[TaskResult]) -> list[str]:
    """Return the start of each task's file names: its id, with more where two runs have it."""
    forms = [
        [task.task_id for task in tasks],
        [f"{task.task_id}_{task.run_id}" for task in tasks],
        [f"{task.task_id}_{task.run_id}_{task.bundle_id}" for task in tasks],
        [f"{t.task_id}_{t.run_id}_{t.bundle_id}_{t.condition_id}" for t in tasks],
    ]
    counts = [Counter(form) for form in forms]
    return [
        next((form[at] for form, count in zip(forms, counts, strict=True) if count[form[at]] == 1),
             forms[-1][at])
        for at in range(len(tasks))
    ]  # fmt: skip
