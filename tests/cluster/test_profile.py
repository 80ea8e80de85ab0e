"""From the probe of a bundle to a profile, and from the profile to what specc refuses."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jobs import SPECC, compiled, shell, specc
from slurm import Slurm, a_slurm, needs_slurm

LIMITED = (
    "PartitionName=short Nodes=127.0.0.[1-2] MaxTime=30 MaxNodes=1 State=UP",
    "PartitionName=theirs Nodes=127.0.0.2 AllowAccounts=lab MaxTime=1-12:00:00 State=UP",
)
STUDY = """\
schema_version: 1
name: fits
kind: command
settings:
  script: |
    echo "{\\"total\\": 1}"
  metrics:
    total: {from: json_lines, unit: "1", better: higher}
task: {cpus: 2, gpus: 2, memory: 1GiB, estimate: 1min, time_limit: 2min}
job: {nodes: 1, partition: short, time_limit: 20min}
cluster: toy
"""


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Slurm, Path]]:
    """A cluster with limits and accounts, and the folder that keeps what its probe told."""
    needs_slurm(accounting=True)
    folder = tmp_path_factory.mktemp("probed")
    with a_slurm(nodes=2, gpu_type="toy", accounting=True, lines=LIMITED) as slurm:
        mine = ("user", "name=" + slurm.ask("id", "-un").strip())
        slurm.ask("sacctmgr", "-i", "add", "account", "lab", "cluster=specc")
        slurm.ask("sacctmgr", "-i", "add", *mine, "account=lab", "maxsubmitjobs=40", "maxjobs=9")
        bundle = compiled(folder)
        ended = shell(slurm, "./probe.sh", cwd=bundle)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert "== end of probe" in ended.stdout
        (folder / "login.txt").write_text(ended.stdout, encoding="utf-8")
        ended = shell(slurm, "srun", "-p", "main", "./probe.sh", cwd=bundle)
        assert ended.returncode == 0, ended.stderr
        (folder / "node.txt").write_text(ended.stdout, encoding="utf-8")
        yield slurm, folder


@pytest.fixture(scope="module")
def study(probed: tuple[Slurm, Path]) -> Path:
    """A spec beside the profile that was made of the probe."""
    folder = probed[1]
    (folder / "clusters").mkdir()
    told = specc("cluster", "profile", "--name", "toy", "--from", folder / "login.txt")
    (folder / "clusters/toy.yaml").write_text(told, encoding="utf-8")
    spec = folder / "study.yaml"
    spec.write_text(STUDY, encoding="utf-8")
    return spec


def partitions(told: str) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in json.loads(told)["profile"]["partitions"]}


def refused(study: Path, tmp_path: Path, old: str, new: str) -> str:
    """Return what `specc plan` says against a study with one line changed."""
    text = study.read_text(encoding="utf-8")
    assert old in text
    changed = study.with_name(f"{tmp_path.name}.yaml")
    changed.write_text(text.replace(old, new), encoding="utf-8")
    words = [str(SPECC), "plan", str(changed)]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 3, ended.stdout
    return ended.stderr


def test_the_profile_tells_what_the_partitions_offer(probed: tuple[Slurm, Path]) -> None:
    told = specc("cluster", "profile", "--json", "--from", probed[1] / "login.txt")
    found = partitions(told)
    assert found["main"] == {
        "name": "main",
        "nodes": 2,
        "gpus_per_node": 2,
        "gpu": {"type": "toy"},
        "cores_per_node": 8,
        "memory_per_node": "16000MiB",
        "max_array_size": 10001,
        "max_submit_jobs": 40,
        "max_running": 9,
        "default": True,
    }
    assert (found["short"]["nodes"], found["short"]["max_time"]) == (1, "00:30:00")
    assert (found["theirs"]["max_time"], found["theirs"]["account_required"]) == ("36:00:00", True)


def test_a_probe_inside_a_job_names_its_node(probed: tuple[Slurm, Path]) -> None:
    told = (probed[1] / "node.txt").read_text(encoding="utf-8")
    assert "\nnode=127.0.0.1\npartition=main\n" in told


def test_several_probes_may_be_given_at_once(probed: tuple[Slurm, Path]) -> None:
    folder = probed[1]
    both = folder / "both.txt"
    texts = [(folder / name).read_text(encoding="utf-8") for name in ("login.txt", "node.txt")]
    both.write_text("".join(texts), encoding="utf-8")
    told = specc("cluster", "profile", "--json", "--from", both)
    assert partitions(told)["main"]["cores_per_node"] == 8


def test_a_study_that_fits_is_compiled_against_the_profile(study: Path) -> None:
    told = json.loads(specc("compile", study, "--out", study.parent / "build", "--json"))
    script = next(Path(told["bundle"]).glob("job*.sbatch")).read_text(encoding="utf-8")
    assert "#SBATCH --partition=short\n" in script


def test_too_many_gpus_are_refused_with_the_profiles_figure(study: Path, tmp_path: Path) -> None:
    told = refused(study, tmp_path, "gpus: 2", "gpus: 3")
    assert "partition short has 2 GPUs per node; this job asks for 3" in told


def test_too_many_nodes_are_refused_with_the_profiles_figure(study: Path, tmp_path: Path) -> None:
    told = refused(study, tmp_path, "nodes: 1", "nodes: 2")
    assert "partition short has 1 node; this job asks for 2" in told


def test_too_long_a_time_is_refused_with_the_profiles_figure(study: Path, tmp_path: Path) -> None:
    told = refused(study, tmp_path, "time_limit: 20min", "time_limit: 31min")
    assert "partition short ends jobs after 00:30:00; this job asks for 00:31:00" in told


def test_a_login_node_is_probed_where_a_person_sits_at_it(probed: tuple[Slurm, Path]) -> None:
    # script gives the command a terminal to read from
    words = ["script", "-qec", f"{SPECC} cluster profile --json", "/dev/null"]
    ended = subprocess.run(
        words, env=probed[0].environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    (line,) = [line for line in ended.stdout.splitlines() if line.startswith("{")]
    assert partitions(line)["main"]["nodes"] == 2
