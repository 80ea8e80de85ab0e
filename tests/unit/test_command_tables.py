"""What the tables of commands say of a process whose numbers are missing."""

from __future__ import annotations

from typing import Any

import polars as pl

from specc.kinds.command import tables

PROCESS = {"task": 0, "attempt": 1, "t_ns": 1, "type": "process", "exit_code": 0, "wall_s": 2.0}


def measured(**fields: Any) -> dict[str, tuple[float | None, str | None]]:
    keys = {"task": pl.Int64, "attempt": pl.Int64, "t_ns": pl.Int64, "type": pl.String}
    schema = {**keys, **tables.record_columns()}
    frames = tables.frames(pl.DataFrame([{**PROCESS, **fields}], schema=schema))
    return {each.metric: (each.value, each.reason) for each in tables.measurements(frames)}


def test_missing_peak_memory_carries_the_reason_of_the_record() -> None:
    reason = "below the 31 MiB of the process that started it"
    found = measured(user_s=1.0, system_s=0.5, max_rss_bytes_reason=reason)
    assert found["process.max_rss_bytes"] == (None, reason)
    assert found["process.cpu_s"] == (1.5, None)


def test_numbers_missing_without_a_reason_say_so() -> None:
    assert measured()["process.cpu_s"] == (None, "not measured on this machine")
