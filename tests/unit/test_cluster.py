"""Partitions: which one is chosen, what it refuses, and which CUDA builds its GPUs run."""

from __future__ import annotations

import pytest
from studies import a_study, plan

from specc.packing.accelerators import capability_unserved, cuda_version, driver_too_old
from specc.problems import SpecInvalid

CLUSTER = """cluster:
  name: tiny
  partitions:
    - {name: small, nodes: 2, cores_per_node: 4, memory_per_node: 8GiB}
    - {name: normal, nodes: 2, cores_per_node: 16, memory_per_node: 32GiB, default: true}
    - name: gpu
      nodes: 1
      gpus_per_node: 4
      gpu: {type: a100, memory: 40GiB}
      cores_per_node: 16
"""


def partition(text: str) -> str | None:
    return plan(text + CLUSTER).shapes[0].job.partition


def codes(text: str) -> list[str]:
    try:
        return [problem.code for problem in a_study(text).problems]
    except SpecInvalid as stopped:
        return [problem.code for problem in stopped.problems]


def test_default_partition_is_taken_where_it_fits() -> None:
    assert partition("") == "normal"


def test_named_partition_is_taken() -> None:
    assert partition("job: {partition: small}\n") == "small"


def test_first_partition_that_fits_is_taken_where_the_default_does_not() -> None:
    assert partition("task: {gpus: 1, estimate: 1min}\n") == "gpu"


def test_job_with_gpus_that_fits_nowhere_is_held_against_the_gpu_partition() -> None:
    with pytest.raises(SpecInvalid) as stopped:
        a_study("task: {gpus: 8, estimate: 1min}\n" + CLUSTER)
    (problem,) = stopped.value.problems
    assert problem.message == "partition gpu has 4 GPUs per node; this job asks for 8"


def test_gpu_memory_of_the_partition_limits_sharing() -> None:
    text = "task: {gpus: 0.25, gpu_memory: 15GiB, estimate: 1min}\n"
    assert plan(text + CLUSTER).shapes[0].slots == 2


def test_constraint_on_an_unlisted_feature_is_not_judged() -> None:
    assert codes("job: {sbatch: {constraint: anything}}\n" + CLUSTER) == []


def test_cpu_packages_need_no_driver() -> None:
    cluster = CLUSTER.replace("memory: 40GiB", 'driver: "400.1", compute_capability: "3.0"')
    assert codes("task: {gpus: 1, estimate: 1min}\n" + cluster) == []


def test_cpu_job_is_not_held_against_a_gpus_driver() -> None:
    cluster = CLUSTER.replace("memory: 40GiB", 'driver: "400.1"')
    text = "job: {partition: gpu}\nenvironment: {accelerator: cu128}\n"
    assert codes(text + cluster) == []


def test_named_account_and_qos_are_enough() -> None:
    text = "job: {sbatch: {account: p1, qos: default}}\ncluster: meluxina\n"
    assert codes(text) == []


def test_profile_file_is_named_by_its_problems_place_in_the_spec() -> None:
    with pytest.raises(SpecInvalid) as stopped:
        a_study("task: {gpus: 8, estimate: 1min}\ncluster: meluxina\n")
    errors = [p for p in stopped.value.problems if p.severity == "error"]
    assert [(p.code, p.path) for p in errors] == [("E302", "task.gpus")]


@pytest.mark.parametrize(
    ("accelerator", "version"),
    [("cu128", (12, 8)), ("cu130", (13, 0)), ("cpu", None), ("rocm6.2", None)],
)
def test_cuda_version_is_read_from_the_name(
    accelerator: str, version: tuple[int, int] | None
) -> None:
    assert cuda_version(accelerator) == version


@pytest.mark.parametrize(
    ("accelerator", "driver", "needed"),
    [
        ("cu128", "535.104", None),
        ("cu128", "525.60.13", None),
        ("cu128", "525", None),
        ("cu128", "524.99", "525.60.13"),
        ("cu130", "570.124.6", "580.65.06"),
        ("cu118", "450.80.02", None),
        ("cpu", "1.0", None),
        ("cu990", "1.0", None),
    ],
)
def test_driver_is_compared_with_the_oldest_that_runs_the_build(
    accelerator: str, driver: str, needed: str | None
) -> None:
    assert driver_too_old(accelerator, driver) == needed


@pytest.mark.parametrize(
    ("accelerator", "capability", "reason"),
    [
        ("cu128", "8.0", None),
        ("cu118", "9.0", None),
        ("cu118", "6.0", None),
        ("cu118", "10.0", "compute capability 10.0 needs CUDA 12.8 or newer"),
        ("cu130", "7.0", "CUDA 13 serves compute capability 7.5 and above"),
        ("cpu", "3.0", None),
    ],
)
def test_capability_is_compared_with_what_the_build_has_code_for(
    accelerator: str, capability: str, reason: str | None
) -> None:
    assert capability_unserved(accelerator, capability) == reason


def with_glibc(version: str, environment: str) -> list[str]:
    profile = CLUSTER.replace("  name: tiny\n", f'  name: tiny\n  glibc: "{version}"\n')
    return codes(f"environment: {{{environment}}}\n" + profile)


def test_wheels_of_a_newer_c_library_than_the_nodes_have_are_refused() -> None:
    assert with_glibc("2.27", "requirements: [numpy]") == ["E315"]
    old = "requirements: [numpy], platform: x86_64-manylinux_2_17"
    assert with_glibc("2.9", old) == ["E315"]
    assert with_glibc("2.17", old) == []
    assert with_glibc("2.28", "requirements: [numpy]") == []


def test_c_library_counts_for_wheels_on_the_nodes_only() -> None:
    assert with_glibc("2.17", "mode: inherit") == []
    assert with_glibc("2.17", "mode: container, image: a.sif, requirements: [numpy]") == []
    assert with_glibc("2.17", "requirements: [numpy], platform: x86_64-musllinux_1_2") == []


def test_hint_names_the_platform_that_fits() -> None:
    with pytest.raises(SpecInvalid) as stopped:
        a_study(
            "environment: {requirements: [numpy]}\n"
            + CLUSTER.replace("  name: tiny\n", '  name: tiny\n  glibc: "2.17"\n')
        )
    assert stopped.value.problems[0].hint is not None
    assert "platform: x86_64-manylinux_2_17" in stopped.value.problems[0].hint
