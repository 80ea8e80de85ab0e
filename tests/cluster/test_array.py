"""An array submitted by a bare `sbatch job.sbatch`, from another folder than the bundle's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from jobs import awaited, compiled, launch, shell, specc, totals
from slurm import Element, Slurm

SHARDS = ("1-cpu-0000", "1-cpu-0001", "1-cpu-0002")


@dataclass(frozen=True)
class Array:
    """An array job that has ended."""

    bundle: Path
    submitted_from: Path
    job: str
    elements: dict[int, Element]


@pytest.fixture(scope="module")
def array(slurm: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Array:
    folder = tmp_path_factory.mktemp("array")
    bundle = compiled(folder)
    elsewhere = folder / "Größe der Welt"
    elsewhere.mkdir()
    ended = shell(slurm, "sbatch", "--parsable", bundle / "job.sbatch", cwd=elsewhere)
    assert ended.returncode == 0, ended.stderr
    job = ended.stdout.strip()
    return Array(bundle, elsewhere, job, awaited(slurm, job))


def test_every_element_completes(array: Array) -> None:
    assert array.elements == {index: Element("COMPLETED", 0) for index in range(3)}


def test_every_task_is_measured_once(array: Array) -> None:
    assert totals(array.bundle) == [11, 12, 13]


def test_each_element_runs_the_shard_of_its_index(array: Array) -> None:
    ran = {shard: launch(array.bundle, shard)["slurm"]["SLURM_ARRAY_TASK_ID"] for shard in SHARDS}
    assert ran == {"1-cpu-0000": "0", "1-cpu-0001": "1", "1-cpu-0002": "2"}


def test_the_runtime_runs_as_a_step(array: Array) -> None:
    assert {launch(array.bundle, shard)["slurm"]["SLURM_STEP_ID"] for shard in SHARDS} == {"0"}


def test_each_element_knows_the_end_of_its_allocation(array: Array) -> None:
    # 90 s were asked for; Slurm's limits are whole minutes
    left = [launch(array.bundle, shard)["deadline_s"] for shard in SHARDS]
    assert [100 < seconds <= 120 for seconds in left] == [True, True, True], left


def test_logs_lie_where_it_was_submitted(array: Array) -> None:
    names = sorted(path.name for path in array.submitted_from.iterdir())
    assert names == [f"slurm-{array.job}_{index}.out" for index in range(3)]


def test_a_log_says_how_far_its_shard_is(array: Array) -> None:
    log = array.submitted_from / f"slurm-{array.job}_1.out"
    last = log.read_text(encoding="utf-8").splitlines()[-1]
    assert last == "1-cpu-0001  [1/1] 100 %  running 0"


def test_the_bundle_is_still_what_was_compiled(array: Array) -> None:
    specc("verify", array.bundle)


def test_status_knows_them_done_at_the_desk(array: Array) -> None:
    counts = json.loads(specc("status", array.bundle, "--json"))
    assert (counts["completed"], counts["total"]) == (3, 3), counts


def test_status_knows_them_done_on_the_cluster(slurm: Slurm, array: Array) -> None:
    ended = shell(slurm, array.bundle / "status.sh", cwd=array.submitted_from)
    assert (ended.stdout, ended.stderr) == ("r1  100 % of 3 tasks: 3 completed\n", "")


def test_what_came_back_is_collated(array: Array, tmp_path: Path) -> None:
    specc("collate", array.bundle, "--out", tmp_path / "report")
    summary = json.loads((tmp_path / "report/summary.json").read_text(encoding="utf-8"))
    done = summary["completeness"]
    assert (done["completed"], done["expected"], done["missing"]) == (3, 3, 0)
