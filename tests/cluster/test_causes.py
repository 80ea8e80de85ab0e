"""Jobs that end without a word of their own: what the run says of them once Slurm was asked."""

from __future__ import annotations

import json
from pathlib import Path

from jobs import SUMS, awaited, compiled, launch, shell, specc, states, submitted
from slurm import Slurm, wait_until
from stopping import SHARD, STEPS, told, waits_in

from specc_runtime.contract.runs import TaskState, fold
from specc_runtime.contract.slurm import scripts_of
from specc_runtime.contract.tasks import read_tasks

AWAY = "--exclude=127.0.0.1,127.0.0.2"


def tasks(bundle: Path) -> list[TaskState]:
    manifest = json.loads((bundle / "manifest.json").read_text())
    scripts = scripts_of(manifest["predicate"]["shapes"])
    run = fold(bundle / "results" / "r1", read_tasks(bundle), scripts=scripts)
    return list(run.tasks.values())


def record(slurm: Slurm, bundle: Path) -> None:
    ended = shell(slurm, "./status.sh", "--record", cwd=bundle)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_job_that_died_with_its_node_names_the_node(slurm: Slurm, tmp_path: Path) -> None:
    bundle = compiled(tmp_path, STEPS)
    gate = str(tmp_path / "gate")
    (job,) = submitted(slurm, bundle, "--", AWAY, "--no-requeue", GATE=gate)
    waits_in(slurm, bundle, job, 2)
    node = told(slurm, job)["NodeList"]
    slurm.kill_node(node)
    try:
        assert wait_until(lambda: states(slurm, job) == {0: "NODE_FAIL"}, 30), states(slurm, job)
        # nobody has asked Slurm yet, and its silence is no end
        assert [task.state for task in tasks(bundle)] == ["completed", "running", "missing"]
        record(slurm, bundle)
    finally:
        slurm.start_node(node)
    _, cut, waiting = tasks(bundle)
    said = f"Slurm says NODE_FAIL of job {job}_0, reason NodeDown, on {node}"
    assert (cut.state, cut.reason) == ("missing", f"cut off before its end: {said}")
    assert cut.failure is not None
    assert (cut.failure["category"], cut.failure["transient"]) == ("node", True)
    assert waiting.reason == f"never started: {said}"
    # nodes are named as Slurm names them, in what runs and in what is reported
    assert launch(bundle, SHARD)["slurm"]["SLURMD_NODENAME"] == node
    # a run that is submitted again asks before Slurm forgets, and goes on
    (tmp_path / "gate.2").touch()
    (tmp_path / "gate.3").touch()
    (again,) = submitted(slurm, bundle, "--resume", GATE=gate)
    awaited(slurm, again)
    record(slurm, bundle)
    assert [task.state for task in tasks(bundle)] == ["completed"] * 3
    specc("collate", bundle, "--out", tmp_path / "report")
    summary = json.loads((tmp_path / "report" / "summary.json").read_text())
    assert [(one["category"], one["host"]) for one in summary["interruptions"]] == [("node", node)]
    table = (tmp_path / "report" / "tables" / "slurm.csv").read_text().splitlines()
    columns = table[0].split(",")
    rows = [dict(zip(columns, line.split(","), strict=False)) for line in table[1:]]
    assert [(row["shard_id"], row["state"]) for row in rows] == [
        ("1-cpu-0000", "NODE_FAIL"),
        ("1-cpu-0000", "COMPLETED"),
    ]


def test_task_that_never_started_says_where_its_job_is(slurm: Slurm, tmp_path: Path) -> None:
    bundle = compiled(tmp_path, SUMS)
    (job,) = submitted(slurm, bundle, "--", "--hold")
    record(slurm, bundle)
    waiting = [task.reason for task in tasks(bundle)]
    slurm.ask("scancel", job)
    record(slurm, bundle)
    cancelled = [task.reason for task in tasks(bundle)]
    for word, reasons in (("PENDING", waiting), ("CANCELLED", cancelled)):
        assert [str(reason).partition(", ")[0] for reason in reasons] == [
            f"never started: Slurm says {word} of job {job}_{index}" for index in range(3)
        ]
