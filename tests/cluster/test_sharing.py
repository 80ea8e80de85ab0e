"""Several tasks on a GPU of a Slurm job: entries, neighbours, an MPS daemon, and a server."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from jobs import awaited, compiled, events, shell, submitted, totals
from slurm import Slurm, a_slurm, needs_slurm, wait_until

FAKES = Path(__file__).parents[1] / "node" / "fakes"
SHARED = """\
schema_version: 1
name: shared
kind: command
matrix:
  axes: {point: {range: [1, 8]}}
repetitions: {order: sequential}
settings:
  script: |
    # every task waits until all eight run: four in each of two jobs on one node
    here=$SPECC_BUNDLE/results/meet
    mkdir -p "$here"
    touch "$here/$point"
    for try in $(seq 400); do
      met=$(ls "$here" | wc -l)
      [ "$met" -lt 8 ] || break
      sleep 0.05
    done
    echo "{\\"met\\": $met, \\"entry\\": $CUDA_VISIBLE_DEVICES, \\"threads\\": $OMP_NUM_THREADS}"
  metrics:
    met: {from: json_lines, unit: "1", better: higher}
    entry: {from: json_lines, unit: "1", better: higher}
    threads: {from: json_lines, unit: "1", better: higher}
task: {gpus: 0.5, cpus: 2, memory: 64MiB, estimate: 1min, time_limit: 1min}
job: {gpus_per_node: 2, time_limit: 90s}
"""


@pytest.fixture(scope="module")
def one_node() -> Iterator[Slurm]:
    needs_slurm()
    with a_slurm(nodes=1, cpus=16, gpus=4) as running:
        yield running


@pytest.fixture(scope="module")
def shared(one_node: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose two jobs have run side by side on one node, two GPUs each."""
    bundle = compiled(tmp_path_factory.mktemp("shared"), SHARED)
    (job,) = submitted(one_node, bundle)
    assert {e.state for e in awaited(one_node, job).values()} == {"COMPLETED"}
    return bundle


def test_two_gpus_of_which_a_task_takes_half_run_four_at_once(shared: Path) -> None:
    assert totals(shared, metric="met") == [8] * 8


def test_a_job_hands_out_the_entries_that_slurm_gave_it(shared: Path) -> None:
    assert totals(shared, metric="entry", shards="1-gpu-0000") == [0, 0, 1, 1]
    assert totals(shared, metric="entry", shards="1-gpu-0001") == [2, 2, 3, 3]


def test_threads_are_those_of_a_task_not_of_the_node(shared: Path) -> None:
    assert totals(shared, metric="threads") == [2] * 8


def test_of_two_tasks_side_by_side_the_later_names_the_earlier(shared: Path) -> None:
    started = [e for e in events(shared, "1-gpu-0000") if e["event"] == "task_started"]
    assert [len(e["neighbours"]) for e in started] == [0, 1, 2, 3]


SERVED = """\
schema_version: 1
name: served
kind: command
matrix: {axes: {point: [1, 2]}}
repetitions: {n: 1, block: job}
fixtures:
  - {type: mps}
  - type: server
    name: api
    argv: [python3, -m, http.server, --bind, 127.0.0.1, "${port:api}"]
    ports: [api]
settings:
  script: |
    exec 3<>"/dev/tcp/127.0.0.1/$SPECC_API_PORT"
    printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3
    read -r version status rest <&3
    [ -S "$CUDA_MPS_PIPE_DIRECTORY/control" ]
    echo "{\\"total\\": $status}"
    sleep "$((point * NAP))"
  env: {NAP: "@NAP@"}
  metrics: {total: {from: json_lines, unit: "1", better: higher}}
task: {gpus: 0.5, cpus: 1, memory: 64MiB, estimate: 1s, time_limit: 2min}
job: {gpus_per_node: 1, time_limit: 10min}
"""


def with_mps(folder: Path) -> str:
    """Make the stand-in for MPS's control program; returns a PATH with it in front."""
    folder.mkdir()
    tool = folder / "nvidia-cuda-mps-control"
    tool.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "{FAKES}/fake_mps_control.py" "$@"\n')
    tool.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def started(bundle: Path) -> dict[str, dict[str, object]]:
    """What the journal says of the fixtures that were started, by type."""
    lines = events(bundle, "1-gpu-0000")
    return {e["type"]: e["detail"] for e in lines if e.get("state") == "started"}


def is_gone(pid: object) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True
    return text.rpartition(")")[2].split()[0] == "Z"


def test_tasks_talk_to_the_fixtures_of_their_job(slurm: Slurm, tmp_path: Path) -> None:
    bundle = compiled(tmp_path / "made", SERVED.replace("@NAP@", "0"))
    (job,) = submitted(slurm, bundle, PATH=with_mps(tmp_path / "bin"))
    assert {e.state for e in awaited(slurm, job).values()} == {"COMPLETED"}
    assert totals(bundle) == [200, 200]
    fixtures = started(bundle)
    assert str(fixtures["mps"]["folder"]).startswith(f"/tmp/specc-mps-{job}_0-")
    assert all(is_gone(each["pid"]) for each in fixtures.values())


@pytest.mark.parametrize("how", [(), ("--signal=KILL", "--full")])
def test_a_cancelled_or_killed_job_leaves_no_fixture(
    slurm: Slurm, tmp_path: Path, how: tuple[str, ...]
) -> None:
    bundle = compiled(tmp_path / "made", SERVED.replace("@NAP@", "60"))
    (job,) = submitted(slurm, bundle, PATH=with_mps(tmp_path / "bin"))
    assert wait_until(
        lambda: any(e["event"] == "task_started" for e in events(bundle, "1-gpu-0000")), 30
    )
    fixtures = started(bundle)
    assert shell(slurm, "scancel", *how, job, cwd=tmp_path).returncode == 0
    assert wait_until(lambda: all(is_gone(each["pid"]) for each in fixtures.values()), 30)
    assert wait_until(lambda: not Path(str(fixtures["mps"]["folder"])).exists(), 10)
