"""submit.sh and stop.sh before a real sbatch: options, refusals, and which jobs are whose."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from jobs import awaited, compiled, shell, states, submitted
from slurm import Slurm, wait_until
from stopping import STEPS, told, waits_in

USAGE = "usage: ./submit.sh [--fresh | --resume | --again] [--test-only] [SBATCH OPTIONS]"
REFUSED = """\
schema_version: 1
name: refused
kind: command
matrix: {axes: {gpus: [0, 3]}}
settings: {script: 'echo "$gpus"'}
task: {cpus: 1, memory: 64MiB, estimate: 1min, time_limit: 1min}
job: {time_limit: 90s}
when:
  - {if: {gpus: 3}, set: {task.gpus: 3}}
"""


@pytest.fixture
def bundle(tmp_path: Path) -> Iterator[Path]:
    """A bundle whose first task is over at once, and whose second waits for the file `gate.2`."""
    yield compiled(tmp_path, STEPS)
    for task in (2, 3):
        (tmp_path / f"gate.{task}").touch()


def test_options_of_sbatch_need_no_separator(slurm: Slurm, bundle: Path) -> None:
    (job,) = submitted(slurm, bundle, "--hold", "--comment=a word", "--nice=7")
    assert states(slurm, job) == {0: "PENDING"}
    assert told(slurm, job)["Nice"] == "7"
    assert slurm.ask("squeue", "-h", "-j", job, "-o", "%k").strip() == "a word"
    slurm.ask("scancel", job)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("resume",), "what is 'resume'? write sbatch's options as --name=value"),
        (("-p", "main"), "what is 'main'? write sbatch's options as --name=value"),
        (("--fresh", "--again"), "--fresh, --resume and --again exclude each other"),
    ],
)
def test_what_is_no_option_is_refused_before_anything_is_submitted(
    slurm: Slurm, bundle: Path, words: tuple[str, ...], says: str
) -> None:
    ended = shell(slurm, "./submit.sh", *words, cwd=bundle)
    first, last = ended.stderr.splitlines()
    assert (ended.returncode, last) == (2, USAGE)
    assert first.startswith(f"submit.sh: {says}")
    assert not (bundle / "results").exists()


def test_a_submission_refused_in_part_says_what_went_through(slurm: Slurm, tmp_path: Path) -> None:
    # nodes here have two GPUs
    bundle = compiled(tmp_path, REFUSED)
    ended = shell(slurm, "./submit.sh", cwd=bundle)
    assert ended.returncode == 1
    (last,) = ended.stderr.splitlines()[-1:]
    assert last == (
        "submit.sh: submitted were job-1-cpu.sbatch; not submitted: job-2-gpu.sbatch."
        " --resume submits all of them, and leaves alone what runs"
    )


def test_two_submissions_of_one_run_do_not_cross(slurm: Slurm, bundle: Path) -> None:
    lock = bundle / "results/r1/submitting"
    lock.mkdir(parents=True)
    ended = shell(slurm, "./submit.sh", cwd=bundle)
    assert ended.returncode == 2
    assert "another one submits run r1" in ended.stderr
    lock.rmdir()
    (job,) = submitted(slurm, bundle, "--hold")
    assert not lock.exists()
    slurm.ask("scancel", job)


def test_stop_cancels_the_jobs_of_one_run_and_no_others(
    slurm: Slurm, bundle: Path, tmp_path: Path
) -> None:
    (first,) = submitted(slurm, bundle, GATE=str(tmp_path / "gate"))
    waits_in(slurm, bundle, first, 2)
    (second,) = submitted(slurm, bundle, "--fresh", "--hold")
    (other,) = submitted(slurm, compiled(tmp_path / "other", STEPS), "--hold")
    ended = shell(slurm, "./stop.sh", "r2", cwd=bundle)
    assert (ended.returncode, ended.stdout) == (0, f"job.sbatch: job {second} cancelled\n")
    assert wait_until(lambda: states(slurm, second) == {0: "CANCELLED"}, 20)
    assert (states(slurm, first), states(slurm, other)) == ({0: "RUNNING"}, {0: "PENDING"})
    assert shell(slurm, "./stop.sh", cwd=bundle).returncode == 0
    assert awaited(slurm, first)[0].state == "CANCELLED"
    assert states(slurm, other) == {0: "PENDING"}
    assert wait_until(lambda: not slurm.ask("squeue", "-h", "-j", first), 20)
    ended = shell(slurm, "./stop.sh", cwd=bundle)
    over = [f"job.sbatch: job {job} is over" for job in (first, second)]
    assert (ended.returncode, ended.stdout.splitlines()) == (0, over)
    slurm.ask("scancel", other)
