"""Check what a shape asks for against a partition of the cluster profile. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from specc.language.units import duration_s, format_duration, format_size, size_bytes
from specc.locking.target import request_for
from specc.model import JobShape, Json, TaskShape
from specc.packing.accelerators import capability_unserved, cuda_version, driver_too_old


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """One thing that a partition cannot give, or that is worth a word."""

    code: str
    asked_by: tuple[str, ...]
    """Fields that may have asked for it, the likeliest first: "job.gpus_per_node"."""
    message: str
    hint: str | None

    @property
    def is_error(self) -> bool:
        return self.code.startswith("E")


Profile = Mapping[str, Json]
Partition = Mapping[str, Json]


def complaints(
    task: TaskShape, job: JobShape, environment: Mapping[str, Json], partition: Partition
) -> tuple[Complaint, ...]:
    """Return what speaks against running a shape in a partition."""
    return (
        *_sizes(task, job, partition),
        *_time(job, partition),
        *_access(job, partition),
        *_software(job, environment, partition),
    )


def choose_partition(
    profile: Profile, task: TaskShape, job: JobShape, environment: Mapping[str, Json]
) -> tuple[Partition | None, tuple[Complaint, ...]]:
    """Return the partition for a shape and what speaks against it.

    The one the job names; else the profile's default if it fits, else the first that fits, else
    the one with the fewest objections. None when the job names one that does not exist.
    """
    partitions = profile["partitions"]
    if job.partition is not None:
        chosen = next((p for p in partitions if p["name"] == job.partition), None)
        if chosen is None:
            return None, ()
        found = complaints(task, job, environment, chosen)
    else:
        ranked = sorted(partitions, key=lambda partition: not partition["default"])
        judged = [(p, complaints(task, job, environment, p)) for p in ranked]
        chosen, found = min(judged, key=lambda pair: _distance(job, *pair))
    return chosen, (*found, *_c_library(profile, environment))


def _distance(
    job: JobShape, partition: Partition, found: tuple[Complaint, ...]
) -> tuple[int, bool]:
    """Rank by objections; among equals, a job with GPUs belongs where there are some."""
    without_gpus = job.gpus_per_node > 0 and partition["gpus_per_node"] == 0
    return sum(each.is_error for each in found), without_gpus


def longest_s(partition: Partition | None) -> float | None:
    """Return the longest time limit a partition allows [s]; None where nothing is known."""
    longest = (partition or {}).get("max_time")
    return duration_s(longest) if longest else None


def _sizes(task: TaskShape, job: JobShape, partition: Partition) -> Iterator[Complaint]:
    name, gpu = partition["name"], partition.get("gpu") or {}
    if job.nodes > partition["nodes"]:
        offered = _count(partition["nodes"], "node")
        message = f"partition {name} has {offered}; this job asks for {job.nodes}"
        yield _error("E306", ("job.nodes", "task.nodes"), message, "ask for fewer nodes")
    if job.gpus_per_node > partition["gpus_per_node"]:
        yield _error(
            "E302",
            ("job.gpus_per_node", "task.gpus"),
            f"partition {name} has {_count(partition['gpus_per_node'], 'GPU')} per node;"
            f" this job asks for {job.gpus_per_node}",
            "ask for fewer GPUs per node, or choose another partition",
        )
    cores = job.cpus_per_node or task.cpus * task.processes_per_node
    if cores > partition["cores_per_node"]:
        yield _error(
            "E303",
            ("job.cpus_per_node", "task.cpus"),
            f"partition {name} has {_count(partition['cores_per_node'], 'core')} per node;"
            f" this job asks for {cores}",
            "ask for fewer cores, or choose another partition",
        )
    memory = job.memory_bytes or task.memory_bytes
    has_memory = partition.get("memory_per_node")
    if memory and has_memory and memory > size_bytes(has_memory):
        yield _error(
            "E304",
            ("job.memory", "task.memory"),
            f"partition {name} has {has_memory} per node; this job asks for {format_size(memory)}",
            "ask for less memory, or run fewer tasks side by side",
        )
    gpu_memory = gpu.get("memory")
    if task.gpu_memory_bytes and gpu_memory and task.gpu_memory_bytes > size_bytes(gpu_memory):
        yield _error(
            "E307",
            ("task.gpu_memory",),
            f"a GPU of partition {name} ({gpu['type']}) has {gpu_memory};"
            f" this task asks for {format_size(task.gpu_memory_bytes)}",
            "choose a partition with larger GPUs, or make the task smaller",
        )


def _time(job: JobShape, partition: Partition) -> Iterator[Complaint]:
    longest = longest_s(partition)
    if longest is not None and job.time_limit_s > longest:
        yield _error(
            "E305",
            ("job.time_limit",),
            f"partition {partition['name']} ends jobs after {format_duration(longest)};"
            f" this job asks for {format_duration(job.time_limit_s)}",
            f"ask for at most {partition['max_time']}; more and shorter jobs do the same work",
        )
    running = partition.get("max_running")
    if running and job.max_running and job.max_running > running:
        yield Complaint(
            code="W304",
            asked_by=("job.max_running",),
            message=f"partition {partition['name']} runs at most {running} jobs of one user;"
            f" max_running asks for {job.max_running}",
            hint=None,
        )


def _access(job: JobShape, partition: Partition) -> Iterator[Complaint]:
    given = dict(job.sbatch)
    for option, needed, code in (
        ("account", partition["account_required"], "W302"),
        ("qos", partition["qos_required"], "W303"),
    ):
        if needed and option not in given:
            yield Complaint(
                code=code,
                asked_by=(f"job.sbatch.{option}", "job.sbatch"),
                message=f"partition {partition['name']} needs {_an(option)}; the spec names none",
                hint=f"set SBATCH_{option.upper()} when you submit, or job.sbatch.{option}",
            )
    features = set(partition["features"])
    if features and "constraint" in given:
        for wanted in re.findall(r"[A-Za-z0-9_.-]*[A-Za-z_.-][A-Za-z0-9_.-]*", given["constraint"]):
            if wanted not in features:
                known = ", ".join(sorted(features))
                message = f"partition {partition['name']} has no feature '{wanted}'"
                yield _error("E316", ("job.sbatch.constraint",), message, f"features: {known}")


def _software(
    job: JobShape, environment: Mapping[str, Json], partition: Partition
) -> Iterator[Complaint]:
    accelerator = environment.get("accelerator") or "cpu"
    gpu = partition.get("gpu") or {}
    if not job.gpus_per_node:
        return
    if cuda_version(accelerator) is None:
        return
    if gpu.get("driver") and (needed := driver_too_old(accelerator, gpu["driver"])):
        yield _error(
            "E313",
            ("environment.accelerator",),
            f"{accelerator} packages need driver {needed} or newer;"
            f" partition {partition['name']} has {gpu['driver']}",
            "choose packages for an older CUDA version",
        )
    capability = gpu.get("compute_capability")
    if capability and (reason := capability_unserved(accelerator, capability)):
        yield _error(
            "E314",
            ("environment.accelerator",),
            f"{accelerator} packages do not run on {gpu['type']}: {reason}",
            "choose packages for another CUDA version",
        )


def _c_library(profile: Profile, environment: Mapping[str, Json]) -> Iterator[Complaint]:
    """Compare the wheels' glibc with that of the nodes; an image brings its own."""
    request = request_for(dict(environment))
    needs = re.search(r"-manylinux_2_([0-9]+)$", request.platform)
    has = profile.get("glibc")
    if not has or not needs or not request.requirements or request.mode != "wheelhouse":
        return
    machine, minor = request.platform.partition("-")[0], has.partition(".")[2]
    if int(minor) < int(needs[1]):
        yield _error(
            "E315",
            ("environment.platform", "environment.requirements"),
            f"wheels for {request.platform} need glibc 2.{needs[1]};"
            f" the nodes of {profile['name']} have {has}",
            f"write platform: {machine}-manylinux_2_{minor} and lock again, or use mode: container",
        )


def _error(code: str, asked_by: tuple[str, ...], message: str, hint: str) -> Complaint:
    return Complaint(code=code, asked_by=asked_by, message=message, hint=hint)


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def _an(option: str) -> str:
    return "an account" if option == "account" else "a quality of service (qos)"
