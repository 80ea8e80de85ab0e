"""What `status.sh` shows of a bundle's runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import bundles

RECORD = "attempt.record('metric', n=1)"


def status(bundle: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = bundles.command(bundle)[: bundles.command(bundle).index("shard")]
    return subprocess.run(
        [*command, "status", "--bundle", str(bundle), *options],
        env=bundles.environ(bundle),
        capture_output=True,
        text=True,
        check=False,
    )


def test_before_anything_ran(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [RECORD])
    assert status(bundle).stdout == "nothing has run yet\n"


def test_counts_and_failures_of_each_run(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [RECORD, "raise ValueError('bad')", RECORD])
    bundles.run(bundle)
    bundles.run(bundle, "--task", bundles.task_id(0), SPECC_RUN="r2")
    assert status(bundle).stdout.splitlines() == [
        "r1  67 % of 3 tasks: 2 completed, 1 failed",
        f"  {bundles.task_id(1)}  program: bad",
        "r2  33 % of 3 tasks: 1 completed, 2 missing",
    ]


def test_many_failures_are_counted_and_not_all_shown(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", ["raise ValueError('bad')"] * 12)
    bundles.run(bundle)
    assert status(bundle).stdout.splitlines()[-1] == "  … and 2 more that failed"


def test_missing_tasks_say_what_slurm_said_of_their_jobs(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [RECORD] * 3, shards=2)
    bundles.run(bundle, "--shard", "0")
    words = bundle / "results" / "r1" / "slurm"
    words.mkdir()
    (words.parent / "jobs.tsv").write_text("job.sbatch\t12\n")
    (words / "12.sacct.txt").write_text("JobID|State|Reason\n12_1|PENDING|Priority\n")
    assert status(bundle).stdout.splitlines() == [
        "r1  67 % of 3 tasks: 2 completed, 1 missing",
        "  1 missing: never started: Slurm says PENDING of job 12_1, reason Priority",
    ]


def test_run_that_does_not_exist(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [RECORD])
    done = status(bundle, "--run", "r9")
    assert (done.returncode, done.stderr) == (2, "specc: no run 'r9' here; there are: none\n")
