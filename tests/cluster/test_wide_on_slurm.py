"""Tasks of several nodes on the real Slurm: ranks that meet, fail, hang and are cancelled."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from jobs import awaited, compiled, events, shell, specc, submitted, totals
from slurm import Slurm, wait_until

SPECS = Path(__file__).parents[2] / "specs"
RANKS = """\
schema_version: 1
name: ranks
kind: command
matrix:
  axes: {elements: [10]}
settings:
  script: |
    echo "$$" >"$PIDS/$RANK.new" && mv "$PIDS/$RANK.new" "$PIDS/$RANK.pid"
    WHAT
task: {nodes: 2, processes_per_node: 2, cpus: 1, memory: 64MiB, estimate: 1s, time_limit: LIMIT}
job: {time_limit: 5min}
"""


def ranks(tmp_path: Path, what: str, *, limit: str = "1min") -> Path:
    """Compile a task of 2 x 2 whose ranks run a line of shell."""
    text = RANKS.replace("WHAT", what).replace("LIMIT", limit)
    (tmp_path / "pids").mkdir()
    return compiled(tmp_path, text)


def pids(tmp_path: Path) -> list[int]:
    """Return the ranks' process ids once all have started: both nodes are this machine."""
    paths = [tmp_path / "pids" / f"{rank}.pid" for rank in range(4)]
    assert wait_until(lambda: all(path.exists() for path in paths), 30)
    return [int(path.read_text()) for path in paths]


def gone(found: list[int]) -> bool:
    return not any(Path(f"/proc/{pid}").exists() for pid in found)


def failure(bundle: Path) -> dict[str, Any]:
    """Return the first task_failed line."""
    return next(e for e in events(bundle, "1-cpu-0000") if e["event"] == "task_failed")


