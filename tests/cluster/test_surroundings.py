"""What a place does to a job: login nodes, allocations, variables that shells leave behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from jobs import awaited, compiled, launch, shell, states, submitted, totals
from slurm import Element, Slurm

DONE = {0: Element("COMPLETED", 0)}
ONE = """\
schema_version: 1
name: one
kind: command
settings:
  script: |
    echo "{\\"total\\": 7}"
  metrics:
    total: {from: json_lines, unit: "1", better: higher}
task: {cpus: 1, memory: 64MiB, estimate: 10s, time_limit: 1min}
job: {time_limit: 90s}
"""


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return compiled(tmp_path, ONE)


def sbatch(slurm: Slurm, bundle: Path, *options: str, **environment: str) -> str:
    """Submit without submit.sh, wait for the one element, and return its log."""
    ended = shell(
        slurm, "sbatch", "--parsable", *options, bundle / "job.sbatch", cwd=bundle, **environment
    )
    assert ended.returncode == 0, ended.stderr
    job = ended.stdout.strip()
    log = bundle / f"slurm-{job}_0.out"
    assert awaited(slurm, job) == DONE, log.read_text(encoding="utf-8")
    return log.read_text(encoding="utf-8")


def test_a_login_node_runs_no_tasks(slurm: Slurm, bundle: Path) -> None:
    ended = shell(slurm, "bash", "job.sbatch", cwd=bundle)
    assert ended.returncode == 2
    assert "this looks like a login node" in ended.stderr
    assert not (bundle / "results").exists()


def test_here_runs_them_on_a_login_node_all_the_same(slurm: Slurm, bundle: Path) -> None:
    ended = shell(slurm, "bash", "job.sbatch", "--here", cwd=bundle)
    assert ended.returncode == 0, ended.stderr
    assert totals(bundle) == [7]


def test_an_allocation_runs_them_on_its_node(slurm: Slurm, bundle: Path) -> None:
    ended = shell(slurm, "salloc", "-c1", "-w", slurm.nodes[1], "bash", "job.sbatch", cwd=bundle)
    assert ended.returncode == 0, ended.stderr
    assert launch(bundle, "1-cpu-0000")["slurm"]["SLURM_STEP_NODELIST"] == slurm.nodes[1]


def test_an_allocation_of_two_components_runs_them_in_the_first(slurm: Slurm, bundle: Path) -> None:
    nodes = slurm.nodes
    both = ("-c1", "-w", nodes[1], ":", "-c1", "-w", nodes[2])
    ended = shell(slurm, "salloc", *both, "bash", "job.sbatch", cwd=bundle)
    assert ended.returncode == 0, ended.stderr
    assert launch(bundle, "1-cpu-0000")["slurm"]["SLURM_STEP_NODELIST"] == nodes[1]


def test_a_step_runs_them_where_it_is(slurm: Slurm, bundle: Path) -> None:
    ended = shell(slurm, "srun", "-c1", "--job-name=mine", "bash", "job.sbatch", cwd=bundle)
    assert ended.returncode == 0, ended.stderr
    told = launch(bundle, "1-cpu-0000")["slurm"]
    assert (told["SLURM_JOB_NAME"], told["SLURM_STEP_ID"]) == ("mine", "0")


def test_here_runs_every_shard_also_in_a_shell_of_an_array(slurm: Slurm, bundle: Path) -> None:
    ended = shell(slurm, "bash", "job.sbatch", "--here", cwd=bundle, SLURM_ARRAY_TASK_ID="3")
    assert ended.returncode == 0, ended.stderr
    assert totals(bundle) == [7]


def test_submitting_from_an_interactive_shell_changes_nothing(slurm: Slurm, bundle: Path) -> None:
    # what such a shell has asked for is in its environment, and is an option to any srun after it
    words = ["salloc", "-n3", "-c2", "--mem-per-cpu=100", "--gpus-per-task=1"]
    command = ["srun", "-n1", "--cpu-bind=none", "sbatch", "--parsable", "job.sbatch"]
    ended = shell(slurm, *words, *command, cwd=bundle)
    assert ended.returncode == 0, ended.stderr
    job = ended.stdout.strip()
    log = bundle / f"slurm-{job}_0.out"
    assert awaited(slurm, job) == DONE, log.read_text(encoding="utf-8")
    assert "warning" not in log.read_text(encoding="utf-8")
    told = launch(bundle, "1-cpu-0000")["slurm"]
    assert (told["SLURM_NTASKS"], told["SLURM_CPUS_PER_TASK"]) == ("1", "1")
    assert told["SLURM_MEM_PER_NODE"] == "64"
    assert {name for name in told if "GPU" in name or "BIND" in name} == set()


def test_options_left_behind_for_srun_do_not_reach_the_step(slurm: Slurm, bundle: Path) -> None:
    # each of them alone makes srun refuse the step of a job that has no GPU
    left = {
        "SLURM_MEM_PER_GPU": "100",
        "SLURM_GPUS": "2",
        "SLURM_CPUS_PER_GPU": "3",
        "SLURM_NTASKS_PER_GPU": "2",
        "SLURM_STEP_GRES": "gpu:1",
        "SLURM_THREADS_PER_CORE": "2",
        "SLURM_DISTRIBUTION": "arbitrary",
        "SLURM_HET_SIZE": "2",
    }
    assert "srun" not in sbatch(slurm, bundle, **left)


def test_options_of_the_script_itself_reach_the_step(slurm: Slurm, tmp_path: Path) -> None:
    shaped = ONE.replace("time_limit: 90s}", "time_limit: 90s, sbatch: {hint: nomultithread}}")
    bundle = compiled(tmp_path, shaped)
    sbatch(slurm, bundle, SLURM_HINT="compute_bound")
    told = launch(bundle, "1-cpu-0000")["slurm"]
    assert (told.get("SLURM_HINT"), told["SLURM_THREADS_PER_CORE"]) == (None, "1")


def test_a_whole_node_is_given_to_the_step(slurm: Slurm, tmp_path: Path) -> None:
    bundle = compiled(tmp_path, ONE.replace("{time_limit", "{exclusive: true, time_limit"))
    sbatch(slurm, bundle, SLURM_CPUS_PER_TASK="2")
    told = launch(bundle, "1-cpu-0000")["slurm"]
    assert (told["SLURM_CPUS_PER_TASK"], told["SLURM_CPUS_ON_NODE"]) == ("8", "8")


def test_an_option_left_behind_for_sbatch_is_warned_about(slurm: Slurm, bundle: Path) -> None:
    log = sbatch(slurm, bundle, SBATCH_TIMELIMIT="7", SBATCH_ACCOUNT="mine")
    assert [line for line in log.splitlines() if "warning" in line] == [
        "job.sbatch: warning: SBATCH_TIMELIMIT=7 overrides what this script asks for"
    ]


def test_submit_keeps_the_shape_of_the_scripts(slurm: Slurm, bundle: Path, tmp_path: Path) -> None:
    results = tmp_path / "scratch"
    (job,) = submitted(
        slurm, bundle, SBATCH_TIMELIMIT="7", SBATCH_EXPORT="NONE", SPECC_RESULTS=str(results)
    )
    assert awaited(slurm, job) == DONE
    assert "TimeLimit=00:02:00" in slurm.ask("scontrol", "show", "job", job)
    assert len(list(results.glob("*/r1/1-cpu-0000/launch-001/launch.json"))) == 1
    assert not (bundle / "results").exists()


def test_an_option_on_the_command_line_is_warned_about(slurm: Slurm, bundle: Path) -> None:
    log = sbatch(slurm, bundle, "--cpus-per-task=2")
    assert "warning: cpus-per-task is 2, planned was 1" in log


def test_a_job_without_its_submitters_environment_runs(slurm: Slurm, bundle: Path) -> None:
    assert "[1/1] 100 %" in sbatch(slurm, bundle, "--export=NONE")


def test_a_shell_without_home_and_user_submits_and_runs(slurm: Slurm, bundle: Path) -> None:
    kept = [f"{name}={slurm.environment[name]}" for name in ("PATH", "SLURM_CONF")]
    ended = shell(slurm, "env", "-i", *kept, "./submit.sh", cwd=bundle)
    assert ended.returncode == 0, ended.stderr
    job = ended.stdout.partition(": job ")[2].partition(",")[0]
    assert awaited(slurm, job) == DONE
    assert totals(bundle) == [7]
    told = shell(slurm, "env", "-i", *kept, "./status.sh", cwd=bundle)
    assert told.stdout.splitlines()[-1] == "r1  100 % of 1 tasks: 1 completed"


def test_a_bundle_that_changed_runs_nothing(slurm: Slurm, bundle: Path) -> None:
    with (bundle / "tasks.jsonl").open("ab") as file:
        file.write(b"\n")
    (job,) = submitted(slurm, bundle)
    assert awaited(slurm, job) == {0: Element("FAILED", 4)}
    assert not list(bundle.glob("results/r1/1-cpu-*"))
    assert states(slurm, job) == {0: "FAILED"}
