"""Time limits that are changed while a job runs."""

from __future__ import annotations

import time
from pathlib import Path

from jobs import awaited, compiled, events, submitted, totals
from slurm import Slurm, wait_until

# one shard; its first task waits for the file that GATE names
TWO = """\
schema_version: 1
name: two
kind: command
matrix:
  axes: {left: [1, 2]}
repetitions: {order: sequential}
settings:
  script: |
    if [ "$left" = 1 ]; then until [ -e "$GATE" ]; do sleep 0.05; done; fi
    echo "{\\"total\\": $((left + 10))}"
  metrics:
    total: {from: json_lines, unit: "1", better: higher, definition: the sum that the shell makes}
task: {cpus: 1, memory: 64MiB, estimate: 100s, time_limit: 3min}
job: {time_limit: 5min}
"""


def test_time_that_a_running_job_gets_on_top_is_used(slurm: Slurm, tmp_path: Path) -> None:
    bundle, gate = compiled(tmp_path, TWO), tmp_path / "gate"
    (job,) = submitted(slurm, bundle, "--time=2", GATE=str(gate))

    def started() -> bool:
        return any(event["event"] == "task_started" for event in events(bundle, "1-cpu-0000"))

    assert wait_until(started, 30)
    began = time.monotonic()
    slurm.ask("scontrol", "update", f"jobid={job}_0", "timelimit=10")
    # by the limit that the launch was told, no task of 100 s would start any more
    assert wait_until(lambda: time.monotonic() - began > 8, 20)
    gate.touch()
    assert awaited(slurm, job)[0].exit_code == 0
    assert totals(bundle) == [11, 12]
