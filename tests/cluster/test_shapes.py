"""A bundle of two job shapes, submitted by its own submit.sh: without a GPU, and with one."""

from __future__ import annotations

from pathlib import Path

import pytest
from jobs import awaited, compiled, events, shell, submitted, totals
from slurm import Element, Slurm

DEVICES = """\
schema_version: 1
name: devices
kind: command
matrix:
  axes: {device: [cuda, cpu], left: [1, 2]}
repetitions: {order: sequential}
settings:
  script: |
    [ "$device" = cpu ] || sleep 1
    echo "{\\"total\\": $((left + 10)), \\"listed\\": 1${CUDA_VISIBLE_DEVICES}}"
  metrics:
    total: {from: json_lines, unit: "1", better: higher}
    listed: {from: json_lines, unit: "1", better: higher, definition: 1 and the GPU's entry}
task: {cpus: 1, memory: 64MiB, estimate: 1min, time_limit: 1min}
job: {time_limit: 90s}
when:
  - {if: {device: cuda}, set: {task.gpus: 1}}
"""


@pytest.fixture(scope="module")
def bundle(slurm: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that has run."""
    bundle = compiled(tmp_path_factory.mktemp("shapes"), DEVICES)
    cpu, gpu = submitted(slurm, bundle)
    assert int(cpu) < int(gpu)
    for job in (cpu, gpu):
        assert awaited(slurm, job) == {index: Element("COMPLETED", 0) for index in range(2)}
    return bundle


def test_the_shape_without_gpu_is_submitted_first(bundle: Path) -> None:
    lines = (bundle / "results/r1/jobs.tsv").read_text(encoding="utf-8").splitlines()
    assert [line.split("\t")[0] for line in lines] == ["job-1-cpu.sbatch", "job-2-gpu.sbatch"]


def test_a_task_finds_the_gpu_that_slurm_gave(bundle: Path) -> None:
    # the second of two jobs on one node gets the second GPU, whose entry is 1 and not 0
    given = [
        [e["gpu"] for e in events(bundle, shard) if e["event"] == "task_started"]
        for shard in ("2-gpu-0000", "2-gpu-0001")
    ]
    assert given == [["0"], ["1"]]
    assert totals(bundle, metric="listed", shards="2-gpu-*") == [10, 11]


def test_a_task_without_gpu_sees_none(bundle: Path) -> None:
    assert totals(bundle, metric="listed", shards="1-cpu-*") == [1, 1]


def test_another_submission_of_a_run_is_refused(slurm: Slurm, bundle: Path) -> None:
    ended = shell(slurm, "./submit.sh", cwd=bundle)
    assert ended.returncode == 2
    assert "run r1 was submitted already" in ended.stderr


def test_fresh_starts_the_next_run_beside_the_first(slurm: Slurm, bundle: Path) -> None:
    for job in submitted(slurm, bundle, "--fresh"):
        awaited(slurm, job)
    assert totals(bundle, "r2") == totals(bundle, "r1")
    told = shell(slurm, "./status.sh", "r2", cwd=bundle).stdout.splitlines()
    assert told[-1] == "r2  100 % of 4 tasks: 4 completed"
    assert told[0].startswith("run r2: job-1-cpu.sbatch, job ")
    assert told[1] == "  no longer in the queue"


def test_slurm_would_take_both_and_nothing_is_submitted(slurm: Slurm, bundle: Path) -> None:
    before = slurm.ask("squeue", "-h", "-t", "all", "-o", "%A")
    ended = shell(slurm, "./submit.sh", "--test-only", cwd=bundle)
    assert (ended.returncode, ended.stderr.count("to start at")) == (0, 2)
    assert slurm.ask("squeue", "-h", "-t", "all", "-o", "%A") == before


def test_what_slurm_refuses_is_said_and_the_rest_is_submitted(slurm: Slurm, tmp_path: Path) -> None:
    # nodes here have two GPUs
    bundle = compiled(tmp_path, DEVICES.replace("task.gpus: 1}", "task.gpus: 3}"))
    ended = shell(slurm, "./submit.sh", cwd=bundle)
    assert ended.returncode == 1
    assert "Slurm refused job-2-gpu.sbatch" in ended.stderr
    assert ended.stdout.startswith("job-1-cpu.sbatch: job ")
    lines = (bundle / "results/r1/jobs.tsv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1


def test_the_probe_names_partitions_and_asks_for_every_script(slurm: Slurm, bundle: Path) -> None:
    told = shell(slurm, "./probe.sh", cwd=bundle).stdout
    assert "main* up infinite 4 8 16000 gpu:2" in told
    assert told.count("to start at") == 2
