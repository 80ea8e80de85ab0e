"""Jobs that are stopped in mid-work: a shard whose tasks wait, each for a file of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jobs import events, states
from slurm import Slurm, wait_until

SHARD = "1-cpu-0000"
# one shard of three tasks; each but the first waits for the file $GATE.<left>, if GATE is set
STEPS = """\
schema_version: 1
name: steps
kind: command
matrix:
  axes: {left: [1, 2, 3]}
repetitions: {order: sequential}
settings:
  script: |
    if [ -n "${GATE:-}" ] && [ "$left" != 1 ]; then
      until [ -e "$GATE.$left" ]; do sleep 0.05; done
    fi
    echo "{\\"total\\": $((left + 10))}"
  metrics:
    total: {from: json_lines, unit: "1", better: higher, definition: the sum that the shell makes}
task: {cpus: 1, memory: 64MiB, estimate: 1s, time_limit: 1h}
job: {time_limit: 10min}
"""


def find(
    bundle: Path, event: str, number: int = 1, shard: str = SHARD, run: str = "r1"
) -> list[dict[str, Any]]:
    """Return the events of one name in the journal of one start of a shard."""
    return [each for each in events(bundle, shard, number, run) if each["event"] == event]


def waits_in(slurm: Slurm, bundle: Path, job: str, place: int, number: int = 1) -> None:
    """Wait until so many tasks of a launch have started and all but the last have ended."""

    def so_far() -> bool:
        ended = len(find(bundle, "task_completed", number))
        return len(find(bundle, "task_started", number)) == place and ended == place - 1

    assert wait_until(so_far, 40), (states(slurm, job), events(bundle, SHARD, number))


def warn(slurm: Slurm, job: str, index: int = 0) -> None:
    """Send what Slurm sends before the time limit, long before it."""
    slurm.ask("scancel", "--batch", "--signal=USR1", f"{job}_{index}")


def start_again(slurm: Slurm, job: str, index: int = 0, *, lost: str | None = None) -> None:
    """Let a requeued element start now, where 22.05 would let it wait for two minutes.

    That wait has reasons: Slurm takes a late report of the first start's end for the second's, and
    the node refuses a start in the second in which it ended the one before ("credential revoked").
    lost: a node that will never report.
    """
    assert wait_until(lambda: states(slurm, job)[index] == "PENDING", 30), states(slurm, job)
    number = told(slurm, job, index)["JobId"]
    spools = [slurm.folder / "spool" / node for node in slurm.nodes if node != lost]
    # a socket stands there as long as the manager of a step, or of the script, is at work
    gone = wait_until(lambda: not any([*s.glob(f"*_{number}.*")] for s in spools), 30)
    assert gone, [path.name for spool in spools for path in spool.iterdir()]
    slurm.ask("scontrol", "update", f"jobid={job}_{index}", "StartTime=now+2")


def told(slurm: Slurm, job: str, index: int = 0) -> dict[str, str]:
    """Return what scontrol says of one element."""
    text = slurm.ask("scontrol", "-o", "show", "job", f"{job}_{index}")
    return dict(word.partition("=")[::2] for word in text.split())


def log_of(bundle: Path, job: str, index: int = 0) -> str:
    return (bundle / f"slurm-{job}_{index}.out").read_text(encoding="utf-8")


def owner(bundle: Path, generation: int, shard: str = SHARD) -> dict[str, Any]:
    """Return who took a shard's lease for the so manieth time."""
    path = bundle / f"results/r1/{shard}/lease/{generation:06d}/owner.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
