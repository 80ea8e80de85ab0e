"""Write docs/metrics.md: what every number of a report and an export means.

Generated from the declarations of the kinds, so that no definition is written twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from specc.collate.records.rows import read_rows
from specc.collate.rooms import tables_room
from specc.kinds import KINDS
from specc.kinds.base import Metric, TablesRoom

_HEAD = """# The data dictionary

Generated from the metrics that the kinds declare by `make docs`; do not edit. A report's own
dictionary lists those that its study has, with the descriptions of its spec. A unit stands beside
every number; *better* says which direction a gate takes for progress. How a value, its interval
and its percentiles are made of several runs stands in [report.md](report.md#the-numbers).

## Columns of every data set

`specc export` writes one row for each task.

| column | type | meaning |
|---|---|---|
| `task_id` | text | 16 hex digits; equal work has an equal id in every bundle and run |
| `bundle_id` | text | the sealed bundle it was run from |
| `run_id` | text | which execution of the bundle; empty when it was never run |
| `condition_id` | text | environment, shapes, packing and cluster; only equal ones are compared |
| each axis of the matrix | int, float, bool or text | the point of the task |
| `repetition` | int | from 0 |
| `state` | text | completed, failed, not_run, missing or invalid |
| each metric | float | as below; empty where not measured: `missing` of the metadata says why |
"""


def metrics_page() -> str:
    """Return docs/metrics.md."""
    blocks = [_HEAD]
    for kind in KINDS:
        blocks.append(f"## Kind `{kind}`\n")
        blocks += _table(declared(tables_room(kind)))
    return "\n".join(blocks).rstrip() + "\n"


def declared(room: TablesRoom) -> tuple[Metric, ...]:
    """Return the metrics of a kind: those of every study, then those whose names depend on it."""
    _, records, _ = read_rows((), room.record_columns())
    families: tuple[Metric, ...] = getattr(room, "FAMILIES", ())
    return (*room.metrics((), room.frames(records.all())), *families)


def _table(metrics: Iterable[Metric]) -> Iterator[str]:
    yield "| metric | what | unit | better | definition |"
    yield "|---|---|---|---|---|"
    for one in metrics:
        texts = (one.label, one.unit or "–", one.better, one.definition)
        yield f"| `{one.name}` | " + " | ".join(map(_cell, texts)) + " |"
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
