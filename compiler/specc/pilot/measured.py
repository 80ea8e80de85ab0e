"""Hold what each job shape asked for against what its attempts used. Pure.

Every number of an attempt comes from its journal (duration, peak memory, CPU time); those of a job
and of its GPUs from hardware.jsonl. What was not measured is None and has its reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from specc.analysis.percentiles import describe
from specc.collate.evidence.hardware import Samples
from specc.collate.finding.read import Found, Run
from specc.collate.values import Source
from specc.model import Json
from specc_runtime.contract.runs import AttemptState

OOM = ("oom_host", "oom_gpu")
LEAST_S = 5.0
"""Shorter attempts are mostly start and end, and say little of the cores at work."""
NO_END = "no attempt has ended yet"
OLD = "not recorded by the runtime that ran it"
SUMMED = "known of all processes of a task together, not of each"


@dataclass
class _Seen:
    """What one shape's attempts and launches left behind."""

    attempts: list[AttemptState] = field(default_factory=list)
    tasks: int = 0
    launches: dict[tuple[str, str], int] = field(default_factory=dict)
    """(run's folder, launch) -> attempts in it."""
    gpu_bytes: dict[str, int] = field(default_factory=dict)
    """GPU's uuid -> its memory."""


def shapes_used(found: Found, samples: Mapping[tuple[str, str], Samples]) -> list[dict[str, Json]]:
    """Return one row for each shape of each bundle: `asked`, `used`, and `reasons` for gaps.

    samples: of `read_samples`.
    """
    rows = []
    for source in found.sources:
        runs = [run for run in found.runs if run.source is source]
        for shape in source.manifest["shapes"]:
            rows.append(_row(source, shape, _seen(source, shape["name"], runs), samples))
    return rows


def _seen(source: Source, shape: str, runs: Iterable[Run]) -> _Seen:
    mine = [row.task_id for row in source.tasks if row.shape == shape]
    seen = _Seen(tasks=len(mine))
    for run in runs:
        for task_id in mine:
            for attempt in run.tasks[task_id].attempts:
                key = (run.path, attempt.launch)
                seen.launches[key] = seen.launches.get(key, 0) + 1
                if attempt.duration_s is not None:
                    seen.attempts.append(attempt)
        for launch in run.launches:
            if (run.path, launch.folder.launch) in seen.launches and launch.info is not None:
                for gpu in launch.info["hardware"].get("gpus") or ():
                    if gpu.get("uuid") and isinstance(gpu.get("memory_bytes"), int):
                        seen.gpu_bytes[gpu["uuid"]] = int(gpu["memory_bytes"])
    return seen


def _row(
    source: Source,
    shape: Mapping[str, Json],
    seen: _Seen,
    samples: Mapping[tuple[str, str], Samples],
) -> dict[str, Json]:
    task, job = shape["task"], shape["job"]
    reasons: dict[str, str] = {}
    used: dict[str, Json] = {
        **_time(seen.attempts, reasons),
        **_memory(shape, seen, samples, reasons),
        **_cores(task, seen.attempts, reasons),
        **_gpus(shape, seen, samples, reasons),
    }
    failures = [a.failure["category"] for a in seen.attempts if a.failure is not None]
    return {
        "bundle_id": source.bundle_id,
        "shape": shape["name"],
        "tasks": seen.tasks,
        "attempts": len(seen.attempts),
        "failed": len(failures),
        "oom": sum(category in OOM for category in failures),
        "slots": shape["slots"],
        "asked": {
            "gpus": task["gpus"],
            "gpu_memory_bytes": task["gpu_memory_bytes"],
            "cpus": task["cpus"],
            "memory_bytes": task["memory_bytes"],
            "estimate_s": task["estimate_s"],
            "time_limit_s": task["time_limit_s"],
            "job_memory_bytes": job["memory_bytes"],
            "job_time_limit_s": job["time_limit_s"],
        },
        "used": used,
        "reasons": {name: why for name, why in reasons.items() if used[name] is None},
    }


def _time(attempts: Sequence[AttemptState], reasons: dict[str, str]) -> dict[str, Json]:
    """Return durations of completed attempts [s]: one that was stopped says less than it needs."""
    durations = [a.duration_s for a in attempts if a.outcome == "completed" and a.duration_s]
    sample = describe(durations)
    for name in ("p50", "p95"):
        reasons[f"duration_{name}_s"] = sample.refused.get(name, "")
    reasons["duration_max_s"] = NO_END if not attempts else "no attempt was completed"
    return {
        "duration_p50_s": sample.percentiles["p50"],
        "duration_p95_s": sample.percentiles["p95"],
        "duration_max_s": sample.max,
    }