@pytest.fixture(scope="module")
def met(slurm: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped spec, submitted and ended."""
    folder = tmp_path_factory.mktemp("met")
    found = specc("compile", SPECS / "command-ranks.yaml", "--out", folder, "--json")
    bundle = Path(json.loads(found)["bundle"])
    (job,) = submitted(slurm, bundle)
    ended = awaited(slurm, job, seconds=60)
    words = [path.read_text() for path in bundle.glob("slurm-*.out")]
    assert {element.state for element in ended.values()} == {"COMPLETED"}, words
    return bundle


def rows(bundle: Path, kind: str) -> list[dict[str, Any]]:
    """Return the records of a type of the first shard's first launch."""
    found = []
    for path in sorted(bundle.glob("results/r1/1-cpu-0000/launch-001/records.*.jsonl")):
        found += [json.loads(line) for line in path.read_text().splitlines()]
    return [row for row in found if row["type"] == kind]


def test_ranks_on_two_nodes_meet_and_add_up(met: Path) -> None:
    # 2 points x 2 repetitions, 20 rounds each, read from rank 0: 1 + 2 + 3 + 4
    assert totals(met) == [10.0] * 80


def test_every_rank_times_its_rounds(met: Path) -> None:
    assert len(totals(met, metric="all_reduce_s")) == 80 * 4


def test_ranks_are_recorded_on_the_nodes_that_slurm_names(met: Path) -> None:
    placed = [
        (row["rank"], row["local_rank"], row["node_rank"], row["launcher"], row["emulated"])
        for row in rows(met, "rank")[:4]
    ]
    assert placed == [
        (0, 0, 0, "srun", False),
        (1, 1, 0, "srun", False),
        (2, 0, 1, "srun", False),
        (3, 1, 1, "srun", False),
    ]
    nodes = [row["node"] for row in rows(met, "rank")[:4]]
    assert nodes[0] == nodes[1] != nodes[2] == nodes[3]
    assert all(node.startswith("127.0.0.") for node in nodes)


def test_the_clocks_of_nodes_that_are_one_machine_agree(met: Path) -> None:
    for row in rows(met, "rank"):
        assert abs(row["clock_offset_ns"]) <= row["clock_uncertainty_ns"] < 100_000_000


def test_collate_shows_all_of_it(met: Path, tmp_path: Path) -> None:
    specc("collate", met, "--out", tmp_path / "report")
    lines = (tmp_path / "report" / "tables" / "ranks.csv").read_text().splitlines()
    assert len(lines) == 1 + 4 * 8


def test_a_dead_rank_on_another_node_ends_the_task_and_is_named(
    slurm: Slurm, tmp_path: Path
) -> None:
    bundle = ranks(tmp_path, 'if [ "$RANK" = 3 ]; then echo no luck >&2; exit 7; fi; sleep 60')
    (job,) = submitted(slurm, bundle, PIDS=str(tmp_path / "pids"))
    ended = awaited(slurm, job)
    assert ended[0].exit_code == 1
    found = failure(bundle)
    second = slurm.ask("scontrol", "show", "hostnames", nodelist(bundle)).split()[1]
    assert (found["category"], found["exit_code"]) == ("program", 7)
    assert (found["evidence"]["rank"], found["evidence"]["node"]) == (3, second)
    assert found["stderr_tail"][-1] == "no luck"
    assert found["duration_s"] < 10
    assert gone(pids(tmp_path))


def nodelist(bundle: Path) -> str:
    path = bundle / "results/r1/1-cpu-0000/launch-001/launch.json"
    return str(json.loads(path.read_text())["slurm"]["SLURM_JOB_NODELIST"])


def test_a_killed_leader_leaves_no_rank_on_any_node(slurm: Slurm, tmp_path: Path) -> None:
    bundle = ranks(tmp_path, "sleep 60")
    (job,) = submitted(slurm, bundle, PIDS=str(tmp_path / "pids"))
    found = pids(tmp_path)
    started = [e for e in events(bundle, "1-cpu-0000") if e["event"] == "task_started"]
    os.kill(started[0]["pid"], 9)
    assert wait_until(lambda: gone(found), 10)
    awaited(slurm, job)


def test_a_cancelled_job_leaves_no_rank_on_any_node(slurm: Slurm, tmp_path: Path) -> None:
    bundle = ranks(tmp_path, "sleep 60")
    (job,) = submitted(slurm, bundle, PIDS=str(tmp_path / "pids"))
    found = pids(tmp_path)
    slurm.ask("scancel", job)
    assert wait_until(lambda: gone(found), 15)
    awaited(slurm, job)


def test_a_task_that_hangs_ends_on_all_nodes_at_its_limit(slurm: Slurm, tmp_path: Path) -> None:
    bundle = ranks(tmp_path, "sleep 60", limit="3s")
    (job,) = submitted(slurm, bundle, PIDS=str(tmp_path / "pids"))
    found = pids(tmp_path)
    awaited(slurm, job)
    assert failure(bundle)["category"] == "timeout"
    assert gone(found)


def test_a_step_that_can_not_be_started_is_said(slurm: Slurm, tmp_path: Path) -> None:
    bundle = ranks(tmp_path, "true")
    text = "echo no nodes today >&2; exit 5"
    srun = tmp_path / "bin" / "srun"
    srun.parent.mkdir()
    # only the runtime's own call is broken
    srun.write_text(f'#!/bin/sh\ncase "$*" in *--overlap*) {text};; *) exec "$REAL" "$@";; esac\n')
    srun.chmod(0o755)
    real = shell(slurm, "sh", "-c", "command -v srun", cwd=tmp_path).stdout.strip()
    path = f"{srun.parent}:{slurm.environment['PATH']}"
    (job,) = submitted(slurm, bundle, PATH=path, REAL=real, PIDS=str(tmp_path / "pids"))
    awaited(slurm, job)
    found = failure(bundle)
    assert found["category"] == "node"
    assert found["message"] == "0 of 2 nodes came (srun ended with code 5)"
    assert found["stderr_tail"] == ["no nodes today"]


NARROW = """\
schema_version: 1
name: narrow
kind: command
matrix:
  axes: {left: [1, 2, 3, 4]}
settings:
  script: |
    number=${SLURMD_NODENAME##*.}
    sleep 1
    echo "{\\"node\\": $number, \\"gpu\\": ${CUDA_VISIBLE_DEVICES:-9}}"
  metrics:
    node: {from: json_lines, unit: "1", better: higher}
    gpu: {from: json_lines, unit: "1", better: higher}
task: {cpus: 1, gpus: 1, memory: 64MiB, estimate: 1s, time_limit: 1min}
job: {nodes: 2, gpus_per_node: 2, cpus_per_node: 2, time_limit: 5min}
"""


def test_slots_of_a_job_with_two_nodes_are_on_both(slurm: Slurm, tmp_path: Path) -> None:
    bundle = compiled(tmp_path, NARROW)
    (job,) = submitted(slurm, bundle)
    ended = awaited(slurm, job)
    assert ended[0].state == "COMPLETED"
    nodes = totals(bundle, metric="node")
    assert nodes[0] == nodes[1] != nodes[2] == nodes[3]
    assert totals(bundle, metric="gpu") == [0.0, 0.0, 1.0, 1.0]


def test_a_node_that_fails_takes_the_ranks_of_the_others_along(
    slurm: Slurm, tmp_path: Path
) -> None:
    bundle = ranks(tmp_path, "sleep 60")
    (job,) = submitted(slurm, bundle, PIDS=str(tmp_path / "pids"))
    found = pids(tmp_path)
    second = slurm.ask("scontrol", "show", "hostnames", nodelist(bundle)).split()[1]
    slurm.kill_node(second)
    try:
        assert wait_until(lambda: gone(found), 15)
        # Slurm starts it again on other nodes, which is nothing for this test to wait for
        slurm.ask("scancel", job)
    finally:
        slurm.start_node(second)
    assert wait_until(slurm.idle, 30)
