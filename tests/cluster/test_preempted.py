"""A job that has to make room: Slurm stops its step, and starts it again by itself."""

from __future__ import annotations

from pathlib import Path

from jobs import awaited, compiled, launch, submitted, totals
from slurm import Element, Slurm
from stopping import SHARD, STEPS, find, log_of, start_again, told, waits_in

NODE = "127.0.0.4"


def test_a_preempted_job_goes_on_later_and_is_requeued_once(slurm: Slurm, tmp_path: Path) -> None:
    bundle = compiled(tmp_path, STEPS)
    gate = tmp_path / "gate"
    where = ("--partition=low", f"--nodelist={NODE}", "--exclusive")
    (job,) = submitted(slurm, bundle, *where, GATE=str(gate))
    waits_in(slurm, bundle, job, 2)
    slurm.ask(
        "srun", "--partition=high", f"--nodelist={NODE}", "--exclusive", "--time=1", "/bin/true"
    )
    start_again(slurm, job)
    for task in (2, 3):
        gate.with_name(f"gate.{task}").touch()
    assert awaited(slurm, job, seconds=40) == {0: Element("COMPLETED", 0)}
    # a script that left before the grace time is over would otherwise have failed
    assert "preempted: Slurm starts this job again" in log_of(bundle, job)
    # the batch script hears nothing of a preemption, the step does
    assert [e["name"] for e in find(bundle, "signal")] == ["SIGTERM"]
    (stopped,) = find(bundle, "task_failed")
    assert (stopped["category"], stopped["message"]) == ("preempted", "stopped by SIGTERM")
    # asking Slurm as well would make it two
    assert find(bundle, "requeue") == []
    assert told(slurm, job)["Restarts"] == "1"
    assert launch(bundle, SHARD, 2)["slurm"]["SLURM_RESTART_COUNT"] == "1"
    assert [e["event"] for e in find(bundle, "task_reused", 2)] == ["task_reused"]
    assert totals(bundle) == [11, 12, 13]
