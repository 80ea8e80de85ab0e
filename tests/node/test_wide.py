"""Tasks of several processes without Slurm: real ranks that meet, and one machine for all nodes."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from bundles import end, events, failure, launch_folder, make_bundle, rows, run, start, states
from bundles import task_id, wait_for

TWO_BY_TWO = {"nodes": 2, "processes_per_node": 2}
# every rank sends its number to rank 0, which sends the sum back
MEET = """
import socket, json
rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
place = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
def line(c):
    return json.loads(c.makefile().readline())
if rank == 0:
    with socket.create_server(place) as door:
        others = [door.accept()[0] for _ in range(world - 1)]
        total = sum(line(c) for c in others)
        for c in others:
            c.sendall(f"{total}\\n".encode())
else:
    end = time.monotonic() + 10
    while True:
        try:
            c = socket.create_connection(place); break
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.01)
    c.sendall(f"{10 ** rank}\\n".encode())
    total = line(c)
attempt.record("sum", total=total, env={n: os.environ[n] for n in os.environ if "RANK" in n or "WORLD" in n})
"""


@pytest.fixture(scope="module")
def met(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of one task, 2 nodes x 2 processes, that ran."""
    bundle = make_bundle(tmp_path_factory.mktemp("met") / "b", [MEET], task=TWO_BY_TWO)
    ended = run(bundle)
    assert ended.returncode == 0, ended.stderr
    return bundle


def of(bundle: Path, kind: str) -> list[dict[str, Any]]:
    return [row for row in rows(bundle)[task_id(0)] if row["type"] == kind]


def test_all_ranks_meet_at_the_masters_port(met: Path) -> None:
    assert [row["total"] for row in of(met, "sum")] == [1110] * 4


def test_rows_of_a_rank_carry_its_number(met: Path) -> None:
    assert [row["rank"] for row in of(met, "sum")] == [0, 1, 2, 3]
