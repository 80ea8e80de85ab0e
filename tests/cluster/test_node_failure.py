"""A node that dies with its jobs: Slurm starts them again elsewhere, and they go on."""

from __future__ import annotations

from pathlib import Path

from jobs import awaited, compiled, launch, submitted, totals
from slurm import Element, Slurm
from stopping import SHARD, STEPS, find, owner, start_again, told, waits_in

AWAY = "--exclude=127.0.0.1,127.0.0.2"


def test_an_element_goes_on_at_another_node(slurm: Slurm, tmp_path: Path) -> None:
    bundle = compiled(tmp_path, STEPS)
    gate = tmp_path / "gate"
    (job,) = submitted(slurm, bundle, AWAY, GATE=str(gate))
    waits_in(slurm, bundle, job, 2)
    died = told(slurm, job)["NodeList"]
    slurm.kill_node(died)
    try:
        start_again(slurm, job, lost=died)
        for task in (2, 3):
            gate.with_name(f"gate.{task}").touch()
        assert awaited(slurm, job, seconds=40) == {0: Element("COMPLETED", 0)}
    finally:
        slurm.start_node(died)
    nodes = [launch(bundle, SHARD, n)["slurm"]["SLURM_JOB_NODELIST"] for n in (1, 2)]
    assert sorted(nodes) == ["127.0.0.3", "127.0.0.4"]
    # nobody wrote an end: the first start was cut off in the middle of its second task
    assert find(bundle, "launch_ended") == []
    assert [e["task_id"] for e in find(bundle, "task_reused", 2)] == [
        e["task_id"] for e in find(bundle, "task_completed")
    ]
    assert [e["attempt"] for e in find(bundle, "task_started", 2)] == [2, 1]
    assert totals(bundle) == [11, 12, 13]
    leases = [(owner(bundle, n)["job_id"], owner(bundle, n)["restart"]) for n in (1, 2)]
    assert leases == [(f"{job}_0", 0), (f"{job}_0", 1)]
