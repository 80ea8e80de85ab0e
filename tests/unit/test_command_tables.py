"""What the tables of commands say of a process whose numbers are missing."""

from __future__ import annotations

from typing import Any

import polars as pl

from specc.collate.records.rows import CORE
from specc.kinds.command import tables

PROCESS = {"task": 0, "attempt": 1, "t_ns": 1, "type": "process", "exit_code": 0, "wall_s": 2.0}


def measured(**fields: Any) -> dict[str, tuple[float | None, str | None]]:
    return of_ranks({**PROCESS, **fields})


def of_ranks(*rows: dict[str, Any]) -> dict[str, tuple[float | None, str | None]]:
    schema = {"task": pl.Int64, **CORE, **tables.record_columns()}
    frames = tables.frames(pl.LazyFrame(rows, schema=schema))
    return {each.metric: (each.value, each.reason) for each in tables.measurements(frames)}


def test_missing_peak_memory_carries_the_reason_of_the_record() -> None:
    reason = "below the 31 MiB of the process that started it"
    found = measured(user_s=1.0, system_s=0.5, max_rss_bytes_reason=reason)
    assert found["process.max_rss_bytes"] == (None, reason)
    assert found["process.cpu_s"] == (1.5, None)


def test_numbers_missing_without_a_reason_say_so() -> None:
    assert measured()["process.cpu_s"] == (None, "not measured on this machine")


def test_a_task_of_two_ranks_took_the_longest_time_all_cpu_time_and_the_largest_memory() -> None:
    first = {**PROCESS, "rank": 0, "user_s": 1.0, "system_s": 0.5, "max_rss_bytes": 70}
    second = {**first, "rank": 1, "wall_s": 3.0, "user_s": 2.0, "max_rss_bytes": 60}
    assert of_ranks(first, second) == {
        "process.wall_s": (3.0, None),
        "process.cpu_s": (4.0, None),
        "process.max_rss_bytes": (70, None),
    }


def test_cpu_time_that_one_rank_did_not_measure_is_not_known_of_the_task() -> None:
    first = {**PROCESS, "rank": 0, "user_s": 1.0, "system_s": 0.5}
    assert of_ranks(first, {**PROCESS, "rank": 1})["process.cpu_s"][0] is None


def test_a_metric_is_defined_as_its_spec_does() -> None:
    declared = {"unit": "ms", "better": "lower", "definition": "time to the last byte"}
    rows: list[dict[str, Any]] = []
    schema = {"task": pl.Int64, **CORE, **tables.record_columns()}
    frames = tables.frames(pl.LazyFrame(rows, schema=schema))
    first = tables.metrics([{"metrics": {"latency_ms": declared}}], frames)[0]
    assert first.definition == "time to the last byte."
