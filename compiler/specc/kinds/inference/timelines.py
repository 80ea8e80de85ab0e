"""Time series of single runs: every batch and every window, warm-up included and named.

For `specc export`; the numbers of a report are made in `tables.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl


def series(frames: Mapping[str, pl.LazyFrame]) -> Mapping[str, pl.LazyFrame]:
    """Return `latency_ms_per_batch` (batches of all passes) and `throughput_samples_per_s`."""
    milliseconds = [
        (pl.col("duration_ns") / 1e6).alias("latency_ms"),
        (pl.col("device_ns") / 1e6).alias("device_ms"),
    ]
    rate = (pl.col("samples") / pl.col("duration_ns") * 1e9).alias("samples_per_s")
    sizes = ("samples", "tokens", "padded_tokens")
    windows = frames["windows"].filter(pl.col("pass") == "throughput")
    return {
        "latency_ms_per_batch": frames["batches"].select(
            "task", "attempt", "pass", "phase", "index", "t_ns", *milliseconds, *sizes
        ),
        "throughput_samples_per_s": windows.select(
            "task", "attempt", "t_ns", "duration_ns", rate, "batches", *sizes, "stopped_by"
        ),
    }