def _memory(
    shape: Mapping[str, Json],
    seen: _Seen,
    samples: Mapping[tuple[str, str], Samples],
    reasons: dict[str, str],
) -> dict[str, Json]:
    """Return peaks [B]: of one process, of a whole job, and of one task as the larger view of both.

    A job's memory is that of the pool and all descendants, sampled; the share of one task is that
    sum by the attempts that could run at once. Of a task with several processes the peak is the sum
    of them on its fullest node, as its leader told it: what `task.memory` asks for on each.
    """
    wide = _processes(shape["task"]) > 1
    peaks = [
        a.usage["max_rss_bytes"]
        for a in seen.attempts
        # a leader that was killed told nothing of the others
        if a.usage is not None and not (wide and a.outcome != "completed")
    ]
    job, shares = [], []
    for key, attempts in seen.launches.items():
        if key in samples:
            sums = [value for value in samples[key].rss_bytes if value is not None]
            job += sums
            shares += [math.ceil(value / min(shape["slots"], attempts)) for value in sums]
    reasons["process_rss_bytes"] = OLD if seen.attempts else NO_END
    reasons["job_rss_bytes"] = "no sample of the job's memory"
    reasons["memory_bytes"] = reasons["process_rss_bytes"]
    if wide and peaks:
        reasons["process_rss_bytes"] = SUMMED
    # without a word of the leader, the first node alone may be the emptiest
    known = (*peaks, *shares) if peaks or not wide else ()
    return {
        "process_rss_bytes": None if wide else max(peaks, default=None),
        "job_rss_bytes": max(job, default=None),
        "memory_bytes": max(known, default=None),
    }


def _processes(task: Mapping[str, Json]) -> int:
    return int(task["nodes"] * task["processes_per_node"])


def _cores(
    task: Mapping[str, Json], attempts: Sequence[AttemptState], reasons: dict[str, str]
) -> dict[str, Json]:
    """Return cores in use while an attempt ran: CPU time over wall time, mean and largest.

    Of a task with several processes, those of one of them; the busiest of them is not known.
    """
    processes = _processes(task)
    cores = [
        (a.usage["user_s"] + a.usage["system_s"]) / a.duration_s / processes
        for a in attempts
        if a.usage is not None and (a.duration_s or 0) >= LEAST_S and a.outcome == "completed"
    ]
    known = any(a.usage is not None for a in attempts)
    for name in ("cores_mean", "cores_max"):
        short = f"no attempt took {LEAST_S:g} s" if known else OLD
        reasons[name] = short if attempts else NO_END
    if processes > 1 and cores:
        reasons["cores_max"] = SUMMED
    return {
        "cores_mean": math.fsum(cores) / len(cores) if cores else None,
        "cores_max": max(cores, default=None) if processes == 1 else None,
    }


def _gpus(
    shape: Mapping[str, Json],
    seen: _Seen,
    samples: Mapping[tuple[str, str], Samples],
    reasons: dict[str, str],
) -> dict[str, Json]:
    """Return what the GPUs of the jobs did: peak of one GPU's memory [B], mean utilisation [%].

    The mean is over the time from a GPU's first to its last sign of work; idle GPUs don't count.
    """
    names = ("gpu_memory_bytes", "gpu_total_bytes", "gpu_util_pct", "gpu_task_memory_bytes")
    without = not shape["task"]["gpus"]
    reasons |= dict.fromkeys(names, "asks for no GPU" if without else "no sample of a GPU")
    if without:
        return dict.fromkeys(names)
    here = [samples[key] for key in seen.launches if key in samples]
    rows = [gpu for each in here for row in each.gpus for gpu in row]
    peak = max((r["memory_used_bytes"] for r in rows if r.get("memory_used_bytes")), default=None)
    busy = [value for each in here for value in _working(each)]
    beside = max((len(a.neighbours) + 1 for a in seen.attempts), default=1)
    on_one = min(beside, max(1, math.floor(1 / shape["task"]["gpus"] + 1e-9)))
    return {
        "gpu_memory_bytes": peak,
        "gpu_total_bytes": min(seen.gpu_bytes.values(), default=None),
        "gpu_util_pct": math.fsum(busy) / len(busy) if busy else None,
        # tasks that share a GPU share its peak
        "gpu_task_memory_bytes": None if peak is None else math.ceil(peak / on_one),
    }


def _working(samples: Samples) -> Iterator[float]:
    """Yield the utilisation of each GPU of a launch from its first to its last sign of work."""
    by_gpu: dict[str, list[float]] = {}
    for row in samples.gpus:
        for gpu in row:
            if gpu.get("util_pct") is not None:
                by_gpu.setdefault(gpu["uuid"], []).append(gpu["util_pct"])
    for values in by_gpu.values():
        signs = [place for place, value in enumerate(values) if value > 0]
        if signs:
            yield from values[signs[0] : signs[-1] + 1]
