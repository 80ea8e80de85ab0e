"""What a study cost: time of its jobs, GPUs and cores times hours, attempts and how many failed.

Pure. A job's time is that of its launch, by the clock of its node; of a launch without an end it
is the time up to its last word. Time in a queue is not counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from specc.collate.finding.attempts import TaskAttempt
from specc.collate.finding.read import Found
from specc.model import Json
from specc_runtime.contract.runs import LaunchState

_NO_CORES = "the jobs did not say how many cores they asked for"
_NO_END = "no attempt has ended yet"
_NO_USAGE = "not recorded by the runtime that ran it"


@dataclass(frozen=True, slots=True)
class _Job:
    hours: float
    cut_off: bool
    gpus: int
    """On all of its nodes."""
    cores: int | None


def spent(found: Found, attempts: Sequence[TaskAttempt]) -> dict[str, Json]:
    """Return the summary's `spent`; a null has its reason in `reasons`.

    `gpu_hours` and `core_hours` are what jobs held, used or not; `cpu_hours` what attempts used.
    """
    jobs = list(_jobs(found))
    ended = [one.state for one in attempts if one.state.outcome != "running"]
    failed = sum(one.outcome != "completed" for one in ended)
    used = [one.usage for one in ended if one.usage is not None]
    cores = [(job.hours, job.cores) for job in jobs]
    values = {
        "launches": len(jobs),
        "cut_off": sum(job.cut_off for job in jobs),
        "job_hours": sum(job.hours for job in jobs),
        "gpu_hours": sum(job.hours * job.gpus for job in jobs),
        "core_hours": None
        if any(width is None for _, width in cores)
        else sum(hours * (width or 0) for hours, width in cores),
        "attempts": len(ended),
        "failed_attempts": failed,
        "failed_attempts_pct": 100 * failed / len(ended) if ended else None,
        "attempt_hours": sum(one.duration_s or 0.0 for one in ended) / 3600,
        "cpu_hours": sum(one["user_s"] + one["system_s"] for one in used) / 3600 if used else None,
    }
    reasons = {
        "core_hours": _NO_CORES,
        "failed_attempts_pct": _NO_END,
        "cpu_hours": _NO_USAGE if ended else _NO_END,
    }
    return {**values, "reasons": {k: why for k, why in reasons.items() if values[k] is None}}


def _jobs(found: Found) -> Iterator[_Job]:
    """Yield every launch that said where it ran."""
    for run in found.runs:
        shapes = {shape["name"]: shape["job"] for shape in run.source.manifest["shapes"]}
        for launch in run.launches:
            job = shapes.get((launch.info or {}).get("shape", ""))
            if launch.info is not None and job is not None:
                nodes, cores = job["nodes"], job["cpus_per_node"]
                yield _Job(
                    hours=_seconds(launch, launch.info) / 3600,
                    cut_off=launch.ended is None,
                    gpus=nodes * job["gpus_per_node"],
                    cores=None if cores is None else nodes * cores,
                )


def _seconds(launch: LaunchState, info: Mapping[str, Json]) -> float:
    anchor = info.get("anchor")
    if launch.ended is not None and anchor is not None:
        # its own monotonic clock, which nobody sets
        return max(0.0, float(launch.ended["t_ns"] - anchor["t_ns"]) / 1e9)
    if launch.last_epoch_ns is None:
        return 0.0
    return max(0.0, float(launch.last_epoch_ns - info["started_epoch_ns"]) / 1e9)
