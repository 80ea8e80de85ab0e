"""A shape with more shards than one array may have: several scripts, each an array from 0 on."""

from __future__ import annotations

from pathlib import Path

import pytest
from jobs import SUMS, awaited, compiled, launch, shell, specc, submitted, totals
from slurm import Element, Slurm

SMALL = """cluster:
  name: small
  partitions: [{name: main, nodes: 4, cores_per_node: 8, max_array_size: 2}]
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("arrays"), SUMS + SMALL)


def test_every_array_is_submitted_and_runs_its_own_shards(slurm: Slurm, bundle: Path) -> None:
    first, second = submitted(slurm, bundle)
    assert awaited(slurm, first) == {0: Element("COMPLETED", 0), 1: Element("COMPLETED", 0)}
    assert awaited(slurm, second) == {0: Element("COMPLETED", 0)}
    assert totals(bundle) == [11, 12, 13]
    third = launch(bundle, "1-cpu-0002")["slurm"]
    assert (third["SLURM_ARRAY_JOB_ID"], third["SLURM_ARRAY_TASK_ID"]) == (second, "0")


def test_each_script_can_be_submitted_by_itself(slurm: Slurm, bundle: Path) -> None:
    ended = shell(
        slurm, "sbatch", "--parsable", "job-2.sbatch", "--run", "alone", cwd=bundle
    )  # fmt: skip
    assert awaited(slurm, ended.stdout.strip()) == {0: Element("COMPLETED", 0)}
    assert totals(bundle, "alone") == [13]


def test_first_script_runs_every_shard_here(slurm: Slurm, bundle: Path) -> None:
    ended = shell(slurm, "bash", "job.sbatch", "--here", "--run", "here", cwd=bundle)
    assert ended.returncode == 0, ended.stderr
    assert totals(bundle, "here") == [11, 12, 13]


def test_bundle_of_several_arrays_matches_its_manifest(bundle: Path) -> None:
    specc("verify", bundle)
