"""What speaks against a time of inference: others on the machine, slow clocks, too little time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from specc.kinds.base import Window

_HARMLESS = frozenset({"none", "gpu_idle", "applications_clocks_setting"})
"""Clock reasons of a GPU that waits or does as it was told; not a disturbance."""


def windows(frames: Mapping[str, pl.LazyFrame]) -> Iterator[Window]:
    """Yield each pass; its CPU time is at most that of all threads of torch, and of one more."""
    threads = {
        row["task"]: row["threads"] + row["interop_threads"] + 1
        for row in frames["models"].collect().iter_rows(named=True)
        if row["threads"] is not None and row["interop_threads"] is not None
    }
    seen = frames["memory"].filter(pl.col("nvml_process_bytes").is_not_null())
    on_gpu = set(seen.select("task").collect()["task"].to_list())
    columns = ("task", "attempt", "t_ns", "duration_ns")
    timed = frames["windows"].select(columns).collect()
    for task, attempt, t_ns, duration_ns in timed.iter_rows():
        most = threads.get(task)
        yield Window(
            task=task,
            attempt=attempt,
            start_ns=t_ns - duration_ns,
            end_ns=t_ns,
            cpu_s=None if most is None else most * duration_ns / 1e9,
            own_on_gpu=task in on_gpu,
        )


def held_against(frames: Mapping[str, pl.LazyFrame]) -> dict[int, tuple[tuple[str, str], ...]]:
    """Return for each task what else used its machine, slowed it down, or cut it short."""
    windows = frames["windows"].select("task", "throttle", "stopped_by").collect()
    attempts = frames["attempts"].select("task", "neighbours").collect()
    held: dict[int, tuple[tuple[str, str], ...]] = {}
    for task, neighbours in attempts.iter_rows():
        if neighbours:
            reason = f"{len(neighbours)} other tasks ran on the node"
            held[task] = (*held.get(task, ()), ("CONTAMINATED", reason))
    for task, throttle, stop in windows.iter_rows():
        warnings = [("CONTAMINATED", reason) for reason in _throttled(throttle or {})]
        if stop == "cap":
            warnings.append(("TOO_FEW", "a pass reached its maximum before both of its minima"))
        held[task] = tuple(dict.fromkeys((*held.get(task, ()), *warnings)))
    return held


def _throttled(throttle: Mapping[str, Any]) -> Iterator[str]:
    """Yield what slowed the machine down within a window."""
    if any(throttle.get(name) for name in ("core_throttles", "package_throttles")):
        yield "the CPU was throttled for heat"
    if serious := sorted(set(throttle.get("gpu_reasons") or ()) - _HARMLESS):
        yield f"the GPU lowered its clocks: {', '.join(serious)}"
