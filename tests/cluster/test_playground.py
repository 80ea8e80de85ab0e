"""`make cluster` and `make cluster-down`, as a person uses them."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm import needs_slurm, wait_until

ROOT = Path(__file__).parents[2]


def make(target: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    words = ["make", "--no-print-directory", target, f"CLUSTER_DIR={folder}", *more]
    return subprocess.run(
        [*words, f"PYTHON={sys.executable}"], cwd=ROOT, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip


def shell(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command as the printed line says: after reading env.sh."""
    return subprocess.run(
        ["sh", "-c", f". {folder}/env.sh; {command}"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def daemons(folder: Path) -> list[str]:
    """Return the names of living processes that belong to a cluster, whoever started them."""
    mark = f"SLURM_CONF={folder}/slurm.conf".encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append((entry / "comm").read_text(encoding="utf-8").strip())
        except OSError:
            continue
    return found


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Where a cluster runs that `make cluster` started."""
    needs_slurm()
    above = Path(tempfile.mkdtemp(prefix="play-"))
    folder = above / "cluster"
    ended = make("cluster", folder)
    assert ended.returncode == 0, ended.stderr
    assert f"  . {folder}/env.sh\n" in ended.stdout
    assert f"  make cluster-down CLUSTER_DIR={folder}\n" in ended.stdout
    yield folder
    make("cluster-down", folder)
    shutil.rmtree(above)


def test_four_idle_nodes_with_gpus_are_there(folder: Path) -> None:
    told = shell(folder, "sinfo -h -N -p main -o '%N %T %c %m %G'").stdout.splitlines()
    assert told == [f"127.0.0.{number} idle 16 64000 gpu:toy:4" for number in range(1, 5)]


def test_a_job_over_all_nodes_runs(folder: Path) -> None:
    told = shell(folder, "srun -N4 --gpus-per-node=1 sh -c 'echo $SLURMD_NODENAME'").stdout
    assert sorted(told.split()) == [f"127.0.0.{number}" for number in range(1, 5)]


def test_a_node_breaks_with_what_it_runs_and_is_mended(folder: Path) -> None:
    state = "sinfo -h -N -p main -n 127.0.0.4 -o %T"
    job = shell(folder, "sbatch --parsable -w 127.0.0.4 -o /dev/null --wrap 'sleep 300'").stdout
    assert wait_until(lambda: daemons(folder).count("sleep") == 1, 20), daemons(folder)
    assert make("node-break", folder, "NODE=127.0.0.4").returncode == 0
    assert wait_until(lambda: daemons(folder).count("sleep") == 0, 5), daemons(folder)
    # without -R sinfo goes on with how much of the node was in use
    assert shell(folder, "sinfo -h -R -o '%N %E'").stdout == "127.0.0.4 broken by hand\n"
    assert "broken already" in make("node-break", folder, "NODE=127.0.0.4").stderr
    assert "no node 'n1'; there are 127.0.0.1," in make("node-break", folder, "NODE=n1").stderr
    shell(folder, f"scancel {job}")
    assert make("node-mend", folder, "NODE=127.0.0.4").returncode == 0
    assert wait_until(lambda: shell(folder, state).stdout.strip() == "idle", 20)


def test_a_second_cluster_in_the_same_place_is_refused(folder: Path) -> None:
    ended = make("cluster", folder)
    assert ended.returncode != 0
    assert f"a cluster runs in {folder} already" in ended.stderr


def test_another_of_another_shape_runs_beside_it(folder: Path) -> None:
    other = folder.with_name("other")
    ended = make("cluster", other, "CLUSTER=--nodes 1 --cpus 2 --gpus 0")
    assert ended.returncode == 0, ended.stderr
    try:
        told = shell(other, "sinfo -h -N -p main -o '%N %T %c %G'").stdout
        assert told == "127.0.0.1 idle 2 (null)\n"
    finally:
        make("cluster-down", other)


def test_down_leaves_neither_process_nor_folder_also_while_jobs_run(folder: Path) -> None:
    job = "sbatch --parsable -N4 -o /dev/null --wrap 'srun sleep 300'"
    assert shell(folder, job).returncode == 0
    assert wait_until(lambda: daemons(folder).count("sleep") == 4, 20), daemons(folder)
    ended = make("cluster-down", folder)
    assert (ended.returncode, "is stopped" in ended.stdout) == (0, True), ended.stderr
    assert wait_until(lambda: daemons(folder) == [], 5), daemons(folder)
    assert not folder.exists()


def test_without_slurm_it_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests/cluster'); import slurm;"
        " slurm._SYSTEM_PATH = '/nowhere'; import playground; playground.main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, "up", str(tmp_path / "c")], cwd=ROOT,
        env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    assert "no Slurm on this machine (munged, slurmctld" in ended.stderr
    assert "sudo make test-deps" in ended.stderr
